--- The stages right behind a source: `:json` and the other formats, `:rows`,
-- `:event_time`.
-- @module sluice.stage.decode

local connector = require "sluice.connector"
local field = require "sluice.field"
local library = require "sluice.library"
local foreign = require "sluice.foreign"
local format = require "sluice.format"
local options = require "sluice.options"
local place = require "sluice.place"
local risk = require "sluice.risk"
local schema = require "sluice.schema"
local shape = require "sluice.shape"
local units = require "sluice.units"
local value = require "sluice.value"

local decode = {}

local function need_source(node, role_of)
   local source = node.parent
   local message = connector.conflict(source.connector, "source", source.values)
   if message then
      place.fail(nil, "sluice.%s as the source of `:%s`: %s", source.connector, role_of,
         message)
   end
end

local function spec_of(entry, method)
   local spec = field.spec(entry)
   if not spec then
      local near = type(entry) == "string" and entry or "name"
      place.fail(nil, "`:%s` takes fields, got %s: write sluice.string %q or another",
         method, options.show(entry), near)
   end
   if not spec.name then
      place.fail(spec.line, "`:%s` takes fields, and a %s has no name here: write "
         .. "sluice.%s(\"name\", …)", method, spec.type, spec.type)
   end
   local wrong = value.conflict(spec)
   if wrong then place.fail(spec.line, "field `%s`: %s", spec.name, wrong) end
   return spec
end

-- Fields in order, and the named options beside them.
local function read_fields(method, given, known)
   if type(given) ~= "table" or field.spec(given) then
      place.fail(nil, "`:%s` takes a table of fields, got %s: write { … }", method,
         field.spec(given) and "one field" or options.show(given))
   end
   local positional, named = options.split(given)
   if named[1] and not known then
      local name = tostring(named[1][1])
      place.fail(nil, "`:%s` takes fields in order, got `%s =`%s", method, name,
         foreign.hint(":" .. method, name)
         or ": a field's name stands in its constructor")
   end
   local specs, values = {}, {}
   for i, entry in ipairs(positional) do specs[i] = spec_of(entry, method) end
   for _, pair in ipairs(named) do values[pair[1]] = pair[2] end
   return specs, options.read(("`:%s`"):format(method), known or {}, values)
end

--- Fields of a stage in order.
-- @tparam string method which stage, for messages
-- @tparam table given
-- @treturn table specs
-- @raise for whatever is no field
function decode.fields(method, given)
   return (read_fields(method, given))
end

local NEVER_NULL = { topic = true, partition = true, offset = true,
   processing_time = true }

local function is_nullable(spec)
   local from = spec.from
   if from and from.kind == "metadata" then return not NEVER_NULL[from.metadata] end
   return not spec.required and spec.default == nil
end

local function columns_of(specs)
   local columns = {}
   for i, spec in ipairs(specs) do
      columns[i] = { name = spec.name, type = spec.type, exact = spec.exact or false,
         shape = spec.shape,
         nullable = is_nullable(spec), slot = i }
   end
   return columns
end

-- Fields of one place are all of them one value, or all lists, maps, structs; none lies
-- inside of another.
local function check_paths(method, specs)
   local at = {}
   local function check(spec, path, is_end)
      local other = at[path]
      local alike = is_end and other and other.is_end
         and not shape.BLOCKS[spec.type] == not shape.BLOCKS[other.type]
      if other and (is_end or other.is_end) and not alike then
         place.fail(spec.line, "`:%s`: fields `%s` and `%s` are taken from inside of "
            .. "each other: declare the outer one only, as a struct", method, spec.name,
            other.name)
      end
      at[path] = { name = spec.name, type = spec.type, is_end = is_end }
   end
   for _, spec in ipairs(specs) do
      local from = spec.from or { kind = "value", path = { spec.name } }
      local path = from.kind
      local count = (from.kind == "value" or from.kind == "key_path") and #from.path or 0
      for i = 1, count do
         path = path .. "\0" .. from.path[i]
         check(spec, path, i == count)
      end
   end
end

local function take_fields(node, method, specs)
   check_paths(method, specs)
   local made, twice = schema.new(columns_of(specs))
   if not made then
      place.fail(nil, "`:%s`: field `%s` stands twice: take one out, or name it anew "
         .. "with `:from`", method,
         twice)
   end
   node.fields, node.schema, node.source = specs, made, node.parent
end

-- The plan's options of a format, after a look at each field.
local function fill_format(node, name, values)
   local of = format.FORMATS[name]
   for _, spec in ipairs(node.fields) do
      local wrong = of.problem and of.problem(spec, values)
      if wrong then
         place.fail(spec.line, "`:%s`: field `%s`: %s", name, spec.name, wrong)
      end
   end
   if not of.fill then return end
   local filled, header = of.fill(node.fields, values, node.parent.connector)
   if not filled then place.fail(nil, "`:%s`: %s", name, header) end
   node.format_options, node.has_header = filled, header
end

--- Make the stage of a format.
-- @tparam string name of the format
-- @treturn function (node, fields in order and named options); raises for a source
--  without bytes, and whatever is no field
function decode.format(name)
   local of = format.FORMATS[name]
   return function(node, given)
      if node.parent.connector == "generator" then
         place.fail(nil, "a generator makes rows, not %s: write `:rows { fields }`",
            name == "json" and "JSON" or "bytes")
      end
      need_source(node, name)
      if given == nil and of.fields then given = {} end
      local specs, values = read_fields(name, given, of.OPTIONS)
      if of.fields then specs = of.fields(specs) end
      take_fields(node, name, specs)
      fill_format(node, name, values)
      node.op, node.format = "decode", name
   end
end

--- The schema of the library's events.
-- @tparam table node being made
-- @tparam string name of `sluice.library`
function decode.library(node, name)
   local specs = {}
   for i, entry in ipairs(library.EVENTS[name].fields()) do
      specs[i] = field.spec(entry)
      specs[i].line = node.line
   end
   take_fields(node, "generator", specs)
end

--- `:rows { fields }`: the generator's function gives rows.
-- @tparam table node being made
-- @tparam table given fields in order
-- @raise for a source other than a generator, and fields that are taken from elsewhere
function decode.rows(node, given)
   local kind = node.parent.connector
   if kind ~= "generator" then
      place.fail(nil, "sluice.%s gives bytes, not rows: write `:json { fields }`", kind)
   end
   need_source(node, "rows")
   take_fields(node, "rows", (read_fields("rows", given)))
   for _, spec in ipairs(node.fields) do
      if spec.from and spec.from.kind ~= "metadata" then
         place.fail(spec.line, "field `%s`: a generator's rows have no bytes to take it "
            .. "from: leave `:from…` out",
            spec.name)
      end
   end
   node.op = "decode"
end

local UNITS = { "s", "ms", "us", "ns" }

local RULE = options.word { "min", "max" }
local rule_of = RULE.check

-- Others have the delay under this name.
function RULE.check(given)
   if units.duration(given) then
      return nil, ("%s; how far it stays behind is delay = %s"):format(RULE.wanted,
         options.show(given))
   end
   return rule_of(given)
end

--- Options of `:event_time`.
decode.TIME = {
   unit = { check = options.word(UNITS), doc = "of integers; ms",
      about = "correctness",
      risk = "the wrong unit puts every record into the wrong year",
   },
   delay = { check = options.duration(0), as = "delay_ms",
      doc = "how far the watermark stays behind; absent: no watermark",
      about = "latency",
      risk = risk.delay,
   },
   idle = { check = options.duration_or({ never = -1 }, 1), default = "30 seconds",
      as = "idle_ms",
      doc = "when a silent partition stops holding the watermark",
      about = "latency",
      risk = risk.idle,
   },
   max_skew = { check = options.duration(0), default = "5 minutes", as = "max_skew_ms",
      doc = "how far ahead of the clock a record may be",
      about = "correctness",
      risk = "a clock that runs ahead by less than this closes windows too early",
   },
   on_skew = { check = options.word { "quarantine", "accept", "skip" },
      default = "quarantine",
      doc = "what becomes of records further ahead",
      about = "correctness",
      risk = '"accept" lets records from the future into windows of the future; '
         .. '"skip" drops them',
   },
   advance = { check = options.word { "data", "wall-clock" }, default = "data",
      doc = "what moves the watermark when all partitions are idle",
      about = "correctness",
      risk = '"wall-clock" closes windows of a source that has paused: what it then '
         .. 'sends is late',
   },
   watermark = { check = RULE, default = "min", as = "rule",
      doc = "over partitions: the slowest or the fastest",
      about = "correctness",
      risk = '"max" makes late what a slower partition still holds',
   },
}

-- Options that mean nothing without a watermark.
local OF_WATERMARK = { "idle", "advance", "watermark" }

local INTEGERS = { int32 = true, int64 = true }

local function check_time_field(node, name)
   local column, message = schema.column(node.schema, name)
   if not column then place.fail(nil, "`:event_time`: %s", message) end
   if column.type ~= "timestamp" and not INTEGERS[column.type] then
      place.fail(nil, "`:event_time`: `%s` is %s: write sluice.timestamp(%q, \"iso\") "
         .. "for RFC 3339 text, sluice.int64 for a number, or a function(row) that "
         .. "gives sluice.time.parse(row.%s, \"%%Y-%%m-%%d %%H:%%M:%%S\")", name,
         column.type, name, name)
   end
end

--- Say what is wrong between options of `:event_time`.
-- @tparam table node of it
-- @tparam table values checked options
-- @treturn ?string a message
function decode.time_conflict(node, values)
   local at = node.time_field
   if at and values.unit and node.schema.by_name[at].type == "timestamp" then
      return ("`unit` is for integers, `%s` is a timestamp: leave it out, the unit "
         .. "stands in sluice.timestamp"):format(at)
   end
   if values.delay then return nil end
   for _, name in ipairs(OF_WATERMARK) do
      if values[name] then
         return ("`%s` moves a watermark, and without `delay` there is none: write delay "
            .. "= \"10 minutes\", or leave it out"):format(name)
      end
   end
end

--- The event time of a source as the graph has it.
-- @tparam table node of `:event_time`
-- @tparam table values checked options
-- @treturn table
function decode.time_of(node, values)
   local filled = options.filled(decode.TIME, values)
   filled.unit = values.unit or "ms"
   filled.skew_given = values.max_skew ~= nil
   filled.wall_clock = filled.advance == "wall-clock"
   filled.advance = nil
   filled.field, filled.fn = node.time_field, node.time_fn
   return filled
end

--- `:event_time(field | function, options)`: when a record happened, and how far to wait.
-- @tparam table node being made
-- @tparam string|function time a field, or function(row) → time
-- @tparam ?table given options of `decode.TIME`
-- @raise for unknown fields and options, and a unit on what is no integer
function decode.event_time(node, time, given)
   if type(given) == "string" or type(given) == "number" then
      place.fail(nil, "`:event_time` takes a table of options, got %s: write { "
         .. "delay = %s }", options.show(given), options.show(given))
   end
   local values = options.read("`:event_time`", decode.TIME, given == nil and {} or given)
   node.values = values
   if type(time) == "string" then
      check_time_field(node, time)
      node.time_field = time
   elseif type(time) == "function" then
      node.time_fn = time
   else
      place.fail(nil, "`:event_time` takes a field's name or a function(row), got %s",
         options.show(time))
   end
   local message = decode.time_conflict(node, values)
   if message then place.fail(nil, "`:event_time`: %s", message) end
end

return decode
