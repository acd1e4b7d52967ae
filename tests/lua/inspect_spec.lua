local inspect = require "sluice.inspect"
local sandbox = require "sluice.sandbox"

local ROW = { { kind = "row", names = { "amount", "event_type", "user" } } }
local FOLD = { { kind = "state", names = { "n", "total" } }, ROW[1] }

local function check(text, args)
   local box = sandbox.new { folder = "", print = print, add_text = print }
   local fn = assert(box.load(text, "rides.lua"))()
   local options = { globals = box.globals, what = "filter", args = args or ROW }
   return inspect.check(fn, options)
end

describe("inspect", function()
   after_each(function()
      local of_strings = debug.getmetatable("")
      of_strings.__index = string
      of_strings.__metatable = nil
   end)

   it("passes an ordinary function", function()
      assert.same({}, check [[
         local limit, names = 3, { a = true }
         local function half(x) return x / 2 end
         return function(row)
            local best = 0
            local function better(x) if x > best then best = x end end
            for i = 1, 3 do better(half(i)) end
            return row.amount and math.floor(row.amount) > limit or names[row.user]
         end]])
   end)

   it("names the nearest global and its line", function()
      local problems = check [[
         return function(row)
            return maths.floor(row.amount) end]]
      assert.same({ "rides.lua:2: filter: unknown global `maths`: did you mean `math`?" },
         problems)
   end)

   it("says why os is not there", function()
      local problems = check [[return function(row) return os.time() end]]
      assert.matches("rides.lua:1: filter: os is not available", problems[1], 1, true)
   end)

   it("looks into closures and the functions that are called", function()
      local problems = check [[
         local function helper(x) return mth.abs(x) end
         function shared(x) return tabel.concat(x) end
         local module = { used = function() return strng.rep("a", 2) end,
                          unused = function() return nothing end }
         return function(row)
            local function inner() return bitt.band(1, 2) end
            return helper(row.amount) and inner() and shared() and module.used()
         end]]
      assert.equal(4, #problems)
      local all = table.concat(problems, "\n")
      for _, name in ipairs { "`mth`", "`tabel`", "`strng`", "`bitt`" } do
         assert.matches(name, all, 1, true)
      end
   end)

   it("names the nearest field", function()
      local problems = check [[
         return function(ride)
            return ride.amuont > 3
         end]]
      local wanted = "rides.lua:2: filter: unknown field `amuont`: did you mean `amount`?"
      assert.same({ wanted }, problems)
   end)

   it("leaves alone what is not certainly the row", function()
      assert.same({}, check [[
         return function(row)
            local other = { amuont = 1 }
            if row.amount then return other.amuont end
            row = other
            return row.amuont
         end]])
   end)

   it("knows the state of a fold", function()
      assert.same({
         "rides.lua:2: filter: unknown member of the state `totl`: did you mean `total`?",
         "rides.lua:3: filter: unknown field `amuont`: did you mean `amount`?" }, check([[
         return function(state, row)
            state.totl = state.total + 1
            state.n = row.amuont
         end]], FOLD))
   end)

   it("refuses a change to a row", function()
      local problems = check [[return function(row) row.amount = 1 end]]
      local wanted = "rides.lua:1: filter: a row cannot be changed: `amount` is assigned"
      assert.matches(wanted, problems[1], 1, true)
   end)

   it("refuses state kept in upvalues, of any kind of value", function()
      for _, value in ipairs { "count + 1", "'text'", "1", "nil", "true", "{}" } do
         local problems = check(([[
            local count = 0
            return function(row)
               count = %s
            end]]):format(value))
         assert.equal(1, #problems)
         local wanted = "rides.lua:3: filter: `count` is assigned, which lies outside"
         assert.matches(wanted, problems[1], 1, true)
      end
   end)

   it("refuses an upvalue assigned from a function inside", function()
      local problems = check [[
         local count = 0
         return function(row)
            local own = 0
            local function inner() own = own + 1; count = count + 1 end
            return inner()
         end]]
      assert.equal(1, #problems)
      assert.matches("rides.lua:4: filter: `count`", problems[1], 1, true)
   end)

   it("refuses an assigned global", function()
      local problems = check [[return function(row) count = 1 end]]
      local wanted = "rides.lua:1: filter: the global `count` is assigned"
      assert.matches(wanted, problems[1], 1, true)
   end)

   it("takes functions of the library as they are", function()
      assert.same({}, check [[return tostring]])
   end)
end)
