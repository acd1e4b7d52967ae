--- The page of `sluice status NAME`, and the table of all that run.
-- @module sluice.answer.status

local say = require "sluice.answer.say"

local status = {}

local INDENT = 13 -- of what stands behind a heading

-- What was not said is cjson's null, which is no number, text or table.
local function number(value) return type(value) == "number" and value or nil end
local function text(value) return type(value) == "string" and value or nil end
local function list(value) return type(value) == "table" and value or {} end

local Page = {}
Page.__index = Page

--- Parts of one line, wrapped between parts.
function Page:add(heading, ...)
   local parts = {}
   for i = 1, select("#", ...) do
      local part = select(i, ...)
      if part then parts[#parts + 1] = part end
   end
   local line = heading .. (" "):rep(INDENT - #heading)
   local is_first = true
   for _, part in ipairs(parts) do
      local gap = is_first and "" or "  "
      if not is_first and #line + #gap + #part > say.WIDTH then
         self[#self + 1], line, gap = line, (" "):rep(INDENT), ""
      end
      line, is_first = line .. gap .. part, false
   end
   self[#self + 1] = say.clip(line, say.WIDTH)
end

local function named(name, count)
   return ("%s %s"):format(name, say.maybe(count))
end

local function some(name, count)
   if number(count) and count > 0 then return named(name, count) end
end

local function rate_of(value, unit)
   local rate = number(value)
   if not rate then return "? " .. unit end
   return (rate >= 10 and say.count(rate) or ("%.1f"):format(rate)) .. " " .. unit
end

local function add_batch(page, it)
   local batch = list(it.batch)
   local runs
   if (number(it.silent_ms) or 0) > 1000 then
      runs = ("one has run for %s: what follows is from before"):format(
         say.span(it.silent_ms))
   elseif number(batch.next_ms) and batch.next_ms > it.now_ms then
      runs = "next in " .. say.span(batch.next_ms - it.now_ms)
   end
   page:add("batches", say.maybe(batch.next) .. " done",
      number(batch.took_ms) and "the last took " .. say.span(batch.took_ms), runs,
      some("delivered again", batch.redelivered))
end

local function caught_up(it)
   local at = number(it.caught_up_ms)
   if not at then return number(it.lag) and "not catching up" or nil end
   if at <= it.now_ms then return "caught up" end
   return "caught up in " .. say.span(at - it.now_ms)
end

local function watermark_of(source, now_ms)
   if source.has_watermark == false then return "watermark off" end
   if source.watermark == "ended" then return "watermark ended" end
   if not number(source.watermark) then return "watermark none yet" end
   return "watermark " .. say.time(source.watermark, now_ms)
end

local function held_by(source)
   if source.is_idle == true then return "all partitions idle" end
   return text(source.held_by) and "held back by " .. source.held_by
end

local function idle_of(source)
   local count = 0
   for _, partition in ipairs(list(source.partitions)) do
      if partition.is_idle == true then count = count + 1 end
   end
   if count == 0 or source.is_idle == true then return nil end
   return ("%d of %s idle"):format(count, say.maybe(source.partition_count))
end

local function add_source(page, source, now_ms)
   local behind = number(source.behind_ms)
   page:add("source", tostring(source.name), named("lag", source.lag),
      named("partitions", source.partition_count), idle_of(source))
   page:add("", watermark_of(source, now_ms), held_by(source),
      behind and "event time " .. say.span(behind) .. " behind")
   page:add("", named("read", source.read), named("passed", source.passed),
      named("filtered", source.filtered), named("late", source.late),
      named("bad", (number(source.quarantined) or 0) + (number(source.skipped) or 0)),
      some("duplicate", source.duplicate), some("lost", source.lost))
end

local function add_sinks(page, it)
   local heading = "sinks"
   for _, sink in ipairs(list(it.sinks)) do
      if sink.is_side ~= true or (number(sink.rows) or 0) > 0 then
         page:add(heading, tostring(sink.name), named("rows", sink.rows),
            some("refused", sink.refused), some("retracted", sink.retracted))
         heading = ""
      end
   end
end

local function add_state(page, it)
   local size = list(it.state_size)
   local groups = 0
   for _, operator in ipairs(list(size.operators)) do
      groups = groups + (number(operator.groups) or 0)
   end
   local limit = number(size.limit_bytes)
   page:add("state", say.count(groups) .. " groups",
      say.bytes(number(size.memory_bytes) or 0) .. " in memory"
         .. (limit and " of " .. say.bytes(limit) or ""),
      (number(size.disk_bytes) or 0) > 0 and say.bytes(size.disk_bytes) .. " on disk",
      some("spilled panes", size.spilled_panes))
end

local function add_shadow(page, it)
   local shadow = it.shadow
   if type(shadow) ~= "table" then return end
   local different = (number(shadow.differing) or 0) + (number(shadow.only_old) or 0)
      + (number(shadow.only_new) or 0)
   page:add("shadow", tostring(shadow.script), ("%s of %s batches"):format(
      say.maybe(shadow.batches), say.maybe(shadow.wanted)))
   page:add("", named("rows the same", shadow.same), named("different", different),
      (number(shadow.waiting_bytes) or 0) > 1e6
         and say.bytes(shadow.waiting_bytes) .. " wait")
end

local function add_checkpoint(page, it)
   local kept = it.checkpoint
   if type(kept) ~= "table" then
      page:add("checkpoint", "none")
      return
   end
   page:add("checkpoint", tostring(kept.url), tostring(kept.delivery))
   local at = number(kept.committed_ms)
   page:add("", "goes on from batch " .. say.maybe(kept.next_batch),
      at and "committed " .. say.span(math.max(0, it.now_ms - at)) .. " ago",
      at and "took " .. say.span(number(kept.took_ms) or 0))
end

--- Text in as many lines as it takes, broken between words.
function Page:wrap(words)
   local line = ""
   for word in words:gsub("%c", " "):gmatch "%S+" do
      if #line > 0 and INDENT + #line + 1 + #word > say.WIDTH then
         self:add("", line)
         line = ""
      end
      line = #line > 0 and line .. " " .. word or word
   end
   self:add("", line)
end

local function add_events(page, heading, events, now_ms)
   for _, event in ipairs(list(events)) do
      page:add(heading, say.time(event.at, now_ms), tostring(event.verdict))
      page:wrap(tostring(event.text))
      heading = ""
   end
end

--- The page of one pipeline.
-- @tparam table it what its socket said
-- @treturn string lines of at most 80 columns
-- @usage status.page(cjson.decode(answer))
function status.page(it)
   local page = setmetatable({}, Page)
   page:add("pipeline", tostring(it.label or it.name),
      ("%s for %s"):format(tostring(it.state), say.span(number(it.uptime_ms) or 0)),
      "pid " .. tostring(it.pid), it.embedded == true and "embedded")
   page:add("script", tostring(it.script), text(it.script_hash))
   if it.sources then
      add_batch(page, it)
      local rate = list(it.rate)
      page:add("rate", rate_of(rate["in"], "rec/s in"), rate_of(rate.out, "rows/s out"))
      page:add("lag", say.maybe(it.lag) .. " records", caught_up(it))
      for _, source in ipairs(list(it.sources)) do add_source(page, source, it.now_ms) end
      add_sinks(page, it)
      add_state(page, it)
      add_checkpoint(page, it)
      add_shadow(page, it)
   end
   if it.filling then
      page:add("filling", say.maybe(it.filling.records) .. " records for what is new",
         say.maybe(it.filling.left) .. " offsets left")
   end
   page:add("process", ("%s resident"):format(say.bytes(number(it.rss_bytes) or 0)),
      number(it.workers)
         and ("%d worker%s"):format(it.workers, it.workers == 1 and "" or "s"),
      "sluice " .. tostring(it.version))
   add_events(page, "reloads", it.reloads, it.now_ms)
   add_events(page, "errors", it.errors, it.now_ms)
   return table.concat(page, "\n") .. "\n"
end

local HEADS = { "NAME", "STATE", "UP", "REC/S", "LAG", "BATCHES", "BAD", "ERRORS",
   "PID" }

local function row_of(it)
   local bad = 0
   for _, source in ipairs(list(it.sources)) do
      bad = bad + (number(source.quarantined) or 0) + (number(source.skipped) or 0)
   end
   local rate = number(list(it.rate)["in"])
   return { say.clip(tostring(it.label or it.name), 24), tostring(it.state),
      say.span(number(it.uptime_ms) or 0), rate and say.count(rate) or "?",
      say.maybe(it.lag), say.maybe(list(it.batch).next), say.count(bad),
      say.maybe(it.error_count),
      tostring(it.pid) }
end

--- The table of all that run.
-- @tparam table all what each socket said
-- @treturn string
-- @usage status.table { cjson.decode(answer) }
function status.table(all)
   local rows, widths, lines = { HEADS }, {}, {}
   for _, it in ipairs(all) do rows[#rows + 1] = row_of(it) end
   for _, row in ipairs(rows) do
      for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, #cell) end
   end
   for _, row in ipairs(rows) do
      local cells = {}
      for i, cell in ipairs(row) do
         local fill = (" "):rep(widths[i] - #cell)
         cells[i] = i <= 2 and cell .. fill or fill .. cell
      end
      lines[#lines + 1] = say.clip(table.concat(cells, "  "), say.WIDTH)
   end
   return table.concat(lines, "\n") .. "\n"
end

return status
