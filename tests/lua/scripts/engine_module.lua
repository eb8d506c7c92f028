-- A module with state of its own.
local m = { count = 1 }
function m.bump()
  m.count = m.count + 1
  return m.count
end
return m
