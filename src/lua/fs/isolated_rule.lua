-- isolated_rule.lua: which scripts run isolated (isolated.lua). That is decided before a script's first instruction, since nothing can be done
-- twice: when its text is compiled, it is read for what cannot be had in the shared state, and so are the Lua modules that it requires and the files that it runs by dofile:
--
--   a `require` of a C module or of ffi (a name in quotes; pcall(require, "x") too) · package.loadlib · jit.on
--   the comment  -- carillon: isolated   which says so itself;   -- carillon: shared   says the contrary
-- A name that is computed cannot be seen. Then the require fails with a text that says what to do, and the script is isolated from its next run on.
local core = ...
local fs = core.fs

local find, gmatch, gsub, match, sub = string.find, string.gmatch, string.gsub, string.match, string.sub
local concat, ipairs, pairs = table.concat, ipairs, pairs

local isolated = {}
fs.isolated = isolated

local DEPTH_MAX = 20
local INLINE_MAX = 256

-- The text without comments and long strings. Short strings stay: names of modules are such.
local function code_of(text)
  local out, at = {}, 1
  while true do
    local from = find(text, "[%-%[\"']", at)
    if not from then break end
    local equals = match(text, "^%-%-%[(=*)%[", from) or match(text, "^%[(=*)%[", from)
    local _, to
    if equals then
      out[#out + 1] = sub(text, at, from - 1)
      _, to = find(text, "]" .. equals .. "]", from, true)
    elseif sub(text, from, from + 1) == "--" then
      out[#out + 1] = sub(text, at, from - 1)
      to = (find(text, "\n", from, true) or #text + 1) - 1
    elseif find(text, "^[\"']", from) then
      to = from
      repeat _, to = find(text, "^[^\\" .. sub(text, from, from) .. "\n]*\\?.", to + 1) until not to or not match(sub(text, to - 1, to), "^\\")
      out[#out + 1] = sub(text, at, to or #text)
    else
      out[#out + 1] = sub(text, at, from)
      to = from
    end
    at = (to or #text) + 1
  end
  out[#out + 1] = sub(text, at)
  return concat(out)
end

-- Patterns for files that the text itself adds to package.path or package.cpath.
local function templates(code, suffix)
  local out = {}
  for template in gmatch(code, "[^;\"'%s]*%?" .. suffix) do out[#out + 1] = template end
  return concat(out, ";")
end

local function file_text(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read(4194304)
  file:close()
  return text
end

local needs

-- Do files that the text runs by name?
local function files_need(code, seen, depth)
  for file in gmatch(code, "%f[%w_]dofile%s*%(?%s*[\"']([^\"'\n]+)[\"']") do
    if not seen[file] and depth <= DEPTH_MAX then
      seen[file] = true
      if needs(file_text(file) or "", seen, depth + 1) then return true end
    end
  end
  return false
end

-- Does the module of that name need it?
local function module_needs(name, path, cpath, seen, depth)
  if name == "ffi" then return true end
  if fs.builtin_modules and fs.builtin_modules[name] then return false end
  if seen[name] or depth > DEPTH_MAX then return false end
  seen[name] = true
  local file = core.package_search(name, path)
  if file then return needs(file_text(file) or "", seen, depth + 1) end
  return core.package_search(name, cpath) ~= nil or core.package_search(match(name, "^[^.]*"), cpath) ~= nil
end

function needs(text, seen, depth)
  local word = match(sub(text, 1, 4096), "%-%-%s*carillon:%s*(%a+)")
  if word == "isolated" then return true elseif word == "shared" then return false end
  if not (find(text, "require", 1, true) or find(text, "loadlib", 1, true) or find(text, "jit", 1, true) or find(text, "dofile", 1, true)) then return false end
  local code = code_of(text)
  if find(code, "%f[%w_]loadlib%s*%(") or find(code, "%f[%w_]jit%s*%.%s*on%f[^%w_]") then return true end
  local path, cpath = core.package_paths()
  path, cpath = templates(code, "%.lua") .. ";" .. path, templates(code, "%.so") .. ";" .. cpath
  for name in gmatch(code, "%f[%w_]require%s*[%(,]?%s*[\"']([%w_.%-]+)[\"']") do
    if module_needs(name, path, cpath, seen, depth) then return true end
  end
  return files_need(code, seen, depth)
end

-- --- what the engine asks ---

local decided, inline = {}, 0 -- path or text → true, or "learned"

-- Does this script (as core.script's request) run isolated? `fresh`: its text is new.
function isolated.wanted(request, fresh)
  local key = request.code or core.script_path(request.file)
  if fresh and decided[key] ~= "learned" then
    local yes = needs(request.code or file_text(key) or "", {}, 0)
    decided[key] = yes or nil
    if yes and request.code then
      inline = inline + 1
      if inline > INLINE_MAX then decided, inline = { [key] = true }, 1 end
    end
  end
  return decided[key] ~= nil
end

-- The running script wanted something that only an isolated one may have. What to tell its author.
function isolated.learn()
  local name = core.script_name()
  if name then decided[core.script_path(name)] = "learned" end
  return "only isolated scripts may have it: this one will be one from its next run on, and at once with the comment\n\t-- carillon: isolated\n\tat its top"
end
