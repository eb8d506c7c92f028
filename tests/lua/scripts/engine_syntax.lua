-- a syntax error in line 4
local a = 1
local b = 2
if a == == b then end
