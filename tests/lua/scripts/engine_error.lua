-- an error in line 5
local t
local function inner()
  local x = 1
  return t.field.other
end

local v = inner()
return v
