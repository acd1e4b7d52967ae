--- Events for `--embedded`: by the source's `events`, or made from its schema. The same
-- for the same seed, number and time.
-- @module sluice.events

local cjson = require "cjson"
local base64 = require "sluice.base64"
local decimal = require "sluice.decimal"
local driver_random = require "sluice.driver.random"
local format = require "sluice.format"
local library = require "sluice.library"
local units = require "sluice.units"

local events = {}

local NULL_SHARE = 0.04
local DISORDER_MS, LATE_SHARE = 400, 0.05
local LATE_MS = 4000
local FEW = 12
local DAY_MS = 86400000
-- Digits of a made-up decimal, items of a list.
local DIGITS, MOST_ITEMS = 6, 3

local function quoted(text)
   return cjson.encode(text)
end

local function number(value)
   if value == math.floor(value) then return ("%.0f"):format(value) end
   return ("%.14g"):format(value)
end

local FROM_MS = { s = 0.001, ms = 1, us = 1000, ns = 1000000 }

local function iso(time_ms)
   local seconds = math.floor(time_ms / 1000)
   local fraction = (".%03dZ"):format(time_ms - seconds * 1000)
   return os.date("!%Y-%m-%dT%H:%M:%S", seconds) .. fraction
end

local function time_text(time_ms, unit)
   if unit == "iso" then return quoted(iso(time_ms)) end
   local scaled = time_ms * (FROM_MS[unit] or 1)
   return number(unit == "s" and math.floor(scaled) or scaled)
end

--- Near now: most a little out of order, a few by seconds.
local function event_time(now_ms, random)
   local back = random() < LATE_SHARE and LATE_MS or DISORDER_MS
   return now_ms - random(0, back)
end

local function plain(value)
   if type(value) == "number" then return number(value) end
   return cjson.encode(value)
end

-- A value inside of a list, map or struct.
local inner

local MAKE = {
   bool = function(_, random) return tostring(random() < 0.5) end,
   int32 = function(_, random) return number(random(1, 1000)) end,
   int64 = function(_, random) return number(random(1, 1000)) end,
   double = function(_, random) return number(random(0, 10000) / 100) end,
   timestamp = function(field, random, _, now_ms)
      return time_text(event_time(now_ms, random), field.unit)
   end,
   string = function(field, random, i)
      local base = (field.name or "item"):gsub("_?id$", "")
      if base == "" or base == "event" then
         return quoted(("%s-%d"):format(base == "" and "id" or base, i))
      end
      return quoted(("%s-%d"):format(base, random(1, FEW)))
   end,
}

function MAKE.bytes(_, random)
   return quoted(base64.encode(("%08x"):format(random(0, 2 ^ 31))))
end

function MAKE.date(_, random, _, now_ms)
   return quoted(units.date_text(math.floor(now_ms / DAY_MS) - random(0, FEW)))
end

function MAKE.decimal(field, random)
   local of = field.shape
   local digits = random(0, 10 ^ math.min(of.precision, DIGITS) - 1)
   return quoted(tostring(decimal.new(digits, 0, of.scale)))
end

function MAKE.list(field, random, i, now_ms)
   local items = {}
   for k = 1, random(0, MOST_ITEMS) do
      items[k] = inner(field.shape.item, random, i, now_ms)
   end
   return "[" .. table.concat(items, ",") .. "]"
end

function MAKE.map(field, random, i, now_ms)
   local items = {}
   for k = 1, random(0, MOST_ITEMS) do
      items[k] = ('"key-%d":'):format(k) .. inner(field.shape.item, random, i, now_ms)
   end
   return "{" .. table.concat(items, ",") .. "}"
end

function MAKE.struct(field, random, i, now_ms)
   local items = {}
   for k, one in ipairs(field.shape.fields) do
      items[k] = quoted(one.name) .. ":" .. inner(one, random, i, now_ms)
   end
   return "{" .. table.concat(items, ",") .. "}"
end

-- Between the bounds, which have the field's scale.
local function decimal_in_range(field, random)
   local scale = field.shape.scale
   local low, high = decimal.of(field.range[1]), decimal.of(field.range[2])
   local part = decimal.of(math.floor(random() * 1000)) * "0.001"
   local value = low + ((high - low):round(math.min(scale, 15)) * part):round(scale)
   return quoted(tostring(value))
end

local function in_range(field, random)
   local low, high = field.range[1], field.range[2]
   if field.type == "decimal" then return decimal_in_range(field, random) end
   if field.type == "date" then return quoted(units.date_text(random(low, high))) end
   if field.type == "double" then
      return number(low + math.floor(random() * (high - low) * 100) / 100)
   end
   return number(random(math.ceil(low), math.floor(high)))
end

-- One of the field's values as its records write them.
local function one_of(field, random)
   local value = field.one_of[random(#field.one_of)]
   if field.type == "date" then return quoted(units.date_text(value)) end
   if field.type == "bytes" then return quoted(base64.encode(value)) end
   return plain(value)
end

local function made(field, random, i, now_ms)
   if field.one_of then return one_of(field, random) end
   if field.range then return in_range(field, random) end
   return MAKE[field.type](field, random, i, now_ms)
end

function inner(field, random, i, now_ms)
   local can_be_null = not field.required and field.default == nil
   if can_be_null and random() < NULL_SHARE then return "null" end
   return made(field, random, i, now_ms)
end

local function value_of(source, field, random, i, now_ms)
   local time = source.time
   if time and time.field == field.name then
      return time_text(event_time(now_ms, random), field.unit or time.unit)
   end
   local can_be_null = not field.required and field.default == nil
   if can_be_null and random() < NULL_SHARE then return "null" end
   return made(field, random, i, now_ms)
end

--- Put a value's text at a path of objects that keep the order of their members.
local function put(object, path, text)
   for depth = 1, #path - 1 do
      local name = path[depth]
      if type(object.by_name[name]) ~= "table" then
         object.names[#object.names + 1] = name
         object.by_name[name] = { names = {}, by_name = {} }
      end
      object = object.by_name[name]
   end
   local last = path[#path]
   if object.by_name[last] == nil then object.names[#object.names + 1] = last end
   object.by_name[last] = text
end

local function encode(object)
   if type(object) == "string" then return object end
   local parts = {}
   for k, name in ipairs(object.names) do
      parts[k] = quoted(name) .. ":" .. encode(object.by_name[name])
   end
   return "{" .. table.concat(parts, ",") .. "}"
end

--- The text of a column or raw record that says what JSON says; nil for null.
local function plain_text(json)
   if json == "null" then return nil end
   return json:sub(1, 1) == '"' and cjson.decode("[" .. json .. "]")[1] or json
end

-- The encoder of a format that is not JSON; nil: it is.
local function encoder_of(source)
   local of = source.format and format.FORMATS[source.format]
   return of and of.encode
end

local function from_schema(source, i, random, now_ms)
   local object, encode_row = { names = {}, by_name = {} }, encoder_of(source)
   for _, field in ipairs(source.fields) do
      local from = field.from
      if not from or from.kind == "value" then
         local path = from and from.path or { field.name }
         put(object, path, value_of(source, field, random, i, now_ms))
      end
   end
   if not encode_row then return encode(object) end
   for name, json in pairs(object.by_name) do object.by_name[name] = plain_text(json) end
   return encode_row(source, object.by_name)
end

--- Names in a fixed order, so that the same event has the same bytes.
local function from_table(source, value)
   local encode_row = encoder_of(source)
   if encode_row then
      local texts = {}
      for name, item in pairs(value) do texts[name] = plain_text(cjson.encode(item)) end
      return encode_row(source, texts)
   end
   if value[1] ~= nil or getmetatable(value) then return cjson.encode(value) end
   local object = { names = {}, by_name = {} }
   for name in pairs(value) do object.names[#object.names + 1] = tostring(name) end
   table.sort(object.names)
   for name, item in pairs(value) do
      object.by_name[tostring(name)] = cjson.encode(item)
   end
   return encode(object)
end

--- Make one event.
-- @tparam table source of the graph
-- @tparam integer i its number, from 0
-- @tparam integer seed
-- @tparam integer now_ms Unix ms
-- @treturn string in the source's format, or what the source's `events` gave as text
-- @raise when `events` gives neither a table nor text
-- @usage events.make(graph.sources[1], 0, 42, 1700000000000)
function events.make(source, i, seed, now_ms)
   local random, reseed = driver_random.new(seed)
   reseed(i)
   local given = source.events
   if not given then return from_schema(source, i, random, now_ms) end
   local value
   if library.EVENTS[given] then
      value = library.EVENTS[given].row(i, random, event_time(now_ms, random))
   elseif type(given) == "function" then
      value = given(i, random, now_ms)
   else
      value = given[i % #given + 1]
   end
   if type(value) == "string" then return value end
   if type(value) ~= "table" then
      error(("`events` of %s gives %s for i = %d, wanted a table or text"):format(
         source.name, type(value), i), 0)
   end
   return from_table(source, value)
end

return events
