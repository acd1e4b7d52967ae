local sandbox = require "sluice.sandbox"

local printed, required

local function make(folder)
   printed, required = {}, {}
   return sandbox.new {
      folder = folder or "",
      print = function(text) printed[#printed + 1] = text end,
      add_text = function(text) required[#required + 1] = text end,
   }
end

local function run(text, box)
   local chunk = assert((box or make()).load(text, "rides.lua"))
   return chunk()
end

local function message_of(text, box)
   local done, problem = pcall(run, text, box)
   assert.is_false(done)
   return problem
end

describe("sandbox", function()
   -- busted itself looks at strings' metatable: give it back as it was
   after_each(function()
      local of_strings = debug.getmetatable("")
      of_strings.__index = string
      of_strings.__metatable = nil
   end)

   it("runs ordinary Lua", function()
      assert.equal("6 AB nil", run [[
         local t = { 1, 2, 3 }
         local sum = 0
         for _, v in ipairs(t) do sum = sum + v end
         return table.concat({ sum, ("ab"):upper(), tostring(nil) }, " ")
      ]])
   end)

   it("refuses what reaches outside", function()
      for name in ([[os io debug package ffi jit newproxy getfenv setfenv collectgarbage
         dofile loadfile module]]):gmatch("%w+") do
         local wanted = "rides.lua:1: " .. name .. " is not available in scripts: "
         assert.matches(wanted, message_of("return " .. name), 1, true)
      end
   end)

   it("names the nearest global", function()
      assert.equal("rides.lua:2: unknown global `maths`: did you mean `math`?",
         message_of("local x\nreturn maths.floor(1)"))
   end)

   it("keeps scripts from changing the library's tables", function()
      run [[string.rep = nil; math.floor = nil; table.concat = nil; bit = nil]]
      assert.is_function(string.rep)
      assert.is_function(math.floor)
      assert.is_function(table.concat)
      assert.equal("aa", run [[string.rep = nil; return ("a"):rep(2)]])
   end)

   it("hides the metatable of strings", function()
      assert.is_false(run [[return getmetatable("")]])
      assert.is_false(run [[return getmetatable(_G)]])
   end)

   it("loads text only", function()
      assert.equal(3, run [[return load("return 1 + 2")()]])
      assert.equal(3, run [[return loadstring("return 1 + 2")()]])
      local refused = "string.dump is not available"
      assert.matches(refused, message_of [[return string.dump(print)]])
      assert.matches(refused, message_of [[return ("").dump(print)]])
      local box = make()
      box.globals.code = string.dump(function() return 1 end)
      local made, problem = run("return load(code)", box)
      assert.is_nil(made)
      assert.matches("mode", problem)
      assert.is_nil((make().load(string.dump(function() end), "rides.lua")))
   end)

   it("gives loaded chunks the script's environment", function()
      assert.matches("os is not available", message_of [[return load("return os")()]])
   end)

   it("requires cjson, bit and the script's own files only", function()
      local folder = os.tmpname() .. ".d/"
      os.execute("mkdir -p " .. folder .. "sub")
      local file = assert(io.open(folder .. "sub/rates.lua", "w"))
      file:write("return { vat = 0.19, os = rawget(_G, 'os') }")
      file:close()
      local box = make(folder)
      assert.equal(0.19, run([[return require("sub.rates").vat]], box))
      assert.is_nil(run([[return require("sub.rates").os]], box))
      assert.equal(1, #required)
      assert.equal("[1]", run [[return require("cjson").encode({ 1 })]])
      assert.equal(1, run [[return require("bit").band(3, 1)]])
      assert.equal("[1] 1", run [[return cjson.encode({ 1 }) .. " " .. bit.band(3, 1)]])
      assert.matches("there is no .*nothing.lua", message_of([[require "nothing"]], box))
      for _, name in ipairs { "../x", "a..b", "/etc/x", "", "sluice.main", "jit.util" } do
         assert.is_false(pcall(run, ("require %q"):format(name)))
      end
      assert.matches("ffi is not available", message_of [[require "ffi"]])
      os.execute("rm -r " .. folder)
   end)

   it("prints through the host", function()
      run [[print("a", 1, nil)]]
      assert.same({ "a\t1\tnil" }, printed)
   end)

   it("refuses math.randomseed", function()
      local problem = message_of [[local x = math.randomseed(1)]]
      assert.matches("rides.lua:1: math.randomseed is not available", problem)
   end)

   it("lets a loading script make globals, a running one not", function()
      local box = make()
      run("function helper() return 1 end", box)
      local change = run("return function() count = 1 end", box)
      box.freeze()
      assert.equal(1, run("return helper()", box))
      local done, problem = pcall(change)
      assert.is_false(done)
      local wanted = "rides.lua:1: the global `count` is assigned: functions must not"
      assert.matches(wanted, problem, 1, true)
   end)
end)
