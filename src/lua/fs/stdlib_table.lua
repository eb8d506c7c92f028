-- stdlib_table.lua: table, with a sort whose comparison may wait. The algorithm is Lua 5.1's own, so that equal elements come out in
-- the same order.
local core = ...

local lib = {}
core.base.table = lib
for k, v in pairs(table) do lib[k] = v end

local floor, type, error = math.floor, type, error
local native = table.sort
local NATIVE_MAX = 20000 -- elements without a comparison function that are sorted in one go

local function less(a, b) return a < b end

local function sort(a, l, u, lt)
  while l < u do
    if lt(a[u], a[l]) then a[l], a[u] = a[u], a[l] end
    if u - l == 1 then break end
    local i = floor((l + u) / 2)
    if lt(a[i], a[l]) then
      a[i], a[l] = a[l], a[i]
    elseif lt(a[u], a[i]) then
      a[i], a[u] = a[u], a[i]
    end
    if u - l == 2 then break end
    local p = a[i]
    a[i], a[u - 1] = a[u - 1], p
    local j = u - 1
    i = l
    while true do
      i = i + 1
      while lt(a[i], p) do
        if i >= u then error("invalid order function for sorting", 0) end
        i = i + 1
      end
      j = j - 1
      while lt(p, a[j]) do
        if j <= l then error("invalid order function for sorting", 0) end
        j = j - 1
      end
      if j < i then break end
      a[i], a[j] = a[j], a[i]
    end
    a[u - 1], a[i] = a[i], a[u - 1]
    if i - l < u - i then
      j, i, l = l, i - 1, i + 1
    else
      j, i, u = i + 1, u, i - 1
    end
    sort(a, j, i, lt)
  end
end

function lib.sort(t, lt)
  if type(t) ~= "table" then error("bad argument #1 to 'sort' (table expected, got " .. (t == nil and "no value" or type(t)) .. ")", 2) end
  if lt == nil then
    local kind = type(t[1])
    if #t <= NATIVE_MAX and (kind == "number" or kind == "string") then return native(t) end
    lt = less
  elseif type(lt) ~= "function" then
    error("bad argument #2 to 'sort' (function expected, got " .. type(lt) .. ")", 2)
  end
  sort(t, 1, #t, lt)
end

function lib.foreach(t, f)
  for k, v in core.safe_pairs(t) do
    local r = f(k, v)
    if r ~= nil then return r end
  end
end

function lib.foreachi(t, f)
  for i = 1, #t do
    local r = f(i, t[i])
    if r ~= nil then return r end
  end
end
