--- The codes of what `sluice check` tells: stable, for `--json` and for those who look
-- one up. A warning is an error under `--strict`; a note tells what was chosen, and what
-- it costs. docs/check.md is printed from this table.
-- @module sluice.check.codes

local codes = {}

--- In order. `doc`: what it means, then what to do.
codes.LIST = {
   { code = "W01", name = "key-overwrites-windows", level = "warning",
      doc = "Rows of several windows of a group leave with the same key. On a compacted "
         .. "topic, and for every reader that keeps the newest row of a key, the windows "
         .. "overwrite each other. Leave `key` out (it is then the group and "
         .. "`window_start`), or name the window's bound in it." },
   { code = "W02", name = "rate-below-input", level = "warning",
      doc = "`max_rate` lets in fewer records a second than come: the backlog grows "
         .. "until the broker deletes what was never read. Raise it above the input's "
         .. "rate, or leave it out; `max_records` and `max_bytes` bound the memory." },
   { code = "W03", name = "append-delay", level = "note",
      doc = "In mode append a result comes when its window closes: size + delay + "
         .. "allowed lateness behind its first record, plus the pace of batches. mode = "
         .. "\"update\" sends results at once and again." },
   { code = "W04", name = "idle-within-trigger", level = "warning",
      doc = "`idle` is no longer than the trigger's interval, and `delay` shorter: one "
         .. "batch without a record of a partition takes it out of the watermark, and "
         .. "what it sends next is late. Write a longer `idle`, or a longer `delay`." },
   { code = "W05", name = "at-least-once", level = "note",
      doc = "After a failure rows may come twice: a sink cannot take back what it wrote, "
         .. "or the script says so. Readers must cope: by key and newest row, or by an "
         .. "id in the row. Where it was not asked for it is a warning: `delivery = "
         .. "\"at-least-once\"` says that it is meant, \"exactly-once\" that the plan is "
         .. "to be refused." },
   { code = "W06", name = "transaction-timeout", level = "warning",
      doc = "The broker gives a transaction up that is open for longer than "
         .. "`transaction.timeout.ms`. It is open only while outputs are written, but a "
         .. "broker that restarts takes 10 to 30 seconds: below that each restart costs "
         .. "a new client and the batch once more. Leave it out: it is 30 seconds." },
   { code = "W07", name = "retention-against-lag", level = "warning",
      doc = "The broker deletes records before the pipeline has read them, or before the "
         .. "windows they belong to close. Raise retention.ms, or catch up." },
   { code = "W08", name = "watermark-max", level = "warning",
      doc = "The fastest partition moves the watermark: what slower ones still hold is "
         .. "late. `watermark = \"min\"` waits for the slowest that is not idle." },
   { code = "W09", name = "never-idle", level = "note",
      doc = "A partition without records holds the watermark, and with it every result, "
         .. "for ever. Give `idle` a duration, unless silence must hold results back." },
   { code = "W10", name = "append-waits-for-lateness", level = "note",
      doc = "In mode append `allowed_lateness` only makes results later: a longer "
         .. "`delay` says the same. In mode update it sends corrections." },
   { code = "W11", name = "complete-sends-all", level = "note",
      doc = "mode = \"complete\" sends the whole result with every batch, keeps it for "
         .. "ever, and fails beyond `max_rows`." },
   { code = "W12", name = "time-unit", level = "warning",
      doc = "Event times do not look like the unit that is declared: seconds read as ms "
         .. "put everything into January 1970. Declare the unit: `sluice.timestamp(name, "
         .. "\"s\")`, or `unit = \"s\"` of `:event_time`." },
   { code = "W13", name = "grows-for-ever", level = "note",
      doc = "State of this stage is never dropped: it grows with the number of keys. "
         .. "Give a time, unless the number of keys is bounded." },
   { code = "W14", name = "order-of-pairs", level = "note",
      doc = "The order of `pairs` and `next` can differ from process to process: a "
         .. "result that depends on it is not the same when a batch is done again. Sort "
         .. "the keys, or use `ipairs`." },
   { code = "W15", name = "drops-bad-records", level = "note",
      doc = "Records that cannot be decoded are counted and gone. `bad_records = "
         .. "\"quarantine\"` keeps them, with the reason." },
   { code = "W16", name = "bad-share-off", level = "note",
      doc = "`max_bad_share` of 1 lets a batch through in which every record is bad: a "
         .. "producer's broken schema is set aside at line speed." },
   { code = "W17", name = "late-rows-dropped", level = "note",
      doc = "Rows that come too late are counted and dropped. `:late_to(sink)` keeps "
         .. "them with window, watermark and position." },
   { code = "W18", name = "few-groups", level = "note",
      doc = "Few groups do all the work: they are spread over as many workers at most." },
   { code = "W19", name = "nothing-kept", level = "note",
      doc = "checkpoint = \"none\": a restart begins at `start` with empty state; with "
         .. "start = \"latest\" what came in between is never read." },
   { code = "W20", name = "trigger-above-delay", level = "note",
      doc = "The watermark moves once a batch: a trigger's interval longer than `delay` "
         .. "decides when results come, not `delay`." },
   { code = "W21", name = "function-throws", level = "warning",
      doc = "A function threw on a made-up row, and perhaps on none that comes. Guard "
         .. "it, or say what a field can be: `:required()`, `:one_of`, `:range`." },
   { code = "W22", name = "never-used", level = "warning",
      doc = "A stream is made and put into no pipeline: each method gives a new "
         .. "stream." },
   { code = "W23", name = "own-sink", level = "note",
      doc = "A sink written in Lua runs with `io` and `os`: it can do whatever the "
         .. "process may." },
   { code = "W24", name = "key-changes", level = "warning",
      doc = "A sink's `key` holds results of the aggregation: when a result changes, the "
         .. "group is sent under another key, and what was sent under the old one stays. "
         .. "Take group fields and the window's bounds for keys." },
   { code = "W25", name = "filter-gives-number", level = "warning",
      doc = "A filter gives a number. In Lua everything but nil and false is true: 0 "
         .. "passes, too. Write a comparison, as in `row.n > 0` or `row.n ~= nil`." },
   { code = "W26", name = "reads-its-own", level = "warning",
      doc = "A source reads topics by a pattern, and a sink on the same brokers gets the "
         .. "names of its topics from a function: if one matches, the pipeline reads "
         .. "what it writes, round and round. Choose names that the pattern does not "
         .. "match; topics that sinks name outright are never read." },
   { code = "W27", name = "parts-as-columns", level = "warning",
      doc = "All columns of a row are called like parts of a message (`key`, `value`, "
         .. "`headers`, `topic`, `partition`, `timestamp`): here they are written as "
         .. "fields of a JSON object. Say what makes the parts in the sink: `key = "
         .. "\"key\", value = function(row) return row.value end`." },
   { code = "W28", name = "never-equal", level = "warning",
      doc = "A field is compared with a value of another type: a number with text, "
         .. "anything with `sluice.null`. Lua says false without a word. Write a value "
         .. "of the field's type; null is nil in a row." },
   { code = "W29", name = "json-in-file", level = "note",
      doc = "A file sink writes JSON, a row a line, whatever its path is called. Call it "
         .. "`.jsonl`; other formats are for a sink of one's own, `sluice.sink`." },
   { code = "W30", name = "local-checkpoint", level = "note",
      doc = "State lies in a folder of this machine. On another machine, or when the "
         .. "disk is lost, the pipeline stops and says that its state is missing, rather "
         .. "than begin anew. `s3://` can be reached from anywhere." },
   { code = "W31", name = "memory-below-batch", level = "warning",
      doc = "One batch of new keys can need more than `memory`, which is held to between "
         .. "batches: give more, or a lower `max_records`." },
   { code = "W32", name = "interval-unused", level = "note",
      doc = "`commit_interval` paces batches under trigger = \"continuous\". An "
         .. "interval as trigger paces them itself; \"once\" and \"available-now\" "
         .. "commit each batch." },
   { code = "W33", name = "not-compiled", level = "note",
      doc = "A function does what LuaJIT does not compile. At a call of such a C "
         .. "function (`string.gsub`, `table.sort`, `cjson.decode`) compiled code is "
         .. "left and entered again behind it. Where a function is made for each row "
         .. "the whole loop runs in the interpreter, many times slower: that is a "
         .. "warning. Make it once, outside. What is compiled is in guide.md." },
}

codes.BY_CODE, codes.BY_NAME = {}, {}
for _, entry in ipairs(codes.LIST) do
   codes.BY_CODE[entry.code] = entry
   codes.BY_NAME[entry.name] = entry
end

return codes
