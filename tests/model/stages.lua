--- Stages that look at one row, as plain functions, and what stands behind aggregations.
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

--- Pass a result through the stages behind an aggregation: `send(sink, row)` for each
--- sink it comes to.
function stages.results(model, node, values, final, send)
   for _, follower in ipairs(model.followers[node]) do
      if follower.op == "filter" then
         if follower.fn(values) then
            stages.results(model, follower, values, final, send)
         end
      elseif follower.op == "derive" then
         stages.results(model, follower, stages.derive(values, follower.columns), final,
            send)
      elseif follower.op == "select" then
         stages.results(model, follower, stages.select(values, follower.entries), final,
            send)
      elseif follower.op == "to" then
         local row = stages.copy(values)
         if final ~= nil then row.final = final end
         send(follower.sink.values.topic, row)
         stages.results(model, follower, values, final, send)
      else
         stages.results(model, follower, values, final, send)
      end
   end
end

local function collect(followers, node, op, name_of, found)
   for _, follower in ipairs(followers[node]) do
      if follower.op == op then found[#found + 1] = name_of(follower) end
      if follower.op ~= "aggregate" then
         collect(followers, follower, op, name_of, found)
      end
   end
   return found
end

--- Names of the sinks behind a node, up to the next aggregation.
function stages.sinks_behind(followers, node, name_of)
   return collect(followers, node, "to", name_of, {})
end

--- Names of the sinks for rows that were late for it.
function stages.late_sinks(followers, node, name_of)
   return collect(followers, node, "late_to", name_of, {})
end

return stages
