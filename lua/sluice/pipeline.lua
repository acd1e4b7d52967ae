--- `sluice.pipeline { … }`: branches and what holds for all of them.
-- @module sluice.pipeline

local checkpoint = require "sluice.checkpoint"
local options = require "sluice.options"
local override = require "sluice.override"
local place = require "sluice.place"
local risk = require "sluice.risk"
local stream = require "sluice.stream"
local tables = require "sluice.tables"
local units = require "sluice.units"

local pipeline = {}

local Pipeline = {}

local TRIGGERS = { continuous = true, ["available-now"] = true, once = true }

local TRIGGER_WANTED =
   '"continuous", "available-now", "once", or an interval ("30 seconds"), at least 1 ms'

local TRIGGER = options.checker(TRIGGER_WANTED, function(value)
      if TRIGGERS[value] then return { kind = value } end
      local interval = options.duration(1).check(value)
      if interval then return { kind = "interval", interval_ms = interval } end
      if type(value) == "table" then return nil, TRIGGER_WANTED .. ", without braces" end
      return nil, options.nearest_word(value, tables.keys(TRIGGERS), TRIGGER_WANTED)
   end)
TRIGGER.words = true
TRIGGER.say = function(value)
   return value.interval_ms and units.say(value.interval_ms) or value.kind
end

local SHARDS = options.checker("a power of two from 1 to 65536", function(value)
   local right = type(value) == "number" and value >= 1 and value <= 65536
      and math.frexp(value) == 0.5
   return right and value or nil
end, function(text) return tonumber(text) or text end)

local NAME = options.checker("letters, digits, `.`, `_` and `-`, at most 200, no `.` in "
   .. "front", function(value)
   local right = type(value) == "string" and #value <= 200
      and value:find "^[%w_-][%w._-]*$"
   return right and value or nil
end)

local MIGRATE = options.checker("a table of functions by the names of aggregates, as in "
   .. "{ spread = function(old, new) new.lo = old.lo end }", function(value)
   if type(value) ~= "table" then return nil end
   for name, fn in pairs(value) do
      if type(name) ~= "string" or type(fn) ~= "function" then return nil end
   end
   return value
end)
MIGRATE.say = function(value)
   return table.concat(tables.keys(value), ", ")
end

--- Options by name.
pipeline.OPTIONS = {
   name = { check = NAME, doc = "of client, consumer group and metrics",
      about = "access",
      risk = "progress and state go by it: renamed, the pipeline starts anew",
   },
   trigger = { check = TRIGGER, default = "continuous", doc = "when a batch begins",
      about = "latency",
      risk = "results come at its pace; an interval also sets how much one batch "
         .. "holds",
   },
   flush = {
      check = options.flag(), default = false,
      doc = "available-now: close what is open at the end",
      about = "correctness",
      risk = "windows that are still open come out incomplete",
   },
   checkpoint = { check = checkpoint.checker,
      doc = "where state and progress are kept: `file:DIR`, `s3://BUCKET/PATH`, or a "
         .. "table of `url` and what the store needs; `none`: nowhere",
      about = "correctness",
      risk = risk.checkpoint,
   },
   state_dir = { check = options.text "a folder",
      doc = "where state that does not fit into memory lies, and what makes a restart "
         .. "fast; else in the folder of `file:`, `./sluice-state` for `s3:`",
      about = "memory",
      risk = "a copy, on this machine's disk: lost, it is made anew from the checkpoint",
   },
   commit_interval = { check = options.duration(), as = "commit_interval_ms",
      doc = "continuous: least time between two commits; else 0 for `file:`, 1 second "
         .. "for `s3:`",
      about = "latency",
      risk = "results are seen once committed; shorter: more objects are written",
   },
   delivery = { check = options.word { "exactly-once", "at-least-once" },
      doc = "else exactly-once when every sink can",
      about = "correctness",
      risk = '"at-least-once": after a failure rows may come twice',
   },
   history = { check = options.duration(), default = "7 days", as = "history_ms",
      doc = "how long what looking back and replay need is kept",
      about = "memory",
      risk = "space in the store; shorter: no way back to what is older",
   },
   memory = { check = options.size(1048576), default = "1 GiB", as = "memory_bytes",
      doc = "most memory for state",
      about = "memory",
      risk = "beyond it, see on_state_limit; batches and their outputs come on top",
   },
   on_state_limit = { check = options.word { "spill", "fail" }, default = "spill",
      doc = "beyond `memory`: the coldest state goes to `state_dir`, or the run ends",
      about = "latency",
      risk = '"spill" takes disk, and time when a key comes again',
   },
   shards = { check = SHARDS, default = 64, doc = "parts of the state",
      about = "memory",
      risk = "more than keys: no use; fewer than workers: some are idle",
   },
   workers = { check = options.integer(1, 256), default = 1,
      doc = "threads that work on batches; reading and committing have their own",
      about = "latency",
      risk = risk.workers,
   },
   shutdown_timeout = { check = options.duration(1), default = "10 seconds",
      as = "shutdown_timeout_ms",
      doc = "how long a batch may take to finish after SIGTERM",
      about = "correctness",
      risk = "a batch that takes longer is cut off and done again",
   },
   script_timeout = { check = options.duration(1), default = "10 seconds",
      as = "script_timeout_ms",
      doc = "how long one call into the script may take",
      about = "latency",
      risk = "a call that takes longer is broken off, and its record is quarantined",
   },
   script_memory = { check = options.size(16777216), default = "256 MiB",
      as = "script_memory_bytes",
      doc = "most memory that Lua may take, of each worker",
      about = "memory",
      risk = "a call that asks for more is broken off, and its record is quarantined",
   },
   on_error = { check = options.word { "quarantine", "fail" }, default = "quarantine",
      doc = "when a function of the script throws",
      about = "correctness",
      risk = '"quarantine" goes on without the records for which a function threw',
   },
   migrate = { check = MIGRATE,
      doc = "by name of an aggregate (where several have it: \"STAGE.NAME\"): "
         .. "function(old, new), for state that was stored with other members",
      about = "correctness",
      risk = "runs once for each stored state, and must depend on `old` alone",
   },
}

local function split(given)
   local branches, named = {}, {}
   for _, key in ipairs(tables.keys(given)) do
      if type(key) == "number" then
         branches[#branches + 1] = given[key]
      else
         named[key] = given[key]
      end
   end
   return branches, named
end

-- A script ends in `return sluice.pipeline { … }`, a tail call: no frame tells the line.
local function line_of(branches)
   local node = branches[1] and stream.node(branches[1])
   return place.here() or place.of_word(node and node.line, "sluice.pipeline")
end

--- A pipeline: its branches share one batch and one commit.
-- @tparam table given options by name, and streams in order
-- @treturn sluice.pipeline.Pipeline
-- @raise for unknown options, wrong values, and branches that are no streams
-- @usage return sluice.pipeline { name = "ride-counts", checkpoint = "none", counts }
function pipeline.pipeline(given)
   if type(given) ~= "table" or stream.node(given) then
      place.fail(nil, "sluice.pipeline takes a table: write { name = …, checkpoint = "
         .. "\"none\", branch }")
   end
   local branches, named = split(given)
   local line = line_of(branches)
   local values = options.read("sluice.pipeline", pipeline.OPTIONS, named, line)
   local nodes = {}
   for i, branch in ipairs(branches) do
      nodes[i] = stream.node(branch)
      if not nodes[i] then
         place.fail(line, "sluice.pipeline: branch %d is %s, wanted a stream", i,
            options.show(branch))
      end
   end
   return setmetatable({ values = values, branches = nodes, line = line, overrides = {} },
      Pipeline)
end

--- Tell a pipeline from other values.
-- @param it any
-- @treturn boolean
function pipeline.is(it)
   return getmetatable(it) == Pipeline
end

--- Replace options, as `--set` does. They are checked as if the script had them; the
-- whole is checked later.
-- @tparam sluice.pipeline.Pipeline of
-- @tparam {string,...} settings "PATH=VALUE": an option of the pipeline; `source.X`,
--   `sink.X` of the only one;
--   `NAME.X` of a topic, path or stage
-- @treturn ?sluice.pipeline.Pipeline a new one
-- @treturn ?string a message
-- @usage pipeline.override(of, { "trigger=available-now", "source.start=earliest" })
function pipeline.override(of, settings)
   local made = { values = tables.copy(of.values), branches = of.branches, line = of.line,
      overrides = {}, of_rows = {} }
   for _, setting in ipairs(settings) do
      local message = override.apply(made, pipeline.OPTIONS, setting)
      if message then return nil, ("--set %s: %s"):format(setting, message) end
   end
   return setmetatable(made, Pipeline)
end

return pipeline
