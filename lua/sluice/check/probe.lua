--- Each function of a plan is run before any record comes, on made-up rows that come
-- through the stages before it (`sluice.check.rows`). What throws only where every field
-- that can be null is, is refused: the first null would quarantine a record. What throws
-- on all of them, or when one field alone is null, may be the rows' fault, and is a
-- warning. What gives a value of another kind than its column is refused, too. Where no
-- made-up row is known to come through, nothing is said but that a field is not there.
-- @module sluice.check.probe

local ffi = require "ffi"

local decimal = require "sluice.decimal"
local failure = require "sluice.failure"
local nearest = require "sluice.nearest"
local rows = require "sluice.check.rows"
local shape = require "sluice.shape"
local stand = require "sluice.check.stand"
local tables = require "sluice.tables"
local user = require "sluice.aggregate.user"
local vain = require "sluice.check.vain"

local probe = {}

local WINDOW_MS = 60000

local misfit

--- A stand-in for `emit`: looks at all names and kinds of values.
local function make_emit(arg, seen)
   local names, by_name = {}, {}
   for i, field in ipairs(arg.fields) do
      names[i], by_name[field.name] = field.name, field
   end
   local function refuse(text, ...)
      seen.unknown = true
      error(text:format(...), 3)
   end
   return function(t)
      if type(t) ~= "table" then
         refuse("emit takes a table of fields, got %s", type(t))
      end
      for _, name in ipairs(tables.keys(t)) do
         local field = by_name[name]
         if not field then
            refuse("emit: unknown field `%s`%s", tostring(name),
               nearest.hint(tostring(name), names))
         end
         local wrong = misfit(t[name], field)
         if wrong then refuse("emit: field `%s` %s", name, wrong) end
      end
   end
end

local function make_argument(arg, values, seen)
   if arg.kind == "row" then return rows.view(arg, values, seen) end
   if arg.kind == "emit" then return make_emit(arg, seen) end
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
      local state = make_argument(arg)
      local first = rows.new(arg.row, arg.spec.fold):reaching()[1]
      for _ = 1, 3 do arg.spec.fold(state, rows.view(arg.row, first.values, {})) end
      return entry.fn(state, make_argument(entry.args[2]))
   end)
   return done and gave or nil
end

--- Run a function on made-up arguments: what it threw as text, what it saw and gave.
local function run(entry, values, reads)
   local seen, problem, gave = { reads = reads }, nil, nil
   local done = xpcall(function()
      local args = {}
      for i, arg in ipairs(entry.args) do args[i] = make_argument(arg, values, seen) end
      gave = entry.fn(unpack(args, 1, #entry.args))
   end, function(thrown)
      problem = type(thrown) == "string" and thrown
         or ("%s: threw a %s%s"):format(entry.line, type(thrown),
            type(thrown) == "table" and " " .. failure.show(thrown) or "")
   end)
   if done then return { seen = seen, gave = gave } end
   local never = stand.never(problem)
   seen.unknown = seen.unknown or never ~= nil
   problem = never or problem
   return { problem = problem or entry.line .. ": threw", seen = seen }
end

--- "FILE:LINE: message" with what threw in between.
local function placed(entry, problem)
   local place, message = problem:match("^(.-:%d+): (.*)$")
   return ("%s: %s: %s"):format(place or entry.line, entry.what, message or problem)
end

-- What it saw of fields that were nil; one that threw over a text or by itself has
-- another reason.
local function hint(names, problem)
   local has_reason = problem:find "%(a string value%)"
      or problem:find "threw a table"
   if #names == 0 or has_reason then return "" end
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
function misfit(given, of)
   if given == nil then return nil end
   local wanted = KINDS[of.type]
   local fits = wanted and type(given) == wanted
   if fits or not wanted and is_number(given, of.type) then return nil end
   if type(given) == "userdata" then
      return ("gives sluice.null, wanted %s or nil: nil is null"):format(shape.text(of))
   end
   if decimal.is(given) then
      return ("gives a decimal, wanted %s or nil: write sluice.decimal(function(row) … "
         .. "end, 10, 2), or tonumber(x)"):format(shape.text(of))
   end
   return ("gives a %s, wanted %s or nil"):format(type(given), shape.text(of))
end

-- A result's field that `returns` does not name: its column would be null for ever.
local function undeclared(value, fields)
   local names, known = {}, {}
   for i, field in ipairs(fields) do
      names[i], known[field.name] = field.name, true
   end
   for _, name in ipairs(tables.keys(value)) do
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

local function misfit_among(results, gives)
   for _, one in ipairs(results) do
      local wrong = not one.problem and misfit_of(one.gave, gives)
      if wrong then return wrong end
   end
end

-- Of the plain row, or where all is null: then it is no matter of chance.
local function wrong_value(entry, tried)
   local gives = entry.gives
   return misfit_among({ tried.samples[1] }, gives)
      or misfit_among(tried.nulls, gives)
      or (gives.type or gives.fields) and misfit_of(of_folded(entry), gives)
end

-- What a filter gives is true unless it is nil or false: 0 passes, too.
local function gives_number(tried)
   for _, one in ipairs(tried.samples) do
      local kind = type(one.gave)
      if not one.problem and (kind == "number" or kind == "cdata") then return true end
   end
   return false
end

-- Among the arguments, the row.
local function row_among(args)
   for _, arg in ipairs(args) do
      if arg.kind == "row" then return arg end
   end
end

local MOST_BASES = 4

-- Run on what rows become with nulls, and the first of them on each null alone.
local function try_nulls(entry, made, tried, bases)
   for i = 1, math.min(#bases, MOST_BASES) do
      local nulls, alone = made:nulls_of(bases[i], i == 1)
      tried.nulls[i] = run(entry, nulls)
      for k, values in ipairs(alone) do tried.alone[k] = run(entry, values) end
   end
end

-- Run on rows without a null, on what they become with nulls, and on each null alone.
-- `good`: it did not throw on a row without; `reached`: a row is known to come through.
local function try(entry)
   local arg = row_among(entry.args)
   local tried = { samples = {}, nulls = {}, alone = {}, reached = true, good = false }
   if not arg then
      tried.samples[1] = run(entry)
      return tried
   end
   local made = rows.new(arg, entry.fn)
   local reaching = made:reaching()
   if not reaching[1] then
      tried.samples[1], tried.reached = run(entry, made:sample()), false
      return tried
   end
   local good = {}
   for i, one in ipairs(reaching) do
      tried.samples[i] = run(entry, one.values, made.reads)
      if not tried.samples[i].problem then good[#good + 1] = one.base end
   end
   tried.good = good[1] ~= nil
   try_nulls(entry, made, tried, tried.good and good or { reaching[1].base })
   return tried
end

local function first_thrown(results, wants_unknown)
   for _, one in ipairs(results) do
      if one.problem and (one.seen.unknown or not wants_unknown) then return one end
   end
end

local function refusal(entry, tried)
   local unknown = first_thrown(tried.samples, true)
      or first_thrown(tried.nulls, true)
   if unknown then return placed(entry, unknown.problem) end
   if not tried.reached then return nil end
   local nulls = tried.good and first_thrown(tried.nulls)
   if nulls then
      return placed(entry, nulls.problem) .. hint(nulls.seen, nulls.problem)
   end
   local wrong = entry.gives and wrong_value(entry, tried) or vain.state(entry)
      or vain.rows(entry, tried.samples)
   return wrong and placed(entry, wrong)
end

local MADE_UP = " (on a made-up row, at check)"

-- Made-up text is no JSON: that `cjson` does not read it says nothing of real text.
local function is_of_made_up(problem)
   return problem:find "invalid token at character %d+" ~= nil
end

local function doubt(entry, tried)
   if not tried.reached then return nil end
   if not tried.good and tried.samples[1].problem then
      if is_of_made_up(tried.samples[1].problem) then return nil end
      return placed(entry, tried.samples[1].problem) .. MADE_UP
   end
   local wrong = entry.gives and misfit_among(tried.samples, entry.gives)
   if wrong then return placed(entry, wrong) .. MADE_UP end
   local thrown = tried.good and first_thrown(tried.alone)
   if thrown then
      return placed(entry, thrown.problem) .. hint(thrown.seen, thrown.problem)
   end
   if entry.gives and entry.gives.filter and gives_number(tried) then
      return placed(entry, "gives a number, and every number passes, 0 too: write a "
         .. "comparison"), "filter-gives-number"
   end
end

--- Run one function of a plan on made-up rows.
-- @tparam table entry from `functions.of`: `{ fn =, what =, line =, args =, gives = }`
-- @treturn ?string why it is refused, "FILE:LINE: what: message"
-- @treturn ?string a warning, in the same form
-- @treturn ?string the name of the warning's code, "function-throws" when absent
-- @usage local refused, warning = probe.check(entry)
function probe.check(entry)
   if not entry.args or entry.unprobed then return nil, nil end
   local tried = try(entry)
   local refused = refusal(entry, tried)
   if refused then return refused, nil end
   return nil, doubt(entry, tried)
end

return probe
