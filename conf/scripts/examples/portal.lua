-- A page with a form: what was typed runs as a command. For a web server that puts the request's fields into `env`.
local function html(text) return (text:gsub("[&<>\"]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" })) end
stream:write("Content-Type: text/html\n\n<title>Commands</title><h2>Commands</h2>")
stream:write("<form method=post><input name=command size=40> <input type=submit value=Execute></form><hr>")
local command = env:getHeader("command") or argv[1] and table.concat(argv, " ")
if command then
  local reply = freeswitch.API():executeString(command)
  if reply then stream:write("<b>Result</b><pre>" .. html(reply) .. "</pre>\n") end
end
env:addHeader("cool", "true")
stream:write("<pre>" .. html(env:serialize()) .. "</pre>\n")
