local kit = require "tests.lua.kit"
local param = require "sluice.param"
local sluice = require "sluice"

local refuses = kit.refuses

local function with(settings, script)
   assert.is_nil(param.begin(settings))
   local done, message = pcall(script)
   local list, unknown = param.finish()
   if not done then error(message, 0) end
   return list, unknown
end

describe("sluice.param", function()
   it("gives the default, or what the command line says, of the same type", function()
      local seen = {}
      local list = with({ "delay=1 minute", "share=0.5", "on=false", "name=b=c" },
         function()
         seen.delay = sluice.param("delay", "10 minutes", "how late")
         seen.share = sluice.param("share", 1)
         seen.on = sluice.param("on", true)
         seen.name = sluice.param("name", "a")
         seen.size = sluice.param("size", "1 MiB")
      end)
      assert.same({ delay = "1 minute", share = 0.5, on = false, name = "b=c",
         size = "1 MiB" }, seen)
      assert.equal("delay", list[1].name)
      assert.equal("duration", list[1].type)
      assert.equal("how late", list[1].help)
      assert.equal("10 minutes", list[1].default)
      assert.is_true(list[1].is_set)
      assert.is_false(list[5].is_set)
      assert.equal("size", list[5].type)
   end)

   it("refuses values of another type", function()
      refuses(function()
         with({ "delay=soon" }, function() sluice.param("delay", "10 minutes") end)
      end, '--param delay=soon: wanted a duration', '"10 minutes"')
      refuses(function() with({ "n=x" }, function() sluice.param("n", 1) end) end,
         "wanted a number")
      refuses(function() with({ "on=1" }, function() sluice.param("on", true) end) end,
         "wanted true or false")
   end)

   it("names the nearest one for what the script does not have", function()
      local _, message = with({ "dely=1s" }, function()
         sluice.param("delay", "10 minutes")
      end)
      assert.equal("--param dely=1s: the script has no parameter `dely`: did you mean "
         .. "`delay`? (it has `delay`)", message)
      _, message = with({ "x=1" }, function() end)
      assert.truthy(message:find("it has none", 1, true))
   end)

   it("refuses what is no parameter", function()
      refuses(function() with({}, function() sluice.param(1, 2) end) end, "takes a name")
      refuses(function() with({}, function() sluice.param "a" end) end, "got nil")
      refuses(function() with({}, function() sluice.param("a", 1, 2) end) end,
         "what `a` is for")
      refuses(function()
         with({}, function() sluice.param("a", 1) sluice.param("a", 1) end)
      end, "already")
      refuses(function() sluice.param("a", 1) end, "outside of functions")
   end)
end)
