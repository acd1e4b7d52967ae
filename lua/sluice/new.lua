--- What `sluice new NAME` writes: a commented pipeline that runs without a Kafka, and its
-- spec. The texts are held to what they say by tests: they load without a warning, and
-- the spec passes.
-- @module sluice.new

local new = {}

-- luacheck: push ignore 631
local PIPELINE = [=[
-- @NAME@: turnover of orders by country and minute.
--
--    sluice run @FILE@ --embedded         without a Kafka: made-up orders, a table
--    sluice try @FILE@ --embedded --watch results at every save; nothing is written
--    sluice test @SPEC@
--    sluice check @FILE@                  the plan, every option, what it risks
--    sluice run @FILE@                    with a Kafka: KAFKA_BROKERS=host:9092
--
-- `sluice schema infer TOPIC` drafts the schema from what a topic holds, `sluice help TOPIC`
-- explains any name below.
local sluice = require "sluice"

-- Where records come from, and what they look like. One that does not fit goes to the
-- quarantine, with the reason.
local orders = sluice.kafka { topics = "orders", start = "earliest" }
   :json {
      sluice.string "order_id" :required(),
      sluice.string "country" :one_of { "DE", "FR", "IT" },
      sluice.double "amount" :range(0, 10000),
      sluice.timestamp("at", "ms") :required(),
   }
   -- When it happened. `delay`: how long a record may come late. A longer one loses fewer,
   -- and results wait for it.
   :event_time("at", { delay = "10 seconds" })

-- An aggregate of one's own: numbers for a state, and three functions on them. Built in
-- are count, sum, avg, min, max and more: sluice help aggregates
local function spread(field)
   return sluice.aggregate {
      state = { low = math.huge, high = -math.huge },
      fold = function(state, row)
         local x = row[field] -- nil where it is null
         if x then
            state.low, state.high = math.min(state.low, x), math.max(state.high, x)
         end
      end,
      merge = function(a, b)
         a.low, a.high = math.min(a.low, b.low), math.max(a.high, b.high)
      end,
      result = function(state)
         if state.high >= state.low then return state.high - state.low end
      end,
   }
end

local turnover = orders
   :filter(function(order) return order.country ~= nil end)
   :group_by "country"
   :window(sluice.tumbling { size = "1 minute" })
   -- Positional columns come first, in their order.
   :aggregate {
      { orders = sluice.count() },
      { turnover = sluice.sum "amount" },
      { spread = spread "amount" },
   }
   -- `update`: a group's row again with each batch that touched it. `append`: once, when
   -- the window has closed.
   :to(sluice.kafka { topic = "turnover", mode = "update", create = true })

return sluice.pipeline {
   name = "@NAME@",
   trigger = "5 seconds",
   checkpoint = "none", -- "file:./checkpoints" keeps state and position over restarts
   turnover,
}
]=]

local SPEC = [=[
-- sluice test @SPEC@
-- No broker, no waiting: topics are in memory, the clock stands still unless told.
local test = require "sluice.test"

local NOON = 1777636800000 -- 2026-05-01 12:00 UTC

local function order(seconds, country, amount)
   return { order_id = "o-" .. seconds, country = country, amount = amount,
      at = NOON + seconds * 1000 }
end

describe("@NAME@", function()
   it("adds orders up by country and minute", function()
      local p = test.pipeline "@FILE@"
      p:batch { order(1, "DE", 10), order(20, "DE", 5), order(30, "FR", 7),
         order(61, "DE", 1) }
      assert.rows_match({
         { country = "DE", window_start = NOON, orders = 2, turnover = 15, spread = 5 },
         { country = "FR", window_start = NOON, orders = 1, turnover = 7, spread = 0 },
         { country = "DE", window_start = NOON + 60000, orders = 1, turnover = 1 },
      }, p:output())
   end)

   it("sets aside what does not fit the schema", function()
      local p = test.pipeline "@FILE@"
      p:batch { order(1, "DE", 10), { order_id = "o-2", country = "DE", amount = "ten",
         at = NOON } }
      assert.are.equal(1, #p:output())
      assert.are.equal("amount", p:quarantined()[1].field)
   end)

   it("does not care how orders arrive", function()
      local orders = {}
      for i = 1, 40 do orders[i] = order(i * 7, i % 3 == 0 and "DE" or "FR", i) end
      test.check_invariance("@FILE@", orders)
   end)
end)
]=]
-- luacheck: pop

--- The texts of a new pipeline.
-- @tparam string name of the pipeline; its file is NAME.lua
-- @treturn ?string script, nil when the name cannot be one
-- @treturn string spec, or what is wrong
function new.texts(name)
   if not name:match "^[%w][%w_-]*$" then
      return nil, ("`%s` is no name for a pipeline: wanted letters, digits, - and _, "
         .. "as in my-orders"):format(name)
   end
   local words = { NAME = name, FILE = name .. ".lua", SPEC = name .. "_spec.lua" }
   return (PIPELINE:gsub("@(%u+)@", words)), (SPEC:gsub("@(%u+)@", words))
end

--- The same for C.
-- @tparam string name
-- @tparam string which "script" or "spec"
-- @treturn ?string
-- @treturn ?string what is wrong
function new.text(name, which)
   local script, spec = new.texts(name)
   if not script then return nil, spec end
   return which == "spec" and spec or script
end

return new
