--- What `sluice test` runs in the specs' Lua state: busted, in this process.
-- @module sluice.test.run

local HELP = "sluice test needs busted, and it is not on Lua's paths: install Debian's "
   .. "package lua-busted, or `luarocks install busted`; %s"

local DEFAULT_FOLDERS = { ".", "scripts" }

-- Options that take a value in the next word; all else that begins with `-` is a flag, or
-- has its value behind `=`.
local TAKE_A_VALUE = {}
for name in ([[-p --pattern --exclude-pattern -e -o --output -C --directory -f
   --config-file --coverage-config-file -t --tags --exclude-tags --filter --filter-out -m
   --lpath --cpath -r --run --repeat --seed --lang --loaders --helper -Xoutput -Xhelper]])
   :gmatch "%S+" do
   TAKE_A_VALUE[name] = true
end

-- Options for busted, files, and whether `--json` and `--update` are among the words.
local function split(words)
   local passed, files, json, updates = {}, {}, false, false
   local i = 1
   while i <= #words do
      local word = words[i]
      if word == "--json" then
         json = true
      elseif word == "--update" then
         updates = true
      elseif word:sub(1, 1) == "-" and word ~= "-" then
         passed[#passed + 1] = word
         if TAKE_A_VALUE[word] and words[i + 1] then
            i = i + 1
            passed[#passed + 1] = words[i]
         end
      else
         files[#files + 1] = word
      end
      i = i + 1
   end
   return passed, files, json, updates
end

-- `*_spec.lua` of a folder, without those below it.
local function specs_in(folder)
   local dir, found = require "pl.dir", {}
   for _, path in ipairs(dir.getfiles(folder, "*_spec.lua")) do
      found[#found + 1] = (path:gsub("^%./", ""))
   end
   table.sort(found)
   return found
end

local function default_files()
   local path, files = require "pl.path", {}
   for _, folder in ipairs(DEFAULT_FOLDERS) do
      if path.isdir(folder) then
         for _, file in ipairs(specs_in(folder)) do files[#files + 1] = file end
      end
   end
   return files
end

-- Busted's runner ends the process; here it only says with what. Its modules take the
-- function when they are loaded.
local function end_by_error()
   local ended = {}
   require("busted.compatibility").exit = function(code)
      ended.code = code == 0 and 0 or 1
      error(ended)
   end
   return ended
end

local function run_busted(runner, ended, words)
   _G.arg = words
   local done, problem = xpcall(function()
      runner { standalone = false }
   end, function(thrown)
      return thrown == ended and ended or debug.traceback(tostring(thrown), 2)
   end)
   if done then return 0 end
   if problem == ended then return ended.code end
   error(problem, 0)
end

-- What specs require again and again stays the same for all files: busted forgets only
-- what a file has loaded itself. It would also remember `ffi.typeof` by its first
-- argument, and `typeof("$[?]", …)` has another second one in each call.
local function load_once()
   package.loaded["busted.luajit"] = function() end
   require "sluice"
   require "sluice.test"
   require "sluice.test.matchers"
end

-- Behind each `it` one looks whether all that was to die has: what a case asked for and
-- did not come to must not pass for done.
local function look_behind_cases()
   local core, process = require "busted.core", require "sluice.test.process"
   package.loaded["busted.core"] = function(...)
      local busted = core(...)
      local safe = busted.safe
      function busted.safe(descriptor, run, element)
         if descriptor ~= "it" then return safe(descriptor, run, element) end
         return safe(descriptor, function(...)
            run(...)
            local unmet = process.unmet()
            if unmet then error(unmet, 0) end
         end, element)
      end
      return busted
   end
end

--- Run specs.
-- @tparam {string,...} words files, folders, options of busted, `--json`, `--update`
-- @treturn integer exit code
return function(words)
   local found, ended = pcall(end_by_error)
   if not found then
      local what = tostring(ended):match "module %S+ not found" or ended
      io.stderr:write("sluice: ", HELP:format(what), "\n")
      return 2
   end
   local passed, files, json, updates = split(words)
   if json then passed[#passed + 1] = "--output=sluice.test.json_report" end
   if #files == 0 then files = default_files() end
   if #files == 0 then
      io.stderr:write("sluice: no *_spec.lua in this folder or in scripts/: name files\n")
      return 2
   end
   for _, file in ipairs(files) do passed[#passed + 1] = file end
   passed[0] = "sluice test"
   load_once()
   require("sluice.test.expect").updates = updates
   look_behind_cases()
   return run_busted(require "busted.runner", ended, passed)
end
