-- How most cases are built: a function of a row in a stage, and what is looked at of it.

local shapes = {}

function shapes.derive(type, fn)
   return function(rows)
      return rows:derive { made = type(fn) }:select { "id", "made" }
   end
end

function shapes.filter(fn)
   return function(rows) return rows:filter(fn):select { "id" } end
end

return shapes
