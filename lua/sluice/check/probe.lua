--- Each function of a plan is run once before any record comes: on a row of sample
-- values, and on the same row with every nullable field nil. What throws only on the
-- second is refused: the first null would quarantine a record. What throws on the first
-- may be the sample's fault, and is a warning. What gives a value of another kind than
-- its column is refused, too.
-- @module sluice.check.probe

local ffi = require "ffi"

local decimal = require "sluice.decimal"
local nearest = require "sluice.nearest"
local options = require "sluice.options"
local shape = require "sluice.shape"
local user = require "sluice.aggregate.user"
local value_of = require "sluice.value"

local probe = {}

-- Numbers that scripts hardly treat apart, as they do 0 and 1.
local SAMPLE = 12345
local SAMPLES = { bool = true, int32 = SAMPLE, int64 = SAMPLE, double = 1.5, string = "a",
   timestamp = 1700000000000, date = 19844, bytes = "a" }
local WINDOW_MS = 60000

-- Values of the types that hold others.
local COMPOSED = {}

local function sample_of(column, field)
   local spec = field or column
   if spec.one_of then return value_of.in_lua(spec, spec.one_of[1]) end
   if spec.range then return value_of.in_lua(spec, spec.range[1]) end
   if spec.type == "int64" and spec.exact then return ffi.new("int64_t", SAMPLE) end
   local make = COMPOSED[spec.type]
   if make then return make(spec.shape) end
   return SAMPLES[spec.type]
end

function COMPOSED.decimal(of) return decimal.new(1, 0, of.scale) end
function COMPOSED.list(of) return { sample_of(of.item), sample_of(of.item) } end
function COMPOSED.map(of) return { a = sample_of(of.item) } end
function COMPOSED.struct(of)
   local made = {}
   for _, one in ipairs(of.fields) do made[one.name] = sample_of(one) end
   return made
end

--- A stand-in for a row that remembers which fields were nil when they were read.
local function make_row(arg, with_nils, seen)
   local values = {}
   for _, column in ipairs(arg.schema.columns) do
      if not (with_nils and column.nullable) then
         values[column.name] = sample_of(column, arg.fields[column.slot])
      end
   end
   return setmetatable({}, {
      __index = function(_, name)
         if not arg.schema.by_name[name] then
            seen.unknown = true
            error(("unknown field `%s`%s"):format(tostring(name),
               nearest.hint(tostring(name), arg.names)), 2)
         end
         local value = values[name]
         if value == nil and not seen[name] then
            seen[name] = true
            seen[#seen + 1] = name
         end
         return value
      end,
      __newindex = function(_, name)
         seen.unknown = true
         error(("a row cannot be changed: assigned to `%s`; use :derive")
            :format(tostring(name)), 2)
      end,
   })
end

local function make_argument(arg, with_nils, seen)
   if arg.kind == "row" then return make_row(arg, with_nils, seen) end
   if arg.kind == "window" then return { start = 0, stop = WINDOW_MS } end
   local state = ffi.new(user.struct(arg.spec))
   user.start(arg.spec, state)
   return state
end

--- What a result gives of a state with made-up rows in it; nil when it does not come to
-- that.
local function of_folded(entry)
   local arg = entry.args[1]
   if arg.kind ~= "state" or not arg.row or not arg.spec.fold then return nil end
   local done, gave = pcall(function()
      local state, seen = make_argument(arg), {}
      for _ = 1, 3 do arg.spec.fold(state, make_row(arg.row, false, seen)) end
      return entry.fn(state, make_argument(entry.args[2]))
   end)
   return done and gave or nil
end

--- Run a function on made-up arguments: what it threw as text, what it saw and gave.
local function run(entry, with_nils)
   local seen, problem, gave = {}, nil, nil
   local done = xpcall(function()
      local args = {}
      for i, arg in ipairs(entry.args) do
         args[i] = make_argument(arg, with_nils, seen)
      end
      gave = entry.fn(unpack(args, 1, #entry.args))
   end, function(thrown)
      problem = type(thrown) == "string" and thrown
         or ("%s: threw a %s"):format(entry.line, type(thrown))
   end)
   if done then return nil, seen, gave end
   return problem or entry.line .. ": threw", seen
end

--- "FILE:LINE: message" with what threw in between.
local function placed(entry, problem)
   local place, message = problem:match("^(.-:%d+): (.*)$")
   return ("%s: %s: %s"):format(place or entry.line, entry.what, message or problem)
end

local function hint(names)
   if #names == 0 then return "" end
   local shown = "`" .. table.concat(names, "`, `", 1, math.min(#names, 4)) .. "`"
   return ("; %s can be nil: guard %s, or declare :required()"):format(shown,
      #names == 1 and "it" or "them")
end

local KINDS = { bool = "boolean", string = "string", bytes = "string", list = "table",
   map = "table", struct = "table" }

-- A number, or what is taken for one.
local function is_number(x, kind)
   if type(x) == "number" or ffi.istype("int64_t", x) then return true end
   if type(x) == "string" then return kind == "date" or kind == "decimal" end
   return kind == "decimal" and decimal.is(x)
end

--- Why a value cannot go into a column of a type: its kind is another one. Whether a
-- number fits depends on the records.
local function misfit(given, of)
   if given == nil then return nil end
   local wanted = KINDS[of.type]
   local fits = wanted and type(given) == wanted
   if fits or not wanted and is_number(given, of.type) then return nil end
   return ("gives a %s, wanted %s or nil"):format(type(given), shape.text(of))
end

-- A result's field that `returns` does not name: its column would be null for ever.
local function undeclared(value, fields)
   local names, known = {}, {}
   for i, field in ipairs(fields) do
      names[i], known[field.name] = field.name, true
   end
   for _, name in ipairs(options.sorted_keys(value)) do
      if not known[name] then
         return ("gives `%s`, which `returns` does not name%s"):format(tostring(name),
            nearest.hint(tostring(name), names))
      end
   end
end

local function misfit_of(value, gives)
   if not gives.fields or value == nil then
      return gives.type and misfit(value, gives)
   end
   if type(value) ~= "table" then
      return ("gives a %s, wanted a table of its fields, as in { %s = … }"):format(
         type(value), gives.fields[1].name)
   end
   local unknown = undeclared(value, gives.fields)
   if unknown then return unknown end
   for _, field in ipairs(gives.fields) do
      local wrong = misfit(value[field.name], field)
      if wrong then return ("`%s` %s"):format(field.name, wrong) end
   end
end

local function wrong_value(entry, gave, gave_on_nils)
   local gives = entry.gives
   return misfit_of(gave, gives) or misfit_of(gave_on_nils, gives)
      or gives.fields and misfit_of(of_folded(entry), gives)
end

--- Run one function of a plan on made-up rows.
-- @tparam table entry from `functions.of`: `{ fn =, what =, line =, args =, gives = }`
-- @treturn ?string why it is refused, "FILE:LINE: what: message"
-- @treturn ?string a warning, in the same form
-- @usage local refused, warning = probe.check(entry)
function probe.check(entry)
   if not entry.args then return nil, nil end
   local on_sample, saw, gave = run(entry, false)
   if on_sample and saw.unknown then return placed(entry, on_sample), nil end
   local on_nils, nils, gave_on_nils = run(entry, true)
   if on_nils and (not on_sample or nils.unknown) then
      return placed(entry, on_nils) .. hint(nils), nil
   end
   local wrong = entry.gives and wrong_value(entry, gave, gave_on_nils)
   if wrong then return placed(entry, wrong), nil end
   if on_sample then
      return nil, placed(entry, on_sample) .. " (on a made-up row, at check)"
   end
   return nil, nil
end

return probe
