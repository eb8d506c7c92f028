-- Which files are said for what: all types and methods, and what is played of it.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local function say(kind, method, ...)
  for _, text in ipairs({ ... }) do
    local got = T.api("say_string en.wav en " .. kind .. " " .. method .. " " .. text)
    T.show(kind .. " " .. method .. " " .. text, (got:gsub("^file_string://", ""):gsub("%.wav", ""):gsub("digits/", "")))
  end
end
say("number", "pronounced", "0", "7", "12", "20", "21", "100", "105", "110", "1000", "1,234", "12345", "1000000", "123456789", "1234567890", "-5", "1.5")
say("items", "counted", "0", "3", "12", "20", "21", "100", "1003")
say("number", "iterated", "1,20")
say("number", "N/A", "5", "0")
say("messages", "nonsense", "5", "0")
say("persons", "pronounced_year", "1984", "2005", "1905", "1900", "2026")
say("currency", "pronounced", "12.34", "-1.01", "$1,000", "+5.", "1234567890123.45")
say("currency", "counted", "3.02")
say("time_measurement", "pronounced", "3661", "1:02:03", "05:10", "59")
say("ip_address", "pronounced", "10.0.0.255", "nonsense")
say("ip_address", "iterated", "1.22.3.4")
say("telephone_number", "pronounced", "+1-5..5x", "(12")
say("name_spelled", "pronounced", "A1b.c")
say("name_phonetic", "pronounced", "zz9")
for _, kind in ipairs({ "account_number", "telephone_extension", "url", "email_address", "postal_address", "nonsense" }) do say(kind, "pronounced", "12") end
T.show("without the scheme", T.api("say_string en.wav en number pronounced ~12"))
T.show("suffixes", T.api("say_string en en.mp3 number pronounced masculine 12"), T.api("say_string en.gsm en.mp3 number pronounced 12"))

-- Dates in the call's own zone.
local s = T.null()
local api = freeswitch.API(s)
local function zoned(kind, method, zone, text)
  s:setVariable("timezone", zone)
  T.show(kind .. " " .. method .. " in " .. zone, (api:executeString("say_string en.wav en " .. kind .. " " .. method .. " " .. text):gsub("%.wav", ""):gsub("digits/", "")))
end
zoned("current_date_time", "pronounced", "UTC", "1700000000")
zoned("current_time", "pronounced", "Asia/Tokyo", "1700000000")
zoned("current_time", "pronounced", "-3600", "1699995600")
zoned("current_time", "iterated", "UTC", "1700000000")
zoned("current_time", "iterated", "UTC", "1700006400")
zoned("current_time", "iterated", "UTC", "1700028000")
zoned("current_date", "pronounced", "UTC", "1700000000")
zoned("short_date_time", "pronounced", "UTC", "1700000000")

-- What is played is one file.
local con = freeswitch.EventConsumer("PLAYBACK_START")
con:bind("PLAYBACK_STOP")
s:setVariable("sound_prefix", T.sounds)
os.execute("mkdir -p " .. T.work .. "/digits && cp " .. T.sounds .. "/short.wav " .. T.work .. "/digits/20.wav && cp " .. T.sounds .. "/short.wav " .. T.work .. "/digits/1.wav")
s:setVariable("sound_prefix", T.work)
s:setVariable("sound_prefix_enforced", "true")
s:say("21", "en", "number", "pronounced")
for _ = 1, 2 do
  local e = T.event(con, function(e) return e:getHeader("Unique-ID") == s.uuid end)
  T.show("event", e and e:getHeader("Event-Name"), e and e:getHeader("Playback-File-Path"), e and e:getHeader("Playback-File-Type"), e and e:getHeader("Playback-Status"))
end
T.between("both", s:getVariable("playback_ms"), 380, 420)
T.show("a phrase without a match is a success", s:streamFile("phrase:parts:nothing"), s:streamFile("phrase:no_such:x"))
s:hangup()
