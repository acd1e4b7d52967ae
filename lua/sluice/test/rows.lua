--- What sinks got, as rows: tables of columns, with the message they came in beside them.
-- @module sluice.test.rows

local json = require "sluice.test.json"

local rows = {}

-- Row → message; beside the row, so that it compares as its columns.
local messages = setmetatable({}, { __mode = "k" })

-- The columns of a key: of an object; of one that stands as its plain text, or as an
-- object when it is null.
local function key_columns(text, plain)
   if plain and plain.is_text and text ~= json.encode { [plain.name] = json.null } then
      return { [plain.name] = text }
   end
   local key = text and json.decode(text)
   if type(key) == "table" then return key end
   if not plain then return {} end
   return { [plain.name] = key == nil and text or key }
end

-- A retraction has no value: the columns of its key say what goes.
local function retraction(message, sink)
   local row = key_columns(message.key, sink.plain_key)
   row.retracted = true
   return row
end

-- Whole numbers beyond 2^53 stay exact only where the column says so.
local function settle_numbers(row, exact)
   for name, value in pairs(row) do
      if type(value) == "cdata" and not exact[name] then row[name] = tonumber(value) end
   end
end

--- Make a row of a message.
-- @tparam table message `{ key =, value =, headers = }`
-- @tparam table sink as described
-- @treturn table row
function rows.of(message, sink)
   local row
   if sink.is_side then
      row = {}
   elseif not message.value then
      row = retraction(message, sink)
   else
      row = json.decode(message.value)
      if type(row) ~= "table" then row = { value = message.value } end
      settle_numbers(row, sink.exact or {})
   end
   messages[row] = message
   return row
end

--- The message of a row: `key` and `value` as bytes (nil: null), `headers` as a list of
-- `{ name, value }`, `header` by name; `topic`, `partition` and `place` (the bytes that
-- choose the partition) where options of the sink say so.
-- @tparam table row as `:output` gave it
-- @treturn table
-- @raise for other tables
function rows.message(row)
   local message = messages[row]
   if not message then error("test.message takes a row that `:output` gave", 3) end
   local header = {}
   for _, one in ipairs(message.headers or {}) do header[one[1]] = one[2] end
   return { key = message.key, value = message.value, headers = message.headers or {},
      header = header, topic = message.topic, partition = message.partition,
      place = message.place }
end

local VERDICTS = { topic = "sluice.topic", partition = "sluice.partition",
   offset = "sluice.offset", kind = "sluice.kind", reason = "sluice.reason",
   field = "sluice.field", stage = "sluice.stage", window_start = "sluice.window_start",
   window_end = "sluice.window_end", watermark = "sluice.watermark",
   slowest = "sluice.slowest" }

local NUMBERS = { partition = true, offset = true, window_start = true, window_end = true,
   watermark = true }

--- Rows of side sinks with their verdicts.
-- @tparam {table,...} list
-- @treturn {table,...}
function rows.verdicts(list)
   local found = {}
   for i, row in ipairs(list) do
      local message = rows.message(row)
      local one = { key = message.key, value = message.value }
      for name, header in pairs(VERDICTS) do
         local text = message.header[header]
         one[name] = NUMBERS[name] and tonumber(text) or text
      end
      found[i] = one
      messages[one] = messages[row]
   end
   return found
end

--- A table of rows by key.
-- @treturn table
function rows.table()
   return { order = {}, by_key = {}, next = 0 }
end

--- Let a row take the place of the one of its key.
-- @tparam table of from `rows.table`
-- @tparam table row
function rows.keep(of, row)
   local message = messages[row]
   local key = message.key or ""
   if not of.order[key] then
      of.next = of.next + 1
      of.order[key] = of.next
   end
   of.by_key[key] = message.value and row or nil
end

--- The rows of a table, in the order in which their keys came first.
-- @tparam table of from `rows.table`
-- @treturn {table,...}
function rows.latest(of)
   local keys, found = {}, {}
   for key in pairs(of.by_key) do keys[#keys + 1] = key end
   table.sort(keys, function(a, b) return of.order[a] < of.order[b] end)
   for i, key in ipairs(keys) do found[i] = of.by_key[key] end
   return found
end

return rows
