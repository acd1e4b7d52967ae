local cjson = require "cjson"

local answer = require "sluice.answer"
local say = require "sluice.answer.say"

local NOW = 1700000000000 -- 2023-11-14 22:13:20

local function pipeline(more)
   local it = {
      name = "rides", label = "rides", version = "0.1.0", pid = 4711, now_ms = NOW,
      uptime_ms = 8040000, rss_bytes = 123456789, state = "running", silent_ms = 20,
      script = "rides.lua", script_hash = "2f1dbd665354e52f", workers = 2,
      batch = { next = 12345, took_ms = 250, redelivered = 0, next_ms = NOW + 22500 },
      rate = { ["in"] = 2000.4, out = 9.3 }, lag = 1234567,
      caught_up_ms = NOW + 187000,
      sources = { {
         name = "ride_events", lag = 1234567, has_watermark = true,
         watermark = NOW - 660000,
         held_by = "ride_events/7", is_idle = false, behind_ms = 60000, read = 5634,
         passed = 5000, filtered = 600, late = 30, quarantined = 4, skipped = 0, lost = 0,
         duplicate = 0, partition_count = 2,
         partitions = { { is_idle = true }, { is_idle = false } },
      } },
      sinks = { { name = "counts", rows = 20, refused = 0, is_side = false },
         { name = "rides-quarantine", rows = 0, is_side = true } },
      state_size = { memory_bytes = 3328, limit_bytes = 939524096, disk_bytes = 0,
         spilled_panes = 0, operators = { { name = "aggregate counts", groups = 10 } } },
      checkpoint = { url = "file:./checkpoints", delivery = "exactly-once",
         next_batch = 12345, committed_ms = NOW - 400, took_ms = 3 },
      errors = { { at = NOW - 3000, verdict = "warning",
         text = "records thrown out (source=ride_events count=4 "
            .. "first=ride_events/7 @ 12)" } },
      error_count = 1, reloads = {},
   }
   for key, value in pairs(more or {}) do it[key] = value end
   return it
end

local function read(kind, it)
   return answer.read(kind, cjson.encode(it))
end

describe("answers of a running pipeline", function()
   it("status is a page of 80 columns", function()
      local text, code = read("status", pipeline())
      assert.equal(0, code)
      assert.equal([[
pipeline     rides  running for 2 h 14 min  pid 4711
script       rides.lua  2f1dbd665354e52f
batches      12,345 done  the last took 250 ms  next in 23 s
rate         2,000 rec/s in  9.3 rows/s out
lag          1,234,567 records  caught up in 3 min 7 s
source       ride_events  lag 1,234,567  partitions 2  1 of 2 idle
             watermark 22:02:20  held back by ride_events/7
             event time 1 min behind
             read 5,634  passed 5,000  filtered 600  late 30  bad 4
sinks        counts  rows 20
state        10 groups  3.3 KB in memory of 939.5 MB
checkpoint   file:./checkpoints  exactly-once
             goes on from batch 12,345  committed 400 ms ago  took 3 ms
process      123.5 MB resident  2 workers  sluice 0.1.0
errors       22:13:17  warning
             records thrown out (source=ride_events count=4 first=ride_events/7
             @ 12)
]], text)
   end)

   it("status says how far it is with what is new in a script", function()
      local page = read("status", pipeline { filling = { records = 12345, left = 678 } })
      assert.matches("filling +12,345 records for what is new  678 offsets left", page)
   end)

   it("status says what is not known, and what is old", function()
      local it = pipeline { lag = cjson.null, caught_up_ms = cjson.null, silent_ms = 4200,
         rate = { ["in"] = cjson.null, out = cjson.null }, checkpoint = cjson.null }
      it.sources[1].watermark = cjson.null
      it.sources[1].held_by = nil
      it.sources[1].is_idle = true
      local text = read("status", it)
      assert.matches("one has run for 4.2 s: what follows is from before", text, 1, true)
      assert.matches("rate         ? rec/s in  ? rows/s out\n", text, 1, true)
      assert.matches("lag          ? records\n", text, 1, true)
      assert.matches("watermark none yet  all partitions idle", text, 1, true)
      assert.matches("checkpoint   none\n", text, 1, true)
      text = read("status", pipeline { caught_up_ms = cjson.null })
      assert.matches("not catching up", text, 1, true)
   end)

   it("status of one that starts has no figures", function()
      local text = read("status", { label = "rides", state = "starting", uptime_ms = 12,
         pid = 1, script = "rides.lua", now_ms = NOW, errors = {}, reloads = {} })
      assert.matches("pipeline     rides  starting for 12 ms  pid 1\n", text, 1, true)
      assert.not_matches("lag", text, 1, true)
   end)

   it("what came in a record moves no cursor and breaks no line", function()
      local text = read("status", pipeline { errors = { { at = NOW, verdict = "error",
         text = "\27[2J\n" .. ("ü"):rep(200) } } })
      assert.not_matches("\27", text, 1, true)
      for line in text:gmatch "[^\n]+" do
         local _, columns = line:gsub("[^\128-\191]", "")
         assert.is_true(columns <= 80, line)
      end
   end)

   it("all that run are a table", function()
      local text = read("list", {
         pipeline(), pipeline { label = "rides@12", state = "starting" },
      })
      assert.equal([[
NAME      STATE             UP  REC/S        LAG  BATCHES  BAD  ERRORS   PID
rides     running   2 h 14 min  2,000  1,234,567   12,345    4       1  4711
rides@12  starting  2 h 14 min  2,000  1,234,567   12,345    4       1  4711
]], text)
   end)

   it("stop gives the pipeline's exit code", function()
      assert.same({ "stopped", 0 }, { read("stop", { ended = true, exit_code = 0 }) })
      assert.same({ "ended with exit code 3", 3 },
         { read("stop", { ended = true, exit_code = 3 }) })
   end)

   it("reload ends with 4 when it is refused", function()
      assert.same({ "one aggregate is new", 0 },
         { read("reload", { hot = true, text = "one aggregate is new" }) })
      assert.same({ "the key changed", 4 },
         { read("reload", { hot = false, text = "the key changed" }) })
      assert.same({ "the changed script failed in its first batch, which the old one has "
         .. "done: no field", 4 },
         { read("reload", { hot = false, went_back = true, text = "no field" }) })
      local said, code = answer.read("reload",
         cjson.encode { hot = true, on_trial = true, text = "logic only" })
      assert.equal(0, code)
      assert.matches("^logic only\n.*no record has come yet$", said)
      assert.same({ "unknown command `reload`", 1 },
         { read("reload", { error = "unknown command `reload`" }) })
      assert.same({ "it ended meanwhile, with exit code 1", 1 },
         { read("reload", { ended = true, exit_code = 1 }) })
      assert.same({ "its answer cannot be read", 1 }, { answer.read("status", "}") })
   end)

   it("spans and sizes have the units people use", function()
      assert.equal("999 ms", say.span(999))
      assert.equal("1.5 s", say.span(1500))
      assert.equal("1 min", say.span(60000))
      assert.equal("3 d 4 h", say.span(3 * 86400000 + 4 * 3600000 + 59000))
      assert.equal("1.0 KB", say.bytes(1000))
      assert.equal("2023-11-13 22:13:20", say.time(NOW - 86400000, NOW))
      assert.equal("9000000000000000 ms", say.time(9e15, NOW))
   end)
end)
