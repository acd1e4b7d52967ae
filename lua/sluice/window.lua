--- Windows: the table of their kinds, their constructors, and what stages ask of a kind.
--
-- A kind is one file in `window/` and one line in `KINDS`. Its module gives `kind` (its
-- name, after `sluice.`), `doc` (the reference), `options`, and `plan(values)` (→ times
-- of the plan, by `common.panes`). It may give
--
-- - `needed`: list of `{ option, example, what else could be said }`;
-- - `conflict(values)`: → what is wrong between options;
-- - `mistakes`: option of another kind → what it is there;
-- - `as`: the kind whose arithmetic it takes in C, where it is one of Lua only;
-- - `key_bounds`: how many bounds stand in the key of its rows (1, the start);
-- - `has_bounds` = false: rows have none; `merges`: states of panes are merged;
--   `keeps_span`: a state has the times of its first and last row; `retracts`: rows that
--   were sent may be taken back; `is_open`: it never closes;
-- - `no_mode`: mode → why it has none; `no_final(of)`: → what has no last row;
-- - `is_timeless(of)`: whether it needs no event time; `closing`: `{ what =, instead =
--   }`, what a watermark is needed for, and what does without;
-- - `say(of)`: how `sluice check` names it.
-- @module sluice.window

local options = require "sluice.options"
local place = require "sluice.place"
local tables = require "sluice.tables"
local units = require "sluice.units"

local window = {}

local Window = {}

-- In the order in which a reader of the reference meets them.
local KINDS = {
   require "sluice.window.tumbling",
   require "sluice.window.hopping",
   require "sluice.window.cumulate",
   require "sluice.window.session",
   require "sluice.window.rolling",
   require "sluice.window.running",
}

--- No window: every row of a group meets every other.
window.NONE = {
   kind = "none", size_ms = 0, every_ms = 0, offset_ms = 0, pane_ms = 0,
   allowed_lateness_ms = 0,
}

local BY_NAME = {
   none = {
      kind = "none", key_bounds = 0, has_bounds = false,
      is_timeless = function() return true end,
      no_final = function() return "a total kept for ever" end,
      say = function() return "no window" end,
   },
}

--- Options by kind of window.
window.OPTIONS = {}

--- Constructors by kind, each (options) → Window.
window.constructors = {}

--- What a kind is.
-- @tparam string kind of window, or "none"
-- @treturn table its module
function window.of(kind)
   return BY_NAME[kind]
end

--- Names of the kinds.
-- @treturn {string,...} in the reference's order
function window.names()
   local names = {}
   for i, of in ipairs(KINDS) do names[i] = of.kind end
   return names
end

--- Whether rows of a kind of window have `window_start` and `window_end`.
-- @tparam string kind of window, or "none"
-- @treturn boolean
function window.has_bounds(kind)
   return BY_NAME[kind].has_bounds ~= false
end

--- How many of these bounds stand in the key of the rows: 0, 1 (the start) or 2.
-- @tparam string kind of window, or "none"
-- @treturn integer
function window.key_bounds(kind)
   return BY_NAME[kind].key_bounds or 1
end

--- Whether nothing of a window depends on time: no event time is needed.
-- @tparam table of window of the graph
-- @treturn boolean
function window.is_timeless(of)
   local is_timeless = BY_NAME[of.kind].is_timeless
   return is_timeless ~= nil and is_timeless(of)
end

--- Whether a group's state keeps the times of its first and last row.
-- @tparam table of window of the graph
-- @treturn boolean
function window.keeps_span(of)
   return BY_NAME[of.kind].keeps_span or false
end

--- The word of `sl_window_kind`.
-- @tparam string kind of window, or "none"
-- @treturn string
function window.word(kind)
   return "SL_WINDOW_" .. (BY_NAME[kind].as or kind):upper()
end

--- Say what is wrong between options.
-- @tparam string kind of window
-- @tparam table values checked options
-- @treturn ?string a message
function window.conflict(kind, values)
   local of = BY_NAME[kind]
   for _, needed in ipairs(of.needed or {}) do
      local name, example, more = needed[1], needed[2], needed[3]
      if not values[name] then
         return ("give `%s`, as in %s = %q%s"):format(name, name, example, more or "")
      end
   end
   return of.conflict and of.conflict(values)
end

--- The window as the plan has it.
-- @tparam string kind of window
-- @tparam table values checked options
-- @treturn table `{ kind =, size_ms =, every_ms =, offset_ms =, pane_ms =,
--   allowed_lateness_ms = }`; a session's size is its gap, a running total's what it
--   retains (-1: for ever), and this has no panes
function window.plan(kind, values)
   local planned = BY_NAME[kind].plan(values)
   planned.kind = kind
   planned.allowed_lateness_ms = values.allowed_lateness or 0
   return planned
end

--- How `sluice check` names a window.
-- @tparam table of window of the graph
-- @treturn string
function window.say(of)
   local say = BY_NAME[of.kind].say
   local text = say and say(of)
      or ("%s window of %s"):format(of.kind, units.say(of.size_ms))
   if of.every_ms > 0 and of.every_ms ~= of.size_ms then
      text = text .. " every " .. units.say(of.every_ms)
   end
   if of.offset_ms > 0 then text = text .. ", moved by " .. units.say(of.offset_ms) end
   if of.allowed_lateness_ms > 0 then
      text = text .. ", " .. units.say(of.allowed_lateness_ms) .. " of lateness allowed"
   end
   return text
end

local function make(of, given)
   local what, mistakes = "sluice." .. of.kind, of.mistakes or {}
   for _, name in ipairs(tables.keys(mistakes)) do
      if type(given) == "table" and given[name] ~= nil then
         place.fail(nil, "%s: unknown option `%s`: %s", what, name, mistakes[name])
      end
   end
   if type(given) == "string" or type(given) == "number" then
      local parts = {}
      for i, needed in ipairs(of.needed) do
         parts[i] = ("%s = %s"):format(needed[1], options.show(i == 1 and given
            or needed[2]))
      end
      place.fail(nil, "%s takes a table of options, got %s: write %s { %s }", what,
         options.show(given), what, table.concat(parts, ", "))
   end
   local values = options.read(what, of.options, given)
   local message = window.conflict(of.kind, values)
   if message then place.fail(nil, "%s: %s", what, message) end
   return setmetatable({ kind = of.kind, values = values }, Window)
end

for _, of in ipairs(KINDS) do
   BY_NAME[of.kind], window.OPTIONS[of.kind] = of, of.options
   window.constructors[of.kind] = function(given)
      local made = make(of, given)
      return made
   end
end

--- Tell a window from other values.
-- @param it any
-- @treturn boolean
function window.is(it)
   return getmetatable(it) == Window
end

--- Names of the constructors, for messages.
-- @treturn string
function window.kinds()
   return "sluice." .. table.concat(tables.keys(window.OPTIONS), ", sluice.")
end

return window
