-- argv: words, single quotes, and nothing else that groups.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local inner = T.script("inner.lua", [[stream:write(#argv .. ":")
for i = 0, #argv do stream:write("<" .. (i == 0 and argv[0]:match("[^/]+$") or argv[i]) .. ">") end]])
for _, words in ipairs({ "", "a", "a b", "a  b ", "'a b' c", "\"a b\"", "it\\'s", "'it\\'s here' x", "''", "a,b;c", "1 2.5 nil", "x='y z'", "a\\d", "a\\\\\\\\d", "a\\tb",
  "a\\nb", "\\x41", "\\\\65" }) do
  T.show(words == "" and "none" or words, T.api("lua " .. inner .. (words == "" and "" or " " .. words)))
end
T.show("kinds", type(argv), type(argv[0]), argv[99])
