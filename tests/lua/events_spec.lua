local cjson = require "cjson"
local events = require "sluice.events"

local NOW = 1700000000000

local function source(fields, rest)
   local of = rest or {}
   of.name, of.fields = "rides", fields
   for _, field in ipairs(fields) do
      field.from = field.from or { kind = "value", path = { field.name } }
   end
   return of
end

local function many(of, count)
   local list = {}
   for i = 0, count - 1 do list[i + 1] = cjson.decode(events.make(of, i, 42, NOW)) end
   return list
end

describe("events", function()
   it("are the same for the same seed and number", function()
      local of = source { { name = "amount", type = "double" } }
      assert.equal(events.make(of, 3, 42, NOW), events.make(of, 3, 42, NOW))
      local texts = {}
      for i = 1, 50 do texts[events.make(of, i, 42, NOW)] = true end
      local kinds = 0
      for _ in pairs(texts) do kinds = kinds + 1 end
      assert.is_true(kinds > 30)
   end)

   it("have values of every type", function()
      local of = source {
         { name = "m", type = "decimal", shape = { precision = 6, scale = 2 },
            required = true, range = { "1.00", "2.00" } },
         { name = "d", type = "date", required = true, range = { 0, 10 } },
         { name = "y", type = "bytes", required = true, one_of = { "hi" } },
         { name = "l", type = "list", required = true,
            shape = { item = { type = "date" } } },
         { name = "p", type = "map", required = true,
            shape = { item = { type = "bytes" } } },
         { name = "s", type = "struct", required = true, shape = { fields = {
            { name = "a", type = "decimal", shape = { precision = 3, scale = 3 },
               required = true },
            { name = "b", type = "timestamp", unit = "iso", required = true } } } },
      }
      for _, event in ipairs(many(of, 100)) do
         local price = tonumber(event.m)
         assert.is_true(price >= 1 and price <= 2 and #event.m == 4)
         assert.matches("^1970%-01%-[01]%d$", event.d)
         assert.equal("aGk=", event.y)
         for _, day in ipairs(event.l) do
            assert.is_true(day == cjson.null or day:find "^2023%-11%-%d%d$" ~= nil)
         end
         assert.equal("table", type(event.p))
         assert.matches("^0%.%d%d%d$", event.s.a)
         assert.matches("Z$", event.s.b)
      end
   end)

   it("keep to the schema", function()
      local of = source({
         { name = "event_id", type = "string", required = true },
         { name = "kind", type = "string", one_of = { "start", "end" }, required = true },
         { name = "seats", type = "int32", range = { 1, 4 }, required = true },
         { name = "fare", type = "double", range = { 0.5, 2 }, required = true },
         { name = "open", type = "bool", required = true },
         { name = "x", type = "int64", required = true, from = { kind = "value",
            path = { "at", "x" } } },
         { name = "key", type = "string", from = { kind = "key" } },
         { name = "ts", type = "int64", required = true },
      }, { time = { field = "ts", unit = "ms" } })
      for i, event in ipairs(many(of, 200)) do
         assert.equal("event-" .. i - 1, event.event_id)
         assert.is_true(event.kind == "start" or event.kind == "end")
         assert.is_true(event.seats >= 1 and event.seats <= 4 and event.seats % 1 == 0)
         assert.is_true(event.fare >= 0.5 and event.fare <= 2)
         assert.is_boolean(event.open)
         assert.is_number(event.at.x)
         assert.is_nil(event.key)
         assert.is_true(event.ts <= NOW and event.ts > NOW - 5000)
      end
   end)

   it("have nulls now and then where fields may be null", function()
      local nulls = 0
      local of = source { { name = "a", type = "double" },
         { name = "b", type = "double", required = true } }
      for _, event in ipairs(many(of, 1000)) do
         if event.a == cjson.null then nulls = nulls + 1 end
         assert.is_number(event.b)
      end
      assert.is_true(nulls > 10 and nulls < 100)
   end)

   it("write times in the field's unit", function()
      local function times(unit)
         local field = { name = "t", type = "timestamp", unit = unit, required = true }
         return source { field }
      end
      local wanted = { ms = 13, us = 16, ns = 19 }
      for _, unit in ipairs { "ms", "us", "ns" } do
         local of = times(unit)
         local digits = events.make(of, 1, 1, NOW):match('{"t":(%d+)}')
         assert.equal(wanted[unit], #digits)
      end
      local text = events.make(times "iso", 1, 1, NOW)
      assert.matches('{"t":"2023%-11%-14T22:%d%d:%d%d%.%d%d%dZ"}', text)
   end)

   it("come from the source's function or list", function()
      local of = source({}, { events = function(i, random)
         return { i = i, dice = random(1, 6), a = "x" }
      end })
      assert.matches('^{"a":"x","dice":%d,"i":5}$', events.make(of, 5, 42, NOW))
      of.events = function(i) return "raw " .. i end
      assert.equal("raw 5", events.make(of, 5, 42, NOW))
      of.events = { { n = 1 }, { n = 2 } }
      assert.equal('{"n":2}', events.make(of, 3, 42, NOW))
      of.events = function() return 3 end
      assert.has_error(function() events.make(of, 0, 42, NOW) end,
         "`events` of rides gives number for i = 0, wanted a table or text")
   end)
end)
