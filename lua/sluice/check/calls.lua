--- What is wrong with a call, by what its arguments are known to be: a row where a table
-- is wanted, a constant that a helper of the library does not take.
-- @module sluice.check.calls

local bytecode = require "sluice.check.bytecode"
local helpers = require "sluice.check.helpers"

local calls = {}

-- Where calls have the number of their arguments, and one.
local COUNTS = { CALL = "c", CALLT = "d" }

-- What a row cannot be handed to, and what to write: it has its fields by name only.
local NO_TABLE = "a row is no table: `%s` cannot take it; "
local BY_NAME = "name its fields, as in `%s.%s`"
local IN_TABLE = "write a table of its fields, as in { %s = %s.%s }"
local TAKES_TABLES = { pairs = BY_NAME, ipairs = BY_NAME, next = BY_NAME,
   unpack = BY_NAME, rawget = BY_NAME, print = BY_NAME, setmetatable = IN_TABLE,
   encode = IN_TABLE, emit = IN_TABLE, concat = BY_NAME }

--- How many arguments a call has.
-- @tparam table ins instruction
-- @treturn ?integer nil: it depends
function calls.count(ins)
   local operand = COUNTS[ins.op]
   return operand and ins[operand] - 1
end

--- Functions that take tables and no rows.
-- @tparam table globals of the script
-- @treturn table function → its name
function calls.takers(globals)
   local places = { encode = rawget(globals, "cjson"), concat = rawget(globals, "table") }
   local takers = {}
   for name in pairs(TAKES_TABLES) do
      local value = rawget(places[name] or globals, name)
      if value then takers[value] = name end
   end
   return takers
end

-- The name of what takes tables; an `emit` is a parameter.
local function taker(fn, takers)
   if fn.kind == "argument" then return fn.arg.kind == "emit" and "emit" or nil end
   return fn.kind == "outside" and takers[fn.value] or nil
end

local function row_problem(code, fn, first, takers)
   local name = first and first.kind == "argument" and first.arg.kind == "row"
      and taker(fn, takers)
   if not name then return nil end
   local field = first.arg.names[1] or "field"
   local row = type(code) == "function" and debug.getlocal(code, 1) or "row"
   local instead = TAKES_TABLES[name]
   return NO_TABLE:format(name) .. (instead == IN_TABLE
      and instead:format(field, row, field) or instead:format(row, field))
end

-- Constants that a helper of the library is called with.
local function add_constants(list, fn, ins, state)
   for at = 1, calls.count(ins) or 0 do
      local given = state[ins.a + bytecode.FIRST_ARGUMENT + at - 1]
      list[#list + 1] = given and type(given.value) == "string"
         and helpers.problem(fn.value, at, given.value) or nil
   end
end

--- Say what is wrong with a call.
-- @tparam table view of the function, from `slots.new`
-- @tparam table ins instruction
-- @tparam table state slot → what is known of it before the call
-- @tparam table takers from `calls.takers`
-- @treturn {string,...}
function calls.problems(view, ins, state, takers)
   local fn, list = state[ins.a], {}
   if not fn then return list end
   list[1] = row_problem(view.code, fn, state[ins.a + bytecode.FIRST_ARGUMENT], takers)
   if fn.kind == "outside" and helpers.has(fn.value) then
      add_constants(list, fn, ins, state)
   end
   return list
end

return calls
