--- Values that functions give and nobody takes: a `fold` or `merge` changes its state in
-- place, a `flat_map` calls `emit`. One that returns what it made instead would be called
-- for each row, and do nothing.
-- @module sluice.check.vain

local ffi = require "ffi"

local rows = require "sluice.check.rows"
local user = require "sluice.aggregate.user"

local vain = {}

local SOME = 7 -- in each member of the state that is merged

local STATE = "gives a %s that nobody takes, and leaves the state as it was: change `%s` "
   .. "in place, as in `%s.%s = …`"
local ROWS = "gives a table that nobody takes: call emit { name = value } for each row"

-- A state as a group begins with; `is_filled`: with numbers in it.
local function state_of(spec, is_filled)
   local state = ffi.new(user.struct(spec))
   user.start(spec, state)
   for _, member in ipairs(is_filled and spec.members or {}) do
      pcall(function() state[member.name] = SOME end)
   end
   return state
end

local function bytes_of(state)
   return ffi.string(state, ffi.sizeof(state))
end

-- What the function is called with beside the state; nil when no row is known to come.
local function other_of(entry)
   local arg = entry.args[2]
   if not arg then return {} end
   if arg.kind == "state" then return { state_of(arg.spec, true) } end
   local first = rows.new(arg, entry.fn):reaching()[1]
   return first and { rows.view(arg, first.values, {}) }
end

-- The name of a parameter, or what stands for it in documents.
local function name_of(fn)
   return debug.getlocal(fn, 1) or "state"
end

--- Say what a fold, merge or init gives beside a state that it leaves as it was.
-- @tparam table entry from `functions.of`
-- @treturn ?string a message
function vain.state(entry)
   local spec = entry.args[1] and entry.args[1].kind == "state" and entry.args[1].spec
   if not spec or entry.gives then return nil end
   local done, message = pcall(function()
      local state, other = state_of(spec), other_of(entry)
      local before = bytes_of(state)
      if not other then return nil end
      local gave = entry.fn(state, other[1])
      if gave == nil or rawequal(gave, state) or bytes_of(state) ~= before then
         return nil
      end
      local name = name_of(entry.fn)
      return STATE:format(type(gave), name, name, spec.members[1].name)
   end)
   return done and message or nil
end

--- Say what a flat_map gives in place of rows.
-- @tparam table entry from `functions.of`
-- @tparam table results of calls, `{ gave = }` each
-- @treturn ?string a message
function vain.rows(entry, results)
   local last = entry.args[2]
   if not last or last.kind ~= "emit" then return nil end
   for _, one in ipairs(results) do
      if type(one.gave) == "table" then return ROWS end
   end
end

return vain
