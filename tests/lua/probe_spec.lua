local aggregate = require "sluice.aggregate"
local probe = require "sluice.check.probe"
local schema = require "sluice.schema"
local sluice = require "sluice"

local ROWS = schema.new {
   { name = "id", type = "string", slot = 1 },
   { name = "amount", type = "double", slot = 2, nullable = true },
   { name = "tip", type = "double", slot = 3, nullable = true },
   { name = "total", type = "int64", exact = true, slot = 4 },
}
local ROW = { kind = "row", schema = ROWS, names = schema.names(ROWS), fields = {} }

local function check(text, args)
   local fn = assert(load("return " .. text, "@rides.lua"))()
   args = args or { ROW }
   return probe.check { fn = fn, what = "filter", line = "rides.lua:1", args = args }
end

describe("probe", function()
   it("passes what copes with nil", function()
      local refused, warning = check [[function(row)
         return row.id ~= "b" and (row.amount or 0) > 3 and row.total >= 0 end]]
      assert.is_nil(refused)
      assert.is_nil(warning)
   end)

   it("refuses what throws on nil, and names the field", function()
      local refused = check "function(row)\n return row.amount > 3 end"
      assert.equal("rides.lua:2: filter: attempt to compare number with nil; "
         .. "`amount` can be nil: guard it, or declare :required()", refused)
   end)

   it("names all fields that were nil", function()
      local refused = check [[function(row)
         local a, b = row.amount, row.tip return a + b end]]
      assert.matches("`amount`, `tip` can be nil: guard them", refused, 1, true)
   end)

   it("refuses a field that is not there, on the way that rows take", function()
      local refused = check [[function(row) local other = row return other.tipp end]]
      local wanted = "rides.lua:1: filter: unknown field `tipp`: did you mean `tip`?"
      assert.matches(wanted, refused, 1, true)
   end)

   it("refuses a change to a row", function()
      local refused = check [[function(row) local other = row other.tip = 1 end]]
      assert.matches("a row cannot be changed", refused, 1, true)
   end)

   it("only warns of what throws on the made-up row as well", function()
      local refused, warning = check [[function(row) return row.id:match("x%d+") + 1 end]]
      assert.is_nil(refused)
      local wanted = "rides.lua:1: filter: attempt to perform arithmetic"
      assert.matches(wanted, warning, 1, true)
   end)

   local function check_gives(text, gives)
      local fn = assert(load("return " .. text, "@rides.lua"))()
      local refused = probe.check { fn = fn, what = "derive `x`", line = "rides.lua:1",
         args = { ROW }, gives = gives }
      return refused and refused:match "^rides.lua:1: derive `x`: (.*)$"
   end

   it("refuses what gives a value of another kind than its column", function()
      local refused = check_gives("function(row) return row.id end", { type = "double" })
      assert.equal("gives a string, wanted double or nil", refused)
      refused = check_gives("function(row) return row.tip ~= 1 end", { type = "int64" })
      assert.equal("gives a boolean, wanted int64 or nil", refused)
      for kind, text in pairs { double = "row.amount", int64 = "row.total", bool = "true",
            string = "row.id", timestamp = "nil" } do
         text = "function(row) return " .. text .. " end"
         assert.is_nil(check_gives(text, { type = kind }))
      end
   end)

   it("refuses a result that is no table of its fields", function()
      local gives = { fields = { { name = "lo", type = "double" },
         { name = "hi", type = "double" } } }
      assert.equal("gives a number, wanted a table of its fields, as in { lo = … }",
         check_gives("function() return 1, 2 end", gives))
      assert.equal("`hi` gives a boolean, wanted double or nil",
         check_gives("function() return { lo = 1, hi = true } end", gives))
      assert.is_nil(check_gives("function() return { hi = 2 } end", gives))
      assert.is_nil(check_gives("function() end", gives))
   end)

   it("refuses a field of a result that `returns` does not name", function()
      local gives = { fields = { { name = "per_itm", type = "double" } } }
      assert.equal("gives `per_item`, which `returns` does not name: did you mean "
         .. "`per_itm`?", check_gives("function() return { per_item = 1 } end", gives))
   end)

   it("looks at what a result gives of rows that were folded", function()
      local spec = aggregate.aggregate {
         state = { n = 0 }, fold = function(a) a.n = a.n + 1 end,
         result = function() end, returns = { sluice.double "per_itm" },
      }:resolve(ROWS, "tumbling").user
      local entry = { what = "result of `x`", line = "rides.lua:1", gives = spec,
         args = { { kind = "state", spec = spec, names = { "n" }, row = ROW },
            { kind = "window", names = { "start", "stop" } } } }
      entry.fn = load [[return function(a)
         if a.n == 0 then return nil end return { per_item = a.n } end]] ()
      assert.matches("gives `per_item`", (probe.check(entry)), 1, true)
      entry.fn = function(a) return { per_itm = a.n } end
      assert.is_nil((probe.check(entry)))
   end)

   it("takes errors that are no text", function()
      local refused = check [[function(row) if not row.amount then error({}) end end]]
      assert.matches("rides.lua:1: filter: threw a table", refused, 1, true)
      refused = check [[function(row) if not row.amount then error { code = 7 } end end]]
      assert.equal("rides.lua:1: filter: threw a table { code = 7 }", refused)
      refused = check [[function(row) if not row.amount then return row.kind * 2 end end]]
      assert.not_matches("can be nil", refused, 1, true)
      refused = check [[function(row) if not row.amount then error(nil) end end]]
      assert.matches("rides.lua:1: filter: threw a nil", refused, 1, true)
   end)

   it("runs folds on the state they begin with", function()
      local spec = aggregate.aggregate {
         state = { n = 0, last = "double[2]" },
         init = function(a) a.n = 7 end,
         fold = function(a) a.n = a.n + 1 end,
         result = function(a) return a.n end,
      }:resolve(ROWS, "tumbling").user
      local state = { kind = "state", spec = spec, names = { "n", "last" } }
      local window = { kind = "window", names = { "start", "stop" } }
      assert.is_nil((check([[function(a, row)
         assert(a.n == 7) a.last[1] = row.amount or 0 end]], { state, ROW })))
      assert.matches("`amount` can be nil", (check([[function(a, row)
         a.n = a.n + row.amount end]], { state, ROW })))
      assert.is_nil((check("function(a, w) return a.n / (w.stop - w.start) end",
         { state, window })))
   end)

   -- The aggregate's function of a name, looked at.
   local function check_state(name, text)
      local functions_of = { fold = load "return function(s) s.n = s.n + 1 end" (),
         merge = load "return function(a, b) a.n = a.n + b.n end" () }
      functions_of[name] = assert(load("return " .. text, "@rides.lua"))()
      local spec = aggregate.aggregate { state = { n = 0 }, init = functions_of.init,
         fold = functions_of.fold, merge = functions_of.merge,
         result = function(s) return s.n end }:resolve(ROWS, "tumbling").user
      local state = { kind = "state", spec = spec, names = { "n" }, row = ROW }
      local args = { fold = { state, ROW }, merge = { state, state }, init = { state } }
      return (probe.check { fn = functions_of[name], what = name, line = "rides.lua:1",
         args = args[name] })
   end

   it("refuses a fold, merge or init that gives a state and changes none", function()
      for name, text in pairs {
            fold = "function(s, row) return { n = s.n + 1 } end",
            merge = "function(s, b) return s.n + b.n end",
            init = "function(s) return { n = 3 } end" } do
         local refused = check_state(name, text)
         assert.matches("^rides.lua:1: " .. name .. ": gives a %a+ that nobody takes",
            refused)
         assert.matches("change `s` in place, as in `s.n = …`", refused, 1, true)
      end
   end)

   it("passes a fold or merge that changes its state, whatever it gives", function()
      assert.is_nil(check_state("fold", "function(s, row) s.n = s.n + 1 return s end"))
      assert.is_nil(check_state("merge", "function(a, b) a.n = a.n + b.n return a end"))
      assert.is_nil(check_state("merge", "function(a, b) a.n = b.n return a.n end"))
      assert.is_nil(check_state("merge", "function(a, b) end"))
   end)

   it("refuses a flat_map that gives its rows", function()
      local args = { ROW, { kind = "emit", names = {}, fields = ROWS.columns } }
      for _, text in ipairs { "{ id = row.id }", "{ { id = row.id } }" } do
         assert.equal("rides.lua:1: filter: gives a table that nobody takes: call emit "
            .. "{ name = value } for each row",
            (check("function(row) return " .. text .. " end", args)))
      end
      assert.is_nil((check("function(row, emit) return emit { id = row.id } end", args)))
      assert.is_nil((check("function(row, emit) return row.tip and emit {} end", args)))
   end)

   it("refuses what takes a row for a table, in a helper too", function()
      for _, text in ipairs { "for k in pairs(r) do return k end", "return next(r)",
            "return require('cjson').encode(r)", "return unpack(r)" } do
         local refused = check("function(row) local function f(r) " .. text
            .. " end return f(row) end")
         assert.matches("a row is no table: name its fields", refused, 1, true)
      end
   end)

   it("refuses a field that no struct of the list has", function()
      local item = { type = "struct", shape = { fields = {
         { name = "sku", type = "string" }, { name = "qty", type = "int32" } } } }
      local columns = schema.new { { name = "items", type = "list", slot = 1,
         shape = { item = item } } }
      local args = { { kind = "row", schema = columns, names = { "items" },
         fields = {} } }
      local refused = check([[function(row)
         for _, it in ipairs(row.items or {}) do if it.skuu then return true end end
      end]], args)
      assert.equal("rides.lua:2: filter: the struct has no field `skuu`: did you mean "
         .. "`sku`?", refused)
      assert.is_nil((check([[function(row)
         for _, it in ipairs(row.items or {}) do if it.sku then return true end end
      end]], args)))
   end)

   it("leaves alone what it cannot call", function()
      local entry = { fn = error, what = "fold_batch", line = "rides.lua:1" }
      assert.is_nil((probe.check(entry)))
   end)
end)

describe("probe behind other stages", function()
   local analyse = require "sluice.analyse"
   local check_view = require "sluice.check.view"
   local functions = require "sluice.check.functions"
   local kit = require "tests.lua.kit"
   local sandbox = require "sluice.sandbox"
   local warnings = require "sluice.check.warnings"

   -- What is refused and what is warned of in a stream of rides.
   local function look(make)
      local graph = analyse.graph(kit.pipeline(make(kit.timed())))
      local box = sandbox.new { folder = "", print = print, add_text = print }
      local list, found = functions.of(graph), warnings.new()
      for _, entry in ipairs(list) do debug.setfenv(entry.fn, box.globals) end
      local refused = check_view.check_functions(list, box.globals, found,
         function() end)
      return table.concat(refused, "\n"), found.list
   end

   local function out(stream) return stream:to(kit.sink()) end

   it("does not ask to guard what a filter has removed", function()
      local refused, found = look(function(rides)
         return out(rides:filter(function(r) return r.amount ~= nil end)
            :derive { twice = sluice.double(function(r) return r.amount * 2 end) }
            :filter(function(r) return r.twice > 3 end))
      end)
      assert.equal("", refused)
      assert.same({}, found)
   end)

   it("asks where the filter lets a null through", function()
      local refused = look(function(rides)
         return out(rides:filter(function(r) return r.event_type ~= "x" end)
            :derive { twice = sluice.double(function(r) return r.amount * 2 end) })
      end)
      assert.matches("derive `twice`: attempt to perform arithmetic", refused, 1, true)
      assert.matches("`amount` can be nil: guard it", refused, 1, true)
   end)

   it("tries the text and numbers that functions compare with", function()
      local refused = look(function(rides)
         return out(rides:filter(function(r) return r.event_type == "end" end)
            :filter(function(r) return r.ts > 1000000 end)
            :filter(function(r) return r.amount > 3 end))
      end)
      assert.matches("`amount` can be nil: guard it", refused, 1, true)
   end)

   it("says nothing of what no made-up row reaches", function()
      local refused, found = look(function(rides)
         return out(rides:filter(function(r) return #r.event_id == 36 end)
            :filter(function(r) return r.amount > 3 end))
      end)
      assert.equal("", refused)
      assert.same({}, found)
   end)

   it("does not warn of text that need only be a number", function()
      local refused, found = look(function(rides)
         return out(rides:filter(function(r) return tonumber(r.event_id) > 3 end))
      end)
      assert.equal("", refused)
      assert.same({}, found)
   end)

   it("tries rows of the source's own events", function()
      local made = sluice.generator { count = 9, row = function(i)
         return { id = ("ride-%d"):format(i), n = i } end }
         :rows { sluice.string "id" :required(), sluice.double "n", sluice.double "m" }
      local refused, found = look(function()
         return out(made:filter(function(r) return r.id:sub(1, 5) == "ride-" end)
            :filter(function(r) return r.m > 3 end))
      end)
      assert.matches("`m` can be nil: guard it", refused, 1, true)
      assert.same({}, found)
      refused = look(function()
         local read = sluice.kafka { topics = "a", events = { { id = "x-1" } } }
            :json { sluice.string "id" :required(), sluice.double "m" }
         return out(read:filter(function(r) return r.id:sub(1, 2) == "x-" end)
            :filter(function(r) return #r.id == 3 and r.m > 3 end))
      end)
      assert.matches("`m` can be nil: guard it", refused, 1, true)
   end)

   it("tries no constants on what may never come back", function()
      local refused = look(function(rides)
         return out(rides:filter(function(r)
            while r.event_type == "stuck" do end
            return true
         end))
      end)
      assert.equal("", refused)
   end)

   it("finds fields that are not there behind what it cannot pass", function()
      local refused = look(function(rides)
         return out(rides:filter(function(r) return #r.event_id == 36 end)
            :filter(function(r) local other = r return other.amuont == 3 end))
      end)
      assert.matches("did you mean `amount`", refused, 1, true)
   end)

   it("follows derived columns, and folds behind filters", function()
      local refused, found = look(function(rides)
         return rides
            :derive { safe = sluice.double(function(r) return r.amount or 0 end) }
            :filter(function(r) return r.event_type ~= nil end)
            :group_by "event_type":window(sluice.tumbling { size = 1000 })
            :aggregate { n = sluice.count():where(function(r)
               return #r.event_type > 0 and r.safe >= 0 end) }
            :to(kit.sink "update")
      end)
      assert.equal("", refused)
      assert.same({}, found)
   end)

   it("looks at the type of what an aggregate of one's own gives of rows", function()
      local refused = look(function(rides)
         return rides:window(sluice.tumbling { size = 1000 }):aggregate {
            kinds = sluice.aggregate { state = { n = 0 },
               fold = function(a) a.n = a.n + 1 end,
               result = function(a)
                  if a.n > 0 then return "n " .. a.n end
               end },
         }:to(kit.sink "update")
      end)
      assert.matches("result of `kinds`: gives a string, wanted double or "
         .. "nil", refused, 1,
         true)
   end)

   it("warns when one null alone breaks it", function()
      local refused, found = look(function(rides)
         return out(rides:filter(function(r)
            return r.amount and r.amount > #r.event_type end))
      end)
      assert.equal("", refused)
      assert.equal("W21", found[1].code)
      assert.matches("`event_type` can be nil", found[1].text, 1, true)
   end)

   it("says nothing of made-up text that is no JSON", function()
      local cjson = require "cjson"
      local refused, found = look(function(rides)
         return out(rides:filter(function(r)
            return cjson.decode(r.event_type or "{}").paid == true end))
      end)
      assert.equal("", refused)
      assert.same({}, found)
   end)

   it("warns of a filter that gives a number (W25)", function()
      local refused, found = look(function(rides)
         return out(rides:filter(function(r) return r.amount end))
      end)
      assert.equal("", refused)
      assert.equal("W25", found[1].code)
      assert.matches("every number passes, 0 too", found[1].text, 1, true)
   end)
end)
