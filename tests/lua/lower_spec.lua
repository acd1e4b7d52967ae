local ffi = require "ffi"

local vectors = dofile "tests/lua/vectors.lua"

local analyse = require "sluice.analyse"
local lower = require "sluice.lower"
local lower_value = require "sluice.lower.value"
local sluice = require "sluice"

local C = ffi.C

local function text(of)
   return of.data ~= nil and ffi.string(of.data, of.len) or nil
end

local function names(columns, count)
   local list = {}
   for i = 0, count - 1 do list[i + 1] = text(columns[i].name) end
   return table.concat(list, " ")
end

local function lowered(...)
   local options = { name = "rides", trigger = "30 seconds", checkpoint = "none",
      workers = 2, ... }
   return lower.plan(analyse.graph(sluice.pipeline(options)), vectors.calls)
end

local function rides(fields)
   return sluice.kafka { topics = { "a", "b" }, max_records = 1000, start = "earliest",
      config = { ["fetch.min.bytes"] = "1" } }
      :json(fields or {
         sluice.string "kind" :one_of { "x", "y" }, sluice.double "amount" :range(0, 10),
         sluice.int64 "ts" :required(),
         sluice.int64 "big" :exact() :default "9007199254740993",
         sluice.timestamp("at", "us"):from "meta.at", sluice.string "key" :from_key(),
         sluice.string "trace" :from_header "t",
            sluice.int64 "pos" :from_metadata "offset",
      })
end

local function counts(mode)
   return rides():event_time("ts", { delay = "1 minute", idle = "never" })
      :filter(function(r) return r.kind ~= nil end)
      :derive { half = sluice.double(function(r) return r.amount and r.amount / 2 end) }
      :group_by { "kind", hour = sluice.int64(function(r) return r.ts / 3600000 end) }
      :window(sluice.hopping { size = "1 minute", every = "30 seconds",
         offset = "5 seconds" })
      :aggregate { n = sluice.count(), last = sluice.last "kind",
         half = sluice.sum "half" }
      :filter(function(r) return r.n > 1 end)
      :to(sluice.kafka { topic = "out", mode = mode or "update", final = true })
end

describe("a lowered plan", function()
   it("has the pipeline's options", function()
      local plan = lowered(counts()).plan
      assert.equal("rides", text(plan.name))
      assert.equal(tonumber(C.SL_INTERVAL), plan.trigger)
      assert.equal(30000, tonumber(plan.interval_ms))
      assert.same({ 1, 2, 1, 2 },
         { plan.source_count, plan.step_count, plan.aggregate_count, plan.sink_count })
      assert.same({ 64, 2 }, { plan.shards, plan.workers })
      assert.same({ 0, 1 }, { plan.sinks[0].is_side, plan.sinks[1].is_side })
      assert.equal(tonumber(C.SL_ON_ERROR_QUARANTINE), plan.on_error)
   end)

   it("has the source, its fields and its event time", function()
      local source = lowered(counts()).plan.sources[0]
      assert.equal("kafka", text(source.connector))
      assert.equal("json", text(source.format))
      assert.equal(8, source.field_count)
      assert.equal(1000, tonumber(source.max_records))
      assert.equal(1, source.quarantine)
      local fields = source.fields
      assert.same({ 2, "y" }, { fields[0].one_of_count, text(fields[0].one_of[1].text) })
      assert.same({ 1, 0, 10 }, { fields[1].has_range, fields[1].low, fields[1].high })
      assert.equal(1, fields[2].required)
      assert.equal(1, fields[3].column.exact)
      assert.equal("9007199254740993", text(fields[3].default_value.text))
      assert.same({ 2, "meta", "at" },
         { fields[4].path_count, text(fields[4].path[0]), text(fields[4].path[1]) })
      assert.equal(tonumber(C.SL_UNIT_US), fields[4].unit)
      assert.equal(tonumber(C.SL_FROM_KEY), fields[5].from)
      assert.same({ tonumber(C.SL_FROM_HEADER), "t" },
         { fields[6].from, text(fields[6].path[0]) })
      assert.equal(tonumber(C.SL_META_OFFSET), fields[7].metadata)
      assert.equal(fields[2].column.offset, source.time.column.offset)
      assert.same({ 1, 60000, -1 }, { source.time.has_watermark,
         tonumber(source.time.delay_ms), tonumber(source.time.idle_ms) })
   end)

   it("has steps with outputs, and what is lost with each function", function()
      local plan = lowered(counts()).plan
      local step, output = plan.steps[0], plan.steps[0].outputs[0]
      assert.same({ 1, 3, 1 }, { step.has_functions, step.node_count, step.output_count })
      for node = 0, 2 do assert.equal(1, step.node_outputs[node]) end
      assert.equal(tonumber(C.SL_TO_AGGREGATE), output.kind)
      assert.equal("kind hour", names(output.columns, output.column_count))
      output = plan.steps[1].outputs[0]
      assert.equal("kind hour window_start window_end half last n",
         names(output.columns, output.column_count))
      assert.equal("kind hour window_start", names(output.key, output.key_count))
      assert.equal(tonumber(C.SL_KEY_OBJECT), output.key_kind)
   end)

   it("has the aggregate: window, state, result rows", function()
      local made = lowered(counts())
      local one = made.plan.aggregates[0]
      assert.same({ tonumber(C.SL_WINDOW_HOPPING), 60000, 30000, 5000, 30000 },
         { one.window.kind, tonumber(one.window.size_ms), tonumber(one.window.every_ms),
            tonumber(one.window.offset_ms), tonumber(one.window.pane_ms) })
      assert.same({ tonumber(C.SL_UPDATE), 1, 1, 0 },
         { one.mode, one.final, one.has_retractions, one.user_code })
      assert.equal(made.states[1].size, one.state_size)
      assert.equal(0, one.state_size % 8)
      assert.equal(1, one.part_count)
      assert.equal(ffi.offsetof(made.states[1].ctype, "m2_value"), one.part_offsets[0])
      assert.equal("kind hour", names(one.group, one.group_count))
      assert.equal("final", text(one.final_column.name))
      assert.equal(one.row_size, made.steps[2].layout.size)
      assert.is_true(one.final_column.offset < one.row_size)
      assert.equal(1, one.step)
      assert.equal(-1, one.late)
   end)

   it("tells C what may throw in the fold", function()
      local function user_code(spec)
         local one = rides():event_time("ts", { delay = 0 })
            :window(sluice.tumbling { size = 1000 }):aggregate { a = spec }
            :to(sluice.kafka { topic = "out", mode = "append" })
         return lowered(one).plan.aggregates[0].user_code
      end
      local function mine(options)
         options.state, options.result = { n = 1 }, function(a) return a.n end
         return sluice.aggregate(options)
      end
      assert.equal(0, user_code(sluice.count()))
      assert.equal(1, user_code(sluice.count():where(function() return true end)))
      assert.equal(1, user_code(sluice.sum(function(r) return r.amount end)))
      assert.equal(1, user_code(mine { fold = function(a) a.n = 2 end }))
      assert.equal(2, user_code(mine { fold_batch = function() end }))
   end)

   it("gives drivers in the order of their numbers", function()
      local made = lowered(counts())
      local functions, about = made.drivers(ffi.new "sl_vector")
      local plan = made.plan
      assert.equal(4, #functions)
      assert.equal("prepare", about[plan.steps[0].driver + 1].what)
      assert.equal("fold", about[plan.steps[0].outputs[0].driver + 1].what)
      assert.equal("emit", about[plan.aggregates[0].emit_driver + 1].what)
      assert.equal("merge", about[plan.aggregates[0].merge_driver + 1].what)
      assert.equal(2, #about[plan.steps[0].driver + 1].loops)
   end)

   it("has panes sorted and merged before, where any grouping does", function()
      local function slides(options, spec)
         local one = rides():event_time("ts", { delay = 0 })
            :window(sluice.hopping(options)):aggregate { a = spec }
            :to(sluice.kafka { topic = "out", mode = "append" })
         local made = lowered(one)
         local into = made.plan.aggregates[0]
         local _, about = made.drivers(ffi.new "sl_vector")
         local what = into.slides == 1 and about[into.merge_driver + 1].what
         assert.equal(into.slides == 1 and "merge", what)
         return into.slides == 1
      end
      local minute = { size = "1 minute", every = "10 seconds" }
      assert.is_true(slides(minute, sluice.sum "amount"))
      assert.is_false(slides(minute, sluice.count_distinct "key"))
      assert.is_false(slides(minute, sluice.quantile("amount", 0.5)))
      assert.is_false(slides(minute, sluice.collect("amount", 3)))
      assert.is_false(slides(minute, sluice.variance "amount"))
      assert.is_false(slides(minute, sluice.top("amount", 3)))
      assert.is_true(slides({ size = "1 minute", every = "30 seconds" }, sluice.count()))
      assert.is_false(slides({ size = "1 minute", every = "1 minute" }, sluice.count()))
   end)

   it("starts states as users say", function()
      local spec = sluice.aggregate {
         state = { lo = math.huge, n = "int64" }, init = function(a) a.n = 5 end,
         fold = function(a) a.lo = 1 end, result = function(a) return a.lo end,
      }
      local one = rides():event_time("ts", { delay = 0 })
         :window(sluice.tumbling { size = 1000 }):aggregate { spec = spec }
         :to(sluice.kafka { topic = "out", mode = "append" })
      local made = lowered(one)
      local state = ffi.cast(ffi.typeof("$ *", made.states[1].ctype),
         made.plan.aggregates[0].state_init)
      assert.same({ math.huge, 5 }, { state.m1.lo, tonumber(state.m1.n) })
   end)

   it("has drivers for a generator and a function of event time", function()
      local stream = sluice.generator { count = 10, seed = 3,
         row = function(i, random) return { at = i, x = random(5) } end }
         :rows { sluice.double "at", sluice.int32 "x" }
         :event_time(function(r) return r.at end, { unit = "s", delay = 0 })
         :to(sluice.file { path = "-" })
      local made = lowered(stream)
      local source = made.plan.sources[0]
      local _, about = made.drivers(ffi.new "sl_vector")
      assert.equal("rows", about[source.rows_driver + 1].what)
      assert.equal("time", about[source.time.driver + 1].what)
      assert.equal(tonumber(C.SL_TIME_FUNCTION), source.time.kind)
      assert.equal(1, source.bounded)
      assert.is_nil(text(source.format))
      assert.same({ 0, 0 }, { made.plan.steps[0].has_functions,
         made.plan.steps[0].node_count })
   end)

   it("outlives collection", function()
      local made = lowered(counts())
      for _ = 1, 3 do
         collectgarbage()
         collectgarbage()
      end
      assert.equal("kind hour window_start window_end half last n",
         names(made.plan.steps[1].outputs[0].columns,
            made.plan.steps[1].outputs[0].column_count))
   end)
end)

describe("options", function()
   it("become trees: lists in order, names sorted", function()
      local memory = lower_value.new()
      local value = memory:value { "z", "a", name = { flag = true, count = 3 },
         also = false }
      assert.same({ tonumber(C.SL_TABLE), 4 }, { value[0].kind, value[0].item_count })
      local items = value[0].items
      assert.same({ "z", "a" }, { text(items[0].text), text(items[1].text) })
      assert.is_nil(text(items[0].name))
      assert.same({ "also", "name" }, { text(items[2].name), text(items[3].name) })
      assert.same({ tonumber(C.SL_FLAG), 0 }, { items[2].kind, items[2].number })
      local inner = items[3].items
      assert.same({ "count", 3, "flag", 1 }, { text(inner[0].name), inner[0].number,
         text(inner[1].name), inner[1].number })
   end)

   it("hold the text of a secret", function()
      local checker = require("sluice.secret").checker()
      local function value(name)
         return lower_value.new():value { password = checker.check(sluice.env(name)) }
      end
      local of = value("HOME")[0].items[0]
      assert.same({ "password", os.getenv "HOME" }, { text(of.name), text(of.text) })
      assert.error_matches(function() value "SLUICE_NO_SUCH" end,
         "a secret is missing: the environment variable SLUICE_NO_SUCH is not set")
   end)

   it("hold nothing that C cannot read", function()
      assert.error_matches(function() lower_value.new():value { x = print } end,
         "function")
   end)
end)
