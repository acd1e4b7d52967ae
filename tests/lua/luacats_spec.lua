local help = require "sluice.help"

describe("definitions for editors", function()
   local function read(path)
      local file = io.open(path, "rb")
      local text = file and file:read "*a"
      if file then file:close() end
      return text
   end

   local function text_of(module)
      local path = "lua/" .. module:gsub("%.", "/")
      return read(path .. ".lua") or read(path .. "/init.lua")
   end

   local main = help.text("luacats", false, text_of)
   local kit = help.text("luacats-test", false, text_of)

   -- What docs/reference.md shows, by where it belongs.
   local function names_of_reference()
      local names, text = { main = {}, kit = {} }, read "docs/reference.md"
      text = text:match "^(.-)\n## Command line"
      local into = names.main
      for line in text:gmatch "[^\n]+" do
         if line == "## sluice.test" then into = names.kit end
         into[#into + 1] = line:match "^| `:?([%w_]+)" or line:match "^%- `:?([%w_.]+)"
      end
      return names
   end

   local function has(text, name)
      local last = name:match "([%w_]+)$"
      return text:find("[.:]" .. last .. "%(") or text:find("@field " .. last .. "%??%s")
         or text:find("\nsluice%." .. last .. " = ")
   end

   it("have every name of the reference", function()
      local names = names_of_reference()
      assert.is_true(#names.main > 120, "the reference was not understood")
      assert.is_true(#names.kit > 15, "the reference was not understood")
      for _, name in ipairs(names.main) do assert.is_truthy(has(main, name), name) end
      for _, name in ipairs(names.kit) do assert.is_truthy(has(kit, name), name) end
   end)

   it("are Lua, and say which module they are of", function()
      assert.is_function(loadstring(main))
      assert.is_function(loadstring(kit))
      assert.match("^%-%-%-@meta sluice\n", main)
      assert.match("^%-%-%-@meta sluice.test\n", kit)
   end)

   it("say what options take", function()
      assert.match('\n%-%-%-@field on_error%? "quarantine"|"fail" ', main)
      assert.match("\n%-%-%-@field delay%? sluice%.Duration ", main)
      assert.match("\n%-%-%-@field max_records%? integer ", main)
      assert.match("\n%-%-%-@return sluice%.Stream\nfunction Stream:filter%(fn%) end\n",
         main)
   end)
end)
