-- The runtime is held to the model: random pipelines, disorder, nulls, bad records, idle
-- partitions, splits, worker counts. SEEDS=FIRST,END tries others.
local compare = require "sluice.test.compare"
local model = require "tests.model.model"
local random = require "tests.model.random"
local test = require "sluice.test"

local FIRST, END = 1, 151
if os.getenv "SEEDS" then
   FIRST, END = os.getenv("SEEDS"):match "^(%d+),(%d+)$"
   FIRST, END = tonumber(FIRST), tonumber(END)
end

local function write(text)
   local path = os.tmpname()
   local file = assert(io.open(path, "w"))
   file:write(text)
   file:close()
   return path
end

-- The model's verdicts as the kit shows them: only what both know.
local function late_of(list)
   local shown = {}
   for i, late in ipairs(list or {}) do
      local record = late.row.record
      shown[i] = { topic = record and record.topic, partition = late.row.place[2],
         offset = late.row.place[3],
         window_start = late.window_start, window_end = late.window_end }
   end
   return shown
end

local function columns_of_late(list)
   local shown = {}
   for i, one in ipairs(list) do
      shown[i] = { topic = one.topic, partition = one.partition, offset = one.offset,
         window_start = one.window_start, window_end = one.window_end }
   end
   return shown
end

-- Rows leave by window end, then start; retractions before all others.
local function order_problem(rows)
   local before
   for i, row in ipairs(rows) do
      local stop = row.window_end
      if stop and not row.retracted then
         local start = row.window_start
         if before and (stop < before[1] or stop == before[1] and start < before[2]) then
            return ("row %d leaves behind a later window: %s"):format(i,
               compare.show(row))
         end
         before = { stop, start }
      elseif row.retracted and before then
         return ("row %d is a retraction behind other rows"):format(i)
      end
   end
end

local COUNTERS = { "read", "passed", "filtered", "duplicate", "late", "quarantined",
   "late_windows" }

local function compare_counters(p, m)
   for i, source in ipairs(p.about.sources) do
      local counters, known = p:metrics().sources[source.name], m:counters(i)
      for _, name in ipairs(COUNTERS) do
         if counters[name] ~= known[name] then
            return ("source %s, counter %s: %d wanted, %d got"):format(source.name, name,
               known[name], counters[name])
         end
      end
   end
end

local function compare_step(p, wanted, m, counts)
   local got = p:output "out"
   local problem = compare.sets(wanted.out or {}, got) or order_problem(got)
   if problem then return "sink out: " .. problem end
   for _, sink in ipairs(p.about.sinks) do
      if sink.name == "copy" then
         problem = compare.lists(wanted.copy or {}, p:output "copy")
         if problem then return "sink copy: " .. problem end
      end
   end
   problem = compare.sets(late_of(wanted.late), columns_of_late(p:late()))
   if problem then return "late: " .. problem end
   return counts and compare_counters(p, m) or nil
end

local function feed(p, batch)
   for _, one in ipairs(batch) do
      p:feed { [one.topic] = { [one.partition] = { one.row or "no JSON" } } }
   end
end

-- What was committed when a process dies at these steps is not done again.
local DONE = { committed = true, applied = true }

-- Play a batch in a process that ends before it or in it, as `fate` says.
local function play_batch(p, m, batch, fate)
   if fate == "restart" then p:restart() end
   if fate == "restart" or fate and not DONE[fate] then m:restart(p:now()) end
   if fate and fate ~= "restart" then p:crash(fate) end
   p:tick()
   local wanted = m:batch(batch, p:now())
   if DONE[fate] then m:restart(p:now()) end
   return wanted
end

-- By number of the batch, how the process ends that does it; nil: it goes on.
local function fates_of(seed)
   return function(i, batch)
      local at = (seed + i) % (#test.steps + 2)
      if at == 0 then return "restart" end
      return #batch > 0 and test.steps[at] or nil
   end
end

-- Play a case by runtime and model, step by step; nil, or what differs and where.
local function play(path, text, batches, options, fate_of)
   local p = test.pipeline(path, options)
   local m = model.open(text)
   m:start(p:now())
   local problem
   for i = 1, #batches + 1 do
      local batch = batches[i]
      local done, message = pcall(function()
         if batch then
            p:advance(batch.advance)
            feed(p, batch)
            local wanted = play_batch(p, m, batch, fate_of and fate_of(i, batch))
            return compare_step(p, wanted, m, not fate_of)
         end
         p:finish()
         return compare_step(p, m:finish(p:now()), m, not fate_of)
      end)
      problem = message
      if not done and not message then problem = "failed" end
      if problem then
         p:close()
         return i, tostring(problem)
      end
   end
   p:close()
end

local function show_batches(batches, last)
   local lines = {}
   for i = 1, math.min(last, #batches) do
      lines[#lines + 1] = ("batch %d, %d ms later"):format(i, batches[i].advance)
      for _, one in ipairs(batches[i]) do
         lines[#lines + 1] = ("  %s/%d %s"):format(one.topic, one.partition,
            one.row and compare.show(one.row) or "no JSON")
      end
   end
   return table.concat(lines, "\n")
end

local function check(seed, options, fate_of)
   local pick = random.of(seed)
   local text, topics = random.script(pick)
   local batches = random.batches(pick, topics)
   options.now = 0
   local path = write(text)
   local step, problem = play(path, text, batches, options, fate_of)
   os.remove(path)
   if step then
      error(("seed %d, %d workers, step %d: %s\n%s\n%s"):format(seed,
         options.workers or 1, step, problem, text, show_batches(batches, step)), 0)
   end
end

describe("the runtime gives what the model gives", function()
   for first = FIRST, END - 1, 10 do
      it(("seeds %d and on"):format(first), function()
         for seed = first, math.min(first + 9, END - 1) do
            check(seed, { workers = seed % 5 == 0 and 3 or 1 })
         end
      end)
   end

   it("when processes end and others go on", function()
      for seed = FIRST, END - 1 do
         check(seed, { workers = seed % 5 == 0 and 3 or 1 }, fates_of(seed))
      end
   end)

   it("with the compiler off", function()
      for seed = FIRST, math.min(FIRST + 19, END - 1) do check(seed, { jit = false }) end
   end)
end)
