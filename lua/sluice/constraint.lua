--- Constraints of fields that Lua tests: `:matches` and `:check`. Each is `{ refusal =
-- what is said of a value that does not keep it, regex = compiled pattern | fn =
-- function, pattern = }`; a field's stand in `checks`, in the order in which they were
-- said. (`:range` and `:one_of` are the codec's.)
-- @module sluice.constraint

local pattern = require "sluice.helper.pattern"
local place = require "sluice.place"
local regex = require "sluice.helper.regex"

local constraint = {}

--- Make the constraint of a pattern.
-- @tparam string text a pattern of Lua
-- @treturn ?table
-- @treturn ?string what is wrong with it
function constraint.matches(text)
   local source, wrong = pattern.regex(text)
   if not source then return nil, wrong end
   local code, problem = regex.compile(source, true)
   if not code then return nil, problem end
   return { refusal = ("does not match `%s`"):format(text), regex = code, pattern = text }
end

--- Make the constraint of a function.
-- @tparam function fn (value) → true
-- @treturn table
function constraint.check(fn)
   return { refusal = "check failed at " .. place.of_function(fn), fn = fn }
end

--- A list with one more.
-- @tparam ?table list of a field; it stays as it is
-- @tparam table one
-- @treturn table
function constraint.add(list, one)
   local longer = {}
   for i, before in ipairs(list or {}) do longer[i] = before end
   longer[#longer + 1] = one
   return longer
end

--- Say which constraint a value does not keep.
-- @tparam ?table list of a field
-- @param value any but nil
-- @treturn ?string "does not match …"
function constraint.unkept(list, value)
   for _, one in ipairs(list or {}) do
      local kept = one.fn and one.fn(value)
      if one.pattern then kept = tostring(value):find(one.pattern) end
      if not kept then return one.refusal end
   end
end

--- The constraints of all fields, in their order.
-- @tparam table fields of a source
-- @treturn table list of `{ slot =, field =, check = }`
function constraint.list(fields)
   local list = {}
   for slot, field in ipairs(fields) do
      for _, check in ipairs(field.checks or {}) do
         list[#list + 1] = { slot = slot, field = field, check = check }
      end
   end
   return list
end

return constraint
