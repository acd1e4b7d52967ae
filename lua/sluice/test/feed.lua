--- Rows of a spec as records of topics.
-- @module sluice.test.feed

local format = require "sluice.format"
local host = require "sluice.test.host"
local json = require "sluice.test.json"
local nearest = require "sluice.nearest"
local options = require "sluice.options"
local tables = require "sluice.tables"

local feed = {}

local RECORD = {}

local PARTS = { key = true, value = true, headers = true, timestamp = true,
   offset = true }

--- A record with more than a value.
-- @tparam table parts
-- @treturn table
function feed.record(parts)
   if type(parts) ~= "table" then error("test.record takes a table", 3) end
   for name in pairs(parts) do
      if not PARTS[name] then
         error(("test.record: there is no `%s`%s"):format(tostring(name),
            nearest.hint(tostring(name), tables.keys(PARTS))), 3)
      end
   end
   return setmetatable(parts, RECORD)
end

-- A table is a record, not a row, when all its names are those of a record, `value` is
-- one of them or `key` has the row's place, and the schema has no such fields.
local function is_record(row, source)
   if getmetatable(row) == RECORD then return true end
   if next(row) == nil then return false end
   for name in pairs(row) do
      if not PARTS[name] or source.names[name] then return false end
   end
   return true
end

local function text_of(value, encode)
   if value == nil or value == json.null then return nil end
   if type(value) == "string" then return value end
   return encode(value)
end

local function headers_of(given)
   local list = {}
   for _, name in ipairs(tables.keys(given or {})) do
      local value = given[name]
      if type(value) == "table" then
         list[#list + 1] = value
      else
         list[#list + 1] = { name, tostring(value) }
      end
   end
   return list
end

-- A value as the text of a CSV column or a raw record; nil for null.
local function plain_text(value)
   if value == nil or value == json.null then return nil end
   if type(value) == "string" then return value end
   return json.encode(value)
end

-- How a row of fields becomes a record's value: by its format, else it is JSON. (A
-- field's column is its `from`, or its name.)
local function encoder_of(source)
   local of = format.FORMATS[source.format]
   if source.format == "raw" or not (of and of.encode) then return json.encode end
   local style = source.format_options
   if style then style.columns = style.columns or source.columns end
   return function(row)
      local values = {}
      for name, value in pairs(row) do values[name] = plain_text(value) end
      return of.encode(source, values)
   end
end

-- The header line of a file: its columns, each holding its name.
local function named(columns)
   local row = {}
   for _, name in ipairs(columns) do row[name] = name end
   return row
end

local function prepare(source)
   if source.names then return source end
   source.names = {}
   for _, field in ipairs(source.fields) do source.names[field.name] = true end
   source.encode = encoder_of(source)
   if source.has_header then source.header = source.encode(named(source.columns)) end
   return source
end

local function record_of(row, source)
   if type(row) == "string" then return { value = row } end
   if type(row) ~= "table" then
      error(("a row is %s, wanted a table of fields, or the record's bytes as a text")
         :format(options.show(row)), 0)
   end
   if row == json.null then return {} end
   if source.format == "raw" and getmetatable(row) ~= RECORD then
      return { value = plain_text(row.value), key = plain_text(row.key),
         headers = headers_of(row.headers), time = row.timestamp, offset = row.offset }
   end
   if not is_record(row, source) then return { value = source.encode(row) } end
   return {
      value = text_of(row.value, source.encode), key = text_of(row.key, json.encode),
      headers = headers_of(row.headers), time = row.timestamp, offset = row.offset,
   }
end

local function is_rows(list)
   if list == json.null or type(list) ~= "table" then return false end
   local first = list[1]
   if first == nil then return next(list) == nil end
   return type(first) ~= "table" or first == json.null or first[1] == nil
end

-- `add.fn(record, source, topic, partition, row)` for each.
local function each_row(add, source, topic, partition, list)
   if source.header and list[1] ~= nil and not add.begun[topic] then
      add.begun[topic] = true
      if type(list[1]) == "table" then
         add.fn({ value = source.header }, source, topic, partition)
      end
   end
   for i, row in ipairs(list) do
      local made, record = pcall(record_of, row, source)
      if not made then
         error(("row %d of %s/%d: %s"):format(i, topic, partition, record), 6)
      end
      add.fn(record, source, topic, partition, row)
   end
end

local function each_of_topic(add, source, topic, given)
   if is_rows(given) then return each_row(add, source, topic, 0, given) end
   for _, partition in ipairs(tables.keys(given)) do
      local list = given[partition]
      if type(partition) ~= "number" or partition < 0 or partition % 1 ~= 0
         or type(list) ~= "table" then
         error((":batch: in %s stands [%s] = %s, wanted rows by partition: { [0] = { "
            .. "row, … }, [1] = { row, … } }"):format(topic, tostring(partition),
            options.show(list)), 5)
      end
      each_row(add, source, topic, partition, list)
   end
end

local function find(about, name)
   local names = {}
   for _, source in ipairs(about.sources) do
      if source.name == name then return source, source.topics[1] end
      names[#names + 1] = source.name
      for _, topic in ipairs(source.topics) do
         if topic == name then return source, topic end
         names[#names + 1] = topic
      end
   end
   for _, source in ipairs(about.sources) do
      if source.pattern then return source, name end -- a topic that it may find
   end
   for _, source in ipairs(about.sources) do
      if prepare(source).names[name] then
         error((":batch: `%s` is a field: rows stand in a list, write :batch { { %s = … "
            .. "} }"):format(name, name), 5)
      end
   end
   error((":batch: there is no source `%s`%s"):format(tostring(name),
      nearest.hint(tostring(name), names)), 5)
end

local function only_source(about)
   if #about.sources == 1 then return about.sources[1] end
   local names = {}
   for i, one in ipairs(about.sources) do names[i] = one.name end
   error((":batch: there are several sources, say which: { [%q] = { row, … } }; there "
      .. "are: %s"):format(names[1], table.concat(names, ", ")), 5)
end

--- Go through the records of a batch.
-- @tparam table about description of the pipeline
-- @tparam table given as `:batch` takes it
-- @tparam function fn (record, source, topic, partition, row), called for each; `row` is
--  nil for the header line that a file of CSV gets before its first row that is a table
-- @tparam table begun topics that have had their first row; changed
function feed.each(about, given, begun, fn)
   local add = { fn = fn, begun = begun }
   if type(given) ~= "table" then
      error((":batch takes a table of rows, got %s"):format(options.show(given)), 4)
   end
   local by_name = false
   for key in pairs(given) do by_name = by_name or type(key) == "string" end
   if by_name then
      for _, name in ipairs(tables.keys(given)) do
         local source, topic = find(about, name)
         each_of_topic(add, prepare(source), topic, given[name])
      end
   elseif next(given) ~= nil then
      local source = prepare(only_source(about))
      each_of_topic(add, source, source.topics[1], given)
   end
end

--- Append the records of a batch to their topics.
-- @tparam userdata handle of the pipeline
-- @tparam table about its description
-- @tparam table given as `:batch` takes it
-- @tparam table begun topics that have had their first row; changed
function feed.all(handle, about, given, begun)
   feed.each(about, given, begun, function(record, _, topic, partition)
      host.feed(handle, topic, partition, record)
   end)
end

return feed
