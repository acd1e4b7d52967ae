--- `migrate` of a pipeline, and of users' aggregates: which aggregate each is for.
-- @module sluice.analyse.migrate

local nearest = require "sluice.nearest"
local place = require "sluice.place"
local tables = require "sluice.tables"

local analyse_migrate = {}

-- Aggregates by NAME and by "STAGE.NAME": a list each.
local function by_name(graph)
   local found = {}
   local function add(name, aggregate, item)
      found[name] = found[name] or {}
      table.insert(found[name], { stage = aggregate.name, item = item })
   end
   for _, aggregate in ipairs(graph.aggregates) do
      for _, item in ipairs(aggregate.items) do
         add(item.name, aggregate, item)
         add(aggregate.name .. "." .. item.name, aggregate, item)
      end
   end
   return found
end

local function check(line, name, list, found)
   if not list then
      place.fail(line, "sluice.pipeline: migrate: no aggregate is called `%s`%s", name,
         nearest.hint(name, tables.keys(found)))
   end
   if #list > 1 then
      place.fail(line, "sluice.pipeline: migrate: several stages have an aggregate `%s`: "
         .. "write [\"%s.%s\"]", name, list[1].stage, name)
   end
   local user = list[1].item.spec.user
   if not user or user.order then
      place.fail(line, "sluice.pipeline: migrate: `%s` is %s, and keeps no state of its "
         .. "own: `migrate` is for sluice.aggregate { state = … }%s", name,
         list[1].item.spec.label, user and " without `order`" or "")
   end
end

--- Give each item of a graph its function: the pipeline's, or else its own.
-- @tparam table graph
-- @tparam sluice.pipeline.Pipeline of
-- @raise for names that no aggregate has, or several, or one that is built in
function analyse_migrate.finish(graph, of)
   for _, aggregate in ipairs(graph.aggregates) do
      for _, item in ipairs(aggregate.items) do
         item.migrate = item.spec.user and item.spec.user.migrate
      end
   end
   local found, given = by_name(graph), of.values.migrate or {}
   for _, name in ipairs(tables.keys(given)) do
      check(of.line, name, found[name], found)
      found[name][1].item.migrate = given[name]
   end
end

return analyse_migrate
