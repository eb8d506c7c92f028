-- demo.lua: a campaign of 1,000 invented leads, as `./run demo` dials it against the simulated carrier.
--
--   carillon campaign run demo        imports the leads, dials, shows a live line, ends with the report
--   carillon campaign report demo     the report again
--
-- "How many pressed 1?", in one line of SQL:
--   sqlite3 data/ledger.db "SELECT COUNT(*) FROM attempt WHERE digits LIKE '1%'"
--
-- docs/campaigns.md explains each key. A real list is one line: leads = "leads.csv".
local first = { "Ann", "Ben", "Cleo", "Dora", "Emil", "Fay", "Gus", "Hana", "Ivo", "Jana" }
local leads = {}
for i = 0, 999 do
  leads[#leads + 1] = { number = "1555201" .. (1000 + i), name = first[i % 10 + 1] .. " " .. i, amount = 10 + i % 90 }
end

return {
  leads = leads,
  trunks = { "acme" },
  caller_ids = { "15550100", "15550101" },  -- taken in turn
  pacing = { cps = env("CARILLON_CPS", 50), concurrent = 400 },
  ring_timeout = "15s",
  window = "always",                        -- a demo runs at night too; the default is 08:00 to 21:00 where the lead lives
  retry = {                                 -- real campaigns wait longer: USER_BUSY = { after = "10m", tries = 3 }
    USER_BUSY = { after = "3s", tries = 2 },
    NO_ANSWER = { after = "5s", tries = 2 },
    NO_USER_RESPONSE = { after = "5s", tries = 2 },
    NORMAL_TEMPORARY_FAILURE = { after = "5s", tries = 2 },
    INTERRUPTED = { after = "1s", tries = 3 },
  },
  max_attempts = 3,
  script = "demo.lua",
}
