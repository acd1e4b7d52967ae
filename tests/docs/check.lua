--- Prints docs/check.md from the codes of `sluice check`:
--    LUA_PATH='lua/?.lua;lua/?/init.lua;;' luajit tests/docs/check.lua > docs/check.md
-- tests/lua/warnings_spec.lua holds the file to it.
-- @module tests.docs.check

-- luacheck: ignore 631

local codes = require "sluice.check.codes"

local check = {}

local HEAD = [[
# sluice check

Printed from the table of codes (`tests/docs/check.lua`); a test holds this page to it.

`sluice check SCRIPT.lua` loads a script, refuses what cannot work (exit 2, FILE:LINE), and
prints

1. the **plan** as a tree: what is promised and why, where progress and state lie and what
   that costs; sources, each stage with its line, types and keys, what each stateful stage
   keeps, sinks;
2. **options**: every one in effect, its value, where that comes from (`default`,
   FILE:LINE, `--set …`, `$NAME`), what it is about (latency, memory, correctness, or
   access: what is where, and who may), and what it risks;
3. with `--connect`, **what the brokers say**: nothing is made, written or committed;
4. **notes** on standard output and **warnings** on standard error, each with a code.

A warning tells of what is probably a mistake; with `--strict` it is an error (exit 2). A
note tells what was chosen and what it costs. `sluice run` logs warnings, not notes.

`--connect` asks each Kafka of the plan for 4 s at most (9 s for a first answer): brokers,
topics, partitions, replicas, settings, the consumer group, what lies unread, how much came
in the last 10 minutes, whether the event time of the last record looks like the unit that
is declared, and whether a quarantine that is missing could be made. Where there
is an authorizer, rights are tried: reading at the end of partition 0, writing with a record
larger than `max.message.bytes`, which a broker refuses after it has looked at the rights.
An error (no broker, no topic, no right, fewer replicas than `min.insync.replicas`) exits 1.

Sizes of state are those of the tables: an entry is a header of 32 bytes, the state, the
key, and its share of the index. Texts in keys are taken as 16 bytes. "about 22 windows
live per key at 10 minutes and 30 seconds" is (size + delay + allowed lateness) / every.
]]

local JSON = [[
## --json

One document:

| member | holds |
|---|---|
| `plan` | `name`, `options`, `sources`, `steps`, `aggregates`, `sinks` |
| `state` | per aggregation: `aggregation`, `state_bytes`, `entry_bytes`, `key_is_guess`; where windows close `windows` and `panes` live at a time, `key_bytes`, `delay_ms`, `closes_after_ms` |
| `options` | list of `of`, `name`, `value` (text), `from`, `about`, `risk` |
| `findings` | list of `code`, `name`, `level` (`warning` or `note`), `at` (FILE:LINE, if any), `text` |
| `connect` | with `--connect`: list of `of` (whom it is about), `level` (`ok`, `warning`, `error`), `text`, `fix` (what to do), `code` and `name` where there is one |

Members of `plan` may be added to; the others, and the codes, stay.
]]

--- The page as text.
-- @treturn string Markdown
function check.text()
   local lines = { HEAD, "## Codes\n" }
   for _, entry in ipairs(codes.LIST) do
      lines[#lines + 1] = ("### %s %s\n\n(%s) %s\n"):format(entry.code, entry.name,
         entry.level, entry.doc)
   end
   lines[#lines + 1] = JSON
   return table.concat(lines, "\n")
end

if arg and arg[0] and arg[0]:find "check%.lua$" then io.write(check.text()) end

return check
