--- Tests of pipelines, for specs that `sluice test` runs: the pipeline in this process,
-- topics in memory, a clock by hand, no broker. docs/testing-pipelines.md shows how.
-- @module sluice.test
-- @usage
-- local test = require "sluice.test"
-- it("counts views", function()
--    local p = test.pipeline "stdin_counts.lua"
--    p:batch { { page = "/cart", at = "2026-05-01T10:00:20Z" } }:finish()
--    assert.are.same_rows({ { page = "/cart", views = 1 } }, p:output())
-- end)

if not package.preload["sluice.test.host"] then
   error("sluice.test is for specs: run them by `sluice test FILE`", 2)
end

local driver = require "sluice.test.driver"
local expect = require "sluice.test.expect"
local feed = require "sluice.test.feed"
local host = require "sluice.test.host"
local invariance = require "sluice.test.invariance"
local json = require "sluice.test.json"
local nearest = require "sluice.nearest"
local rows = require "sluice.test.rows"
local tables = require "sluice.tables"

local test = {}

-- A path as the spec means it: beside the spec, else from the current folder.
local function located(of, level)
   if type(of) ~= "string" or of:sub(1, 1) == "/" then return of end
   local folder = debug.getinfo(level + 1, "S").source:match "^@(.*/)"
   local file = folder and io.open(folder .. of, "rb")
   if not file then return of end
   file:close()
   return folder .. of
end

--- Open a pipeline. A script is loaded once and kept for the next case, as long as its
-- files are the same; topics, state and clock are new each time.
-- @tparam string|sluice.pipeline.Pipeline of path of a script, beside the spec or from
--  the current folder, which runs as it does in production; or a pipeline made in the
--  spec
-- @tparam ?table given `set`: options as `--set` gives them, `{ trigger = "once",
--  ["source.max_records"] = 2 }`; `params`: values of `sluice.param`; `now`: the clock at
--  the start, "2026-01-01T00:00:00Z" if not given, or Unix ms; `workers`: 1 if not given,
--  1 to 64, only for a path; `jit`: false leaves the compiler off
-- @treturn sluice.test.driver
-- @raise what `sluice check` would say of the script
-- @usage local p = test.pipeline("ride_counts.lua", { workers = 4 })
function test.pipeline(of, given)
   return driver.open(located(of, 2), given or {})
end

--- A record with more than a value. Where no field of the schema is called so, the plain
-- table will do.
-- @tparam table parts `value`: row or text, nil is a tombstone; `key`: text or table;
--  `headers`: `{ name = text }`; `timestamp`: Kafka's, Unix ms; `offset`
-- @treturn table
-- @usage p:batch { test.record { key = "u-1", value = { ts = 1 }, timestamp = 5 } }
function test.record(parts)
   return feed.record(parts)
end

--- What a row came in: `key`, `value` as bytes (nil: null), `headers`, `header` by name;
-- `topic`, `partition` and `place` (bytes that choose it) where the sink's options say
-- so.
-- @tparam table row as `:output`, `:late`, `:quarantined` give it
-- @treturn table
-- @usage assert.are.equal("u-1", test.message(p:output()[1]).key)
function test.message(row)
   return rows.message(row)
end

--- Stands for null where Lua's nil would make a hole; alone in the place of a row it is a
-- record without a value.
test.null = json.null

--- The steps of a batch at which `:crash` lets it die, in their order.
test.steps = tables.copy(host.steps)

--- Check that a result does not depend on what must not matter: how records are split
-- into batches, in which order they come within the delay, how many workers there are,
-- where the process dies and goes on from its checkpoint. Raises with a small case that
-- shows the difference.
-- @tparam string|sluice.pipeline.Pipeline of as for `pipeline`
-- @tparam table given rows as for `:batch`, in order of arrival; enough of them that
--  windows close
-- @tparam ?table options `runs`: how many variations are tried (30); `seed`; `workers`: a
--  list of counts, { 1, 2, 3, 4 }; `order`: false when order may matter; `crashes`:
--  false leaves restarts and crashes out; `sink`: only that one; and those of `pipeline`
-- @raise when two runs differ
-- @usage test.check_invariance("ride_counts.lua", rides)
function test.check_invariance(of, given, options)
   invariance.check(located(of, 2), given, options or {})
end

--- Compare rows with those of a file beside the spec: JSON, a row a line, in any order,
-- numbers within 1e-9. `sluice test --update` writes the file from what came.
-- @tparam string path beside the spec
-- @tparam {table,...} wanted as `:output`, `:latest`, `:late`, `:quarantined` give them
-- @raise when they differ, or the file is not there
-- @usage test.expect("ride_counts.jsonl", p:output())
function test.expect(path, wanted)
   if type(path) ~= "string" or type(wanted) ~= "table" then
      error("test.expect takes the path of a file, and rows", 2)
   end
   local folder = debug.getinfo(2, "S").source:match "^@(.*/)"
   local beside = folder and path:sub(1, 1) ~= "/" and folder .. path or path
   expect.check(beside, wanted)
end

-- A misspelt name is an error, as everywhere.
return setmetatable(test, {
   __index = function(_, name)
      error(("there is no test.%s%s"):format(tostring(name),
         nearest.hint(tostring(name), tables.keys(test))), 2)
   end,
})
