local driver_random = require "sluice.driver.random"
local events = require "sluice.events"
local kit = require "tests.lua.kit"
local library = require "sluice.library"
local sluice = require "sluice"

local refuses = kit.refuses

local function rows_of(name, count, options, seed)
   local all = {}
   for key, value in pairs(library.DEFAULTS) do all[key] = value end
   for key, value in pairs(options or {}) do all[key] = value end
   local random, reseed = driver_random.new(seed or 1)
   local make, rows = library.rows(name, all), {}
   for i = 0, count - 1 do
      reseed(i)
      rows[i + 1] = make(i, random)
   end
   return rows
end

local TYPES = { string = "string", double = "number", int32 = "number", int64 = "number" }

describe("events of the library", function()
   for _, name in ipairs { "rides", "clicks", "nexmark" } do
      it("fit their schema: " .. name, function()
         local fields = kit.graph(sluice.generator { events = name, count = 1 }
            :to(kit.sink())).sources[1].fields
         local declared = {}
         for _, field in ipairs(fields) do declared[field.name] = field end
         for _, row in ipairs(rows_of(name, 500)) do
            for key, value in pairs(row) do
               assert.equal(TYPES[declared[key].type], type(value))
            end
            for _, field in ipairs(fields) do
               assert.truthy(row[field.name] ~= nil or not field.required)
            end
         end
         assert.truthy(declared[library.EVENTS[name].time])
      end)

      it("are the same for the same seed: " .. name, function()
         assert.same(rows_of(name, 50), rows_of(name, 50))
         assert.not_same(rows_of(name, 50), rows_of(name, 50, {}, 2))
      end)
   end

   it("have Nexmark's proportions", function()
      local counts = { person = 0, auction = 0, bid = 0 }
      local people, auctions, last = {}, {}, 999
      for _, row in ipairs(rows_of("nexmark", 5000)) do
         counts[row.event_type] = counts[row.event_type] + 1
         if row.event_type == "person" then
            people[row.id] = true
         elseif row.event_type == "auction" then
            assert.equal(last + 1, row.id)
            last = row.id
            auctions[row.id] = true
            assert.truthy(people[row.seller])
            assert.truthy(row.reserve > row.initial_bid and row.expires > row.date_time)
         else
            assert.truthy(auctions[row.auction] and people[row.bidder])
         end
      end
      assert.same({ person = 100, auction = 300, bid = 4600 }, counts)
   end)

   it("go by pace, disorder, late and bad", function()
      local at = rows_of("rides", 10, { pace = 1, disorder = 0 })
      assert.equal(9000, at[10].ts - at[1].ts)
      local late, bad = 0, 0
      for _, row in ipairs(rows_of("rides", 1000, { pace = 1000000, disorder = 0,
         late = 0.2, late_by = 5000, bad = 0.1 })) do
         if row.ts < library.DEFAULTS.start - 4000 then late = late + 1 end
         if not row.user_id then bad = bad + 1 end
      end
      assert.truthy(late > 150 and late < 250)
      assert.truthy(bad > 70 and bad < 130)
   end)

   it("bring their schema along", function()
      refuses(function() sluice.generator { events = "rides" }:rows {} end,
         "the fields are said already")
      refuses(function() sluice.generator { events = "taxis" } end, '"rides"')
      refuses(function()
         kit.graph(sluice.generator { events = "rides", row = function() end }
            :to(kit.sink()))
      end, "write one of them")
      refuses(function()
         kit.graph(sluice.generator { row = function() end, late = 1 }
            :rows { sluice.int64 "a" }:to(kit.sink()))
      end, "`late` is of the library's `events`")
      local graph = kit.graph(sluice.generator { events = "clicks", rate = 5, count = 1 }
         :event_time("ts", { delay = 0 }):to(kit.sink()))
      assert.equal("clicks", graph.sources[1].name)
      assert.equal(5, graph.sources[1].options.pace)
   end)

   it("feed --embedded", function()
      local source = kit.graph(sluice.kafka { topics = "a", events = "rides" }
         :json { sluice.string "event_id" }:to(kit.sink())).sources[1]
      local text = events.make(source, 7, 1, 1700000000000)
      assert.truthy(text:find('"event_id":"e-7"', 1, true))
      assert.truthy(text:find('"ts":1[67]%d+'))
   end)
end)
