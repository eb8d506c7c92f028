-- Every method of every class, called wrongly in every way: the error's text is SWIG's.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local rows = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/signatures.lua")
local names = { s = "char *", S = "char const *", i = "int", n = "unsigned int", b = "bool", L = "CoreSession *", R = "CoreSession &", E = "Event *",
  f = "SWIGLUA_FN", t = "SWIGLUA_TABLE", p = "switch_priority_t" }
local objects = {
  Session = freeswitch.Session(), Event = freeswitch.Event("CUSTOM", "probe::x"), EventConsumer = freeswitch.EventConsumer(), API = freeswitch.API(),
  Stream = freeswitch.Stream(), JSON = freeswitch.JSON(), Dbh = freeswitch.Dbh("sqlite://" .. T.work .. "/x"),
  IVRMenu = freeswitch.IVRMenu(nil, "m", "silence_stream://10", "", "", "", "", "", "", "", "", 1, 1, 1, 1, 1, 1),
}
local right = { s = "x", S = "x", i = 1, n = 1, b = true, L = objects.Session, R = objects.Session, E = objects.Event, f = function() end, t = {}, p = 1 }
local self_of = setmetatable({ Session = "CoreSession *", Dbh = "LUA::Dbh *", JSON = "LUA::JSON *" }, { __index = function(_, k) return k .. " *" end })
local wrong = {
  s = { true, {}, print }, S = { true, {}, print }, i = { true, {}, "abc", print }, n = { true, {}, "abc" }, b = { 1, "true", {} },
  L = { true, "x", {} }, R = { true, "x", {} }, E = { true, "x", {} }, f = { 1, "x", {}, true }, t = { 1, "x", true }, p = { 1, "x", true, {} },
}
local accepts_nil = { s = true, S = true, L = true, E = true }

local count, bad = {}, 0
local function check(row, label, expected, f, n, args)
  local ok, e = pcall(f, unpack(args, 1, n))
  local got = ok and "nothing raised" or T.problem(e)
  local class = row[1] == "" and "freeswitch" or row[1]
  count[class] = (count[class] or 0) + 1
  if got ~= expected then
    bad = bad + 1
    T.print(("%s.%s %s: %s, not %s"):format(class, row[2], label, got, expected))
  end
end
for _, row in ipairs(rows) do
  local object = objects[row[1]]
  local f = object and object[row[2]] or row[1] == "" and freeswitch[row[2]]
  local base = row[1] == "" and 0 or 1
  local function args(n, signature)
    local list = { object }
    for i = 1, n do list[base + i] = right[signature:sub(i, i)] end
    return list
  end
  if type(f) ~= "function" then
    T.print(row[1] .. "." .. row[2] .. " is missing")
    bad = bad + 1
  elseif row.overloaded then
    local text = ("Wrong arguments for overloaded function '%s'"):format(row.overloaded)
    local most = 0
    for _, s in ipairs(row.forms) do most = math.max(most, #s) end
    local list = args(most, row.forms[1])
    for i = #row.forms[1] + 1, most + 1 do list[base + i] = 1 end
    check(row, "with too many", text, f, base + most + 1, list)
    for _, s in ipairs(row.forms) do
      for i = 1, #s do
        if s:sub(i, i) ~= "t" and not (row[1] == "JSON") then
          list = args(#s, s)
          list[base + i] = print
          check(row, ("(%s) with a function at %d"):format(s, i), text, f, base + #s, list)
        end
      end
    end
  else
    local where, least, most, signature = row[3], row[4], row[5], row[6]
    local wanted = ("Error in %s expected %d..%d args, got %%d"):format(where, least + base, most + base)
    if least + base > 0 then check(row, "with too few", wanted:format(least + base - 1), f, least + base - 1, args(least - 1, signature)) end
    local list = args(#signature, signature)
    list[base + most + 1] = 1
    check(row, "with too many", wanted:format(base + most + 1), f, base + most + 1, list)
    if base == 1 then
      list = args(least, signature)
      list[1] = "me"
      check(row, "with a text for self", ("Error in %s (arg 1), expected '%s' got 'string'"):format(where, row[1] == "Session" and where:match("^LUA") and "LUA::Session *" or self_of[row[1]]), f, base + least, list)
    end
    for i = 1, #signature do
      local kind = signature:sub(i, i)
      local all = { unpack(wrong[kind]) }
      for k = 1, #all + (accepts_nil[kind] and 0 or 1) do
        local n = math.max(least, i)
        list = args(n, signature)
        list[base + i] = all[k]
        local kind_name = all[k] == nil and "nil" or type(all[k])
        check(row, ("with %s at %d"):format(kind_name, i), ("Error in %s (arg %d), expected '%s' got '%s'"):format(where, base + i, names[kind], kind_name), f, base + n, list)
      end
    end
  end
end
for _, class in ipairs(T.sorted(count)) do T.show(class, count[class]) end
T.show("wrong", bad)
