--- What a pipeline promises, where its progress and state are, what that costs: for
-- `sluice check`.
-- @module sluice.explain.delivery

local analyse_spill = require "sluice.analyse.spill"
local units = require "sluice.units"

local delivery = {}

local DAY_MS = 86400000

-- What a commit takes where nothing is slow, ms: a transaction, or offsets alone.
local TRANSACTION_MS, OFFSETS_MS = 6, 1

-- Least time from one commit to the next, ms; 0: as fast as batches come; nil: by hand.
local function pace_of(graph)
   local trigger = graph.options.trigger
   if trigger.kind == "interval" then return trigger.interval_ms end
   return trigger.kind == "continuous" and graph.options.commit_interval_ms or nil
end

-- What a commit itself takes.
local function commit_ms(graph, put_ms)
   if graph.checkpoint.ledger == "store" then return put_ms end
   return graph.options.delivery == "exactly-once" and TRANSACTION_MS or OFFSETS_MS
end

--- What a checkpoint costs.
-- @tparam table graph
-- @tparam ?table store `{ put_ms = usual time of a put, is_charged = flag }`; nil: not
--  known
-- @treturn ?table `{ puts_a_day = or nil: as many as batches, floor_ms = from the end of
--  a batch until its results can be seen, pace_ms = longest wait for the next commit or
--  nil }`; nil without a checkpoint
function delivery.cost(graph, store)
   if not graph.checkpoint or not store then return nil end
   local puts = graph.checkpoint.plans_ahead and 2 or 1
   if graph.checkpoint.ledger == "store" then puts = puts + 1 end
   local pace = pace_of(graph)
   -- The object is written while outputs are produced: it is the put that is waited for.
   local found = { floor_ms = store.put_ms + commit_ms(graph, store.put_ms),
      pace_ms = pace, is_charged = store.is_charged }
   if graph.checkpoint.plans_ahead then found.floor_ms = found.floor_ms + store.put_ms end
   if pace and pace > 0 then found.puts_a_day = math.ceil(DAY_MS / pace) * puts end
   found.puts = puts
   return found
end

-- 86400 → "86,400"
local function grouped(number)
   local text = ("%d"):format(number):reverse():gsub("(%d%d%d)", "%1,"):reverse()
   return (text:gsub("^,", ""))
end

local function say_sinks(graph)
   local reasons, names = {}, {}
   for _, sink in ipairs(graph.sinks) do
      local why = sink.why
      if not names[why] then
         names[why] = {}
         reasons[#reasons + 1] = why
      end
      table.insert(names[why], sink.name)
   end
   for i, why in ipairs(reasons) do
      reasons[i] = ("%s: %s"):format(table.concat(names[why], ", "), why)
   end
   return table.concat(reasons, "; ")
end

local function say_promise(graph)
   local text = graph.options.delivery
   if graph.checkpoint.is_chosen then text = text .. ", as the script says" end
   return ("%s (%s)"):format(text, say_sinks(graph))
end

local function say_progress(kept)
   if kept.ledger == "store" then return "in the store, with the state" end
   if kept.topic then
      return ("the offset of partition 0 of %s for group %s at %s, with the name of the "
         .. "state that belongs to it"):format(kept.topic, kept.group,
         kept.options.brokers)
   end
   return ("offsets of group %s at %s, each with the name of the state that belongs to "
      .. "it"):format(kept.group, kept.options.brokers)
end

local function say_state(graph)
   local of, kept = graph.options, graph.checkpoint
   local then_what = analyse_spill.say_all(graph)
   local groups = then_what and ("at most %s in memory, then %s%s"):format(
      units.say_size(of.memory_bytes), then_what,
      of.state_dir and "; local copy: " .. of.state_dir or "") or "no stage keeps groups"
   return ("%s/%s; %s; kept for looking back: %s"):format(kept.url:gsub("/*$", ""),
      graph.name, groups, units.say(of.history_ms))
end

local function say_cost(cost)
   local puts = ("%d object%s a batch"):format(cost.puts, cost.puts == 1 and "" or "s")
   if cost.puts_a_day then
      puts = ("at most %s objects a day, a batch every %s"):format(
         grouped(cost.puts_a_day), units.say(cost.pace_ms))
   end
   local charged = cost.is_charged and " (each is charged)" or ""
   local floor = ("results are seen %d ms or more after a batch has taken its records")
      :format(cost.floor_ms)
   return puts .. charged .. "; " .. floor
end

--- Draw it, beneath the pipeline's line.
-- @tparam table page from `page.new`
-- @tparam table graph
-- @tparam ?table store as of `cost`
function delivery.draw(page, graph, store)
   if not graph.checkpoint then return end
   local function detail(name, text) page:add("   ", "   ", name .. ": ", text, "dim") end
   detail("delivery", say_promise(graph))
   detail("progress", say_progress(graph.checkpoint))
   detail("state", say_state(graph))
   local cost = delivery.cost(graph, store)
   if cost then detail("cost", say_cost(cost)) end
end

--- The same for programs; without secrets.
-- @tparam table graph
-- @tparam ?table store as of `cost`
-- @treturn ?table
function delivery.json(graph, store)
   local kept = graph.checkpoint
   if not kept then return nil end
   return { url = kept.url, store = kept.store, ledger = kept.ledger, group = kept.group,
      topic = kept.topic, plans_ahead = kept.plans_ahead,
      cost = delivery.cost(graph, store) }
end

return delivery
