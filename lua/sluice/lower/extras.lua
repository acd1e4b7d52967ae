--- What a sink's options say of a message, as `sl_extras` (runtime/shared/output.h).
-- @module sluice.lower.extras

local lower_extras = {}

local function one(memory, layout, column)
   return column and (memory:columns(layout, { column }))
end

--- Make the extras of an output.
-- @tparam table memory Memory
-- @tparam table layout of the step's rows
-- @tparam table extras of the graph's output
-- @treturn cdata sl_extras array of one
function lower_extras.make(memory, layout, extras)
   local into = memory:array("sl_extras", 1)
   into[0].topic = one(memory, layout, extras.topic)
   into[0].value = one(memory, layout, extras.value)
   into[0].partition = one(memory, layout, extras.partition)
   into[0].place, into[0].place_count = memory:columns(layout, extras.place or {})
   local headers = extras.headers or {}
   local list = memory:array("sl_header_column", #headers)
   for i, header in ipairs(headers) do
      memory:text(list[i - 1].name, header.name)
      memory:column(list[i - 1].column, layout, header.column.slot, header.name,
         header.column.exact)
   end
   into[0].headers, into[0].header_count = list, #headers
   return into
end

return lower_extras
