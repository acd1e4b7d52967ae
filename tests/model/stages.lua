--- Stages that look at one row, as plain functions.
local stages = {}

function stages.copy(values)
   local made = {}
   for name, value in pairs(values) do made[name] = value end
   return made
end

--- Add columns: each function sees only what was there before.
function stages.derive(values, columns)
   local made = stages.copy(values)
   for _, column in ipairs(columns) do made[column.name] = column.fn(values) end
   return made
end

--- Keep and rename: `entries` of `{ new, old }`.
function stages.select(values, entries)
   local made = {}
   for _, entry in ipairs(entries) do made[entry[1]] = values[entry[2]] end
   return made
end

--- The declared fields of a record's row; nil: a required one is missing.
function stages.decode(fields, row)
   local values = {}
   for _, field in ipairs(fields) do
      local value = row[field.name]
      if value == nil then value = field.default end
      if value == nil and field.required then return nil end
      values[field.name] = value
   end
   return values
end

return stages
