--- What fields and typed functions are: tables with a metatable of their own.
-- @module sluice.field.class

local class = {}

--- Metatable of fields; `field.lua` gives it the methods.
class.Field = {}

--- Metatable of typed functions.
class.Typed = {}

--- Make a field of what it says.
-- @tparam table spec kept
-- @treturn sluice.field.Field
function class.new(spec)
   return setmetatable({ spec = spec }, class.Field)
end

--- What a field says.
-- @param it any
-- @treturn ?table spec, borrowed; nil: it is no field
function class.spec(it)
   return getmetatable(it) == class.Field and rawget(it, "spec") or nil
end

return class
