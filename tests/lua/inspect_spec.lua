local inspect = require "sluice.check.inspect"
local sandbox = require "sluice.sandbox"
local schema = require "sluice.schema"

local ROW = { { kind = "row", names = { "amount", "event_type", "user" } } }
local FOLD = { { kind = "state", names = { "n", "total" } }, ROW[1] }

local TYPED = schema.new {
   { name = "amount", type = "double", slot = 1 },
   { name = "user", type = "string", slot = 2 },
}

local TYPED_ROW = { kind = "row", names = ROW[1].names, schema = TYPED }

local function check(text, args, must_give)
   local box = sandbox.new { folder = "", print = print, add_text = print }
   local fn = assert(box.load(text, "rides.lua"))()
   local options = { globals = box.globals, what = "filter", args = args or ROW,
      must_give = must_give }
   return inspect.check(fn, options)
end

-- One problem, at line 3, that holds a text.
local function refuses(wanted, text, args)
   local problems = check(text, args)
   assert.equal(1, #problems, text .. "\n" .. table.concat(problems, "\n"))
   assert.matches("rides.lua:3: filter: " .. wanted, problems[1], 1, true)
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

   it("refuses state kept in the table of an upvalue or a global", function()
      for _, body in ipairs { "seen[row.user] = true", "seen.last = row.user",
            "seen[1] = row.user", "local own = seen own.last = 1", "seen.users.a = 1",
            "seen[row.user][1] = 2", "table.insert(seen, row.user)",
            "table.remove(seen)", "table.sort(seen)", "rawset(seen, 1, 2)",
            "put(seen, 1)",
            "local function inner() seen.a = 1 end return inner()",
            "local s = seen[row.user] if s then s.n = s.n + 1 end",
            "seen[1], seen[2] = row.user, 2", "shared.a = 1",
            "for i = 1, 2 do seen[i] = row.user end" } do
         local name = body:find "shared" and "shared" or "seen"
         refuses(("`%s` is changed, which lies outside"):format(name), ([[
            shared = {} local seen, put = { users = {} }, table.insert
            return function(row)
               %s
            end]]):format(body))
      end
   end)

   it("lets constant tables be read, and tables of the function be written", function()
      for _, body in ipairs { "return rates[row.user] or rates.other or rates[1]",
            "local t = { a = 1 } t.a = rates.a t[1] = 2 table.insert(t, rates[1])",
            "local t = rates if row.amount then t = {} t.a = 1 end return t",
            "local t = {} if row.user then t = rates return t.a end t.a = 1",
            "local t = {} local function add(x) t[#t + 1] = x end add(rates.a)",
            "for k, v in pairs(rates) do local t = {} t[k] = v end return #rates",
            "return table.concat(rates, ',')", "return { unpack(rates) }",
            "local t = rates.make() t.a = 1 return t" } do
         assert.same({}, check(([[
            local rates = { a = 1, make = function() return { 1 } end }
            return function(row) %s end]]):format(body)), body)
      end
   end)

   it("names the nearest member of a library", function()
      for text, wanted in pairs {
            ["string.fomat('a')"] =
               "there is no `string.fomat`: did you mean `string.format`?",
            ["math.rond(row.amount)"] = "there is no `math.rond`",
            ["bit.bnd(1, 2)"] = "there is no `bit.bnd`: did you mean `bit.band`?",
            ["json.encod(1)"] =
               "there is no `cjson.encod`: did you mean `cjson.encode`?",
            ["m.flor(1)"] = "there is no `math.flor`: did you mean `math.floor`?",
            ["('a'):repp(2)"] =
               "this is text, which has no method `repp`: did you mean `rep`?",
            ["row.user:foo()"] = "`user` is text, which has no method `foo`",
            ["row.amount:foo()"] = "`amount` is a double: it has no `foo`",
            ["math.randomseed(3)"] = "math.randomseed is not available in scripts",
            ["seed(3)"] = "math.randomseed is not available in scripts",
            } do
         refuses(wanted, ([[
            local json, m, seed = require "cjson", math, math.randomseed
            return function(row)
               return %s
            end]]):format(text), { TYPED_ROW })
      end
   end)

   it("lets members of libraries be asked for and used", function()
      assert.same({}, check([[
         local json, m = require "cjson", math
         return function(row)
            local join = table.join or table.concat
            return join({ m.floor(row.amount), row.user:upper(), ("x"):rep(2) },
               json.null)
         end]], { TYPED_ROW }))
   end)

   it("refuses what must give a value and never does", function()
      local nothing = { "rides.lua:1: filter: gives nothing: forgotten `return`?" }
      for text, wanted in pairs { ["row.amount = row.amount"] = false,
            ["local x = row.amount > 1"] = nothing, [""] = nothing,
            ["if row.amount then return end"] = nothing, ["error('no')"] = {},
            ["if row.amount then return true end"] = {}, ["return"] = nothing,
            ["return tostring(row)"] = {}, ["return nil"] = {} } do
         text = "return function(row) " .. text .. "\nend"
         if wanted then assert.same(wanted, check(text, ROW, true), text) end
         if wanted == nothing then assert.same({}, check(text)) end
      end
   end)

   it("refuses an assigned global", function()
      local problems = check [[return function(row) count = 1 end]]
      local wanted = "rides.lua:1: filter: the global `count` is assigned"
      assert.matches(wanted, problems[1], 1, true)
   end)

   it("says what to write where a row is handed over as a table", function()
      local rows = { TYPED_ROW, { kind = "emit", names = {} } }
      for call, wanted in pairs {
            ["pairs(row)"] = "`pairs` cannot take it; name its fields, as in "
               .. "`row.amount`",
            ["print(row)"] = "`print` cannot take it",
            ["cjson.encode(row)"] = "`encode` cannot take it; write a table of its "
               .. "fields, as in { amount = row.amount }",
            ["emit(row)"] = "`emit` cannot take it; write a table" } do
         local text = "local cjson = require 'cjson'\nreturn function(row, emit)\n"
            .. "local x = " .. call .. " return x end"
         refuses("a row is no table: " .. wanted, text, rows)
      end
      assert.same({}, check([[local cjson = require "cjson"
         return function(row, emit)
            emit { amount = row.amount }
            print(tostring(row), row.amount)
            return cjson.encode { amount = row.amount } end]], rows))
   end)

   it("looks at the constants that helpers are called with", function()
      local sluice = require "sluice"
      for call, wanted in pairs {
            ['format(row.amount, "yyyy")'] = 'the format "yyyy" has no %',
            ['parse(row.user, "%Y", ZONE)'] = 'time.parse: unknown zone "Utopia"',
            ['floor(row.amount, "DAY")'] = 'did you mean "day"?',
            ['floor(row.amount, "day", "Europe/Berln")'] = "unknown zone" } do
         local text = "local sluice, ZONE = require 'sluice', 'Utopia'\n"
            .. "return function(row)\nreturn sluice.time." .. call .. " end"
         local box = sandbox.new { folder = "", print = print, add_text = print,
            modules = { sluice = sluice } }
         local fn = assert(box.load(text, "rides.lua"))()
         local problems = inspect.check(fn, { globals = box.globals, what = "filter",
            args = ROW })
         assert.equal(1, #problems, call)
         assert.matches("^rides.lua:3: filter: sluice.time", problems[1])
         assert.matches(wanted, problems[1], 1, true)
      end
   end)

   local typed = schema.new {
      { name = "amount", type = "double", slot = 1 },
      { name = "user", type = "string", slot = 2 },
      { name = "ok", type = "bool", slot = 3 },
      { name = "day", type = "date", slot = 4 },
      { name = "stops", type = "list", slot = 5, shape = { item = { type = "string" } } },
   }
   local typed_row = { { kind = "row", schema = typed, names = { "amount", "user", "ok",
      "day", "stops" } } }

   -- What is doubtful in a condition, or a function's body, and what is refused.
   local function look(condition, is_body, once)
      local box = sandbox.new { folder = "", print = print, add_text = print }
      local fn = assert(box.load("local null, three = require('sluice').null, 3\n"
         .. "return function(row) " .. (is_body and "" or "return ") .. condition
         .. " end", "rides.lua"))()
      local doubts = {}
      local refused = inspect.check(fn, { globals = box.globals, what = "filter",
         args = typed_row, once = once, add = function(name, at, text, ...)
            doubts[#doubts + 1] = name .. " " .. at .. " " .. text:format(...)
         end })
      return table.concat(doubts, "\n"), table.concat(refused, "\n")
   end

   it("tells what is not compiled (W33)", function()
      for body, wanted in pairs {
            ['return row.user:match "%d"'] = "string.match is not compiled (sluice.text",
            ['return string.gsub(row.user, "a", "b")'] = "string.gsub is not compiled",
            ['return row.user:find "a."'] = "string.find is not compiled",
            ["local t = {} table.insert(t, 1, 2) return t"] = "table.insert is not",
            ["return (function() return row end)()"] = "a function is made for each row",
            } do
         local doubts, refused = look(body, true)
         assert.equal("", refused)
         assert.matches("^not%-compiled!? rides.lua:2 filter: ", doubts)
         assert.matches(wanted, doubts, 1, true)
      end
   end)

   it("tells nothing of what is compiled, or not called for each row", function()
      for _, body in ipairs { 'return row.user:find("a.", 1, true)',
            'return row.user:find "abc"', "return row.user:sub(1, 3)",
            "local t = {} table.insert(t, 2) return t" } do
         assert.equal("", (look(body, true)))
      end
      assert.equal("", (look("return function() return row end", true, true)))
   end)

   it("doubts a field that is compared with another type (W28)", function()
      for condition, wanted in pairs {
            ['row.amount == "38"'] = '`amount` is a double, never equal to "38"',
            ['row.amount ~= "x"'] = "write a number",
            ["row.user == 3"] = '`user` is text, never equal to 3: write "3", or',
            ["not row.amount == 3"] = "`not …` is true or false, never",
            ["row.user ~= null"] = "`user` is never sluice.null: null is nil",
            ["three == row.user"] = "never equal to 3",
            ["row.amount == true"] = "never equal to true",
            ['row.day == "2024-05-01"'] = 'write sluice.time.days "2024-05-01"' } do
         local doubts, refused = look(condition)
         assert.equal("", refused)
         assert.matches("^never%-equal rides.lua:2 filter: ", doubts)
         assert.matches(wanted, doubts, 1, true)
      end
   end)

   it("does not doubt what can be equal", function()
      for _, condition in ipairs { 'row.user == "3"', "row.amount == 3",
            "row.ok == false", "row.amount ~= nil",
            "(row.amount or 'x') == 'x'", "row.amount == three",
            "tostring(row.amount) == '3'", "not row.ok == true", "row.stops[1] == 'a'",
            "row.user > 'b'", "row.user ~= row.stops[1]" } do
         assert.same({ "", "" }, { look(condition) }, condition)
      end
   end)

   it("refuses text in order with a number, and places from 0", function()
      local _, refused = look "row.user > 3"
      assert.matches("rides.lua:2: filter: `user` is text, and is compared with a number",
         refused, 1, true)
      _, refused = look "3 <= row.user"
      assert.matches("`user` is text", refused, 1, true)
      _, refused = look 'row.stops[0] == "a"'
      assert.equal("rides.lua:2: filter: `stops[0]` is always nil: the first element is "
         .. "[1]", refused)
   end)

   it("takes functions of the library as they are", function()
      assert.same({}, check [[return tostring]])
   end)
end)

describe("state that is handed to a helper", function()
   local STATE = [[
      local totals, limits = { inner = {} }, { most = 3 }
      local function remember(into, key) into[key] = (into[key] or 0) + 1 end
      local function deep(into, key) remember(into.inner, key) end
      local function only_reads(from, key) return from[key] end
      local function own(key) local made = {} remember(made, key) return made end
      return function(row)
         %s
         return true
      end]]

   local function look(body) return check(STATE:format(body)) end

   it("is refused where the helper changes it", function()
      local problems = look "remember(totals, row.user)"
      assert.equal(1, #problems)
      assert.matches("^rides.lua:2: filter: `totals` is changed, which lies outside",
         problems[1])
      assert.equal(1, #look "do return remember(totals, row.user) end")
   end)

   it("is refused through two helpers", function()
      local problems = look "deep(totals, row.user)"
      assert.matches("`totals` is changed", problems[1], 1, true)
   end)

   it("passes what only reads, and what changes its own tables", function()
      assert.same({}, look "only_reads(limits, row.user)")
      assert.same({}, look "own(row.user)")
   end)
end)
