-- The functions of the corpus, and what rows they get.
local sluice = require "sluice"

local corpus = {}

corpus.FILES = { "text", "numbers", "nested", "control", "stages", "aggregates" }

--- Fields of the rows; `corpus_spec.lua` makes them.
-- @treturn table
function corpus.fields()
   return {
      sluice.int64 "id" :required(),
      sluice.string "kind" :required(),
      sluice.string "user" :required(),
      sluice.string "path" :required(),
      sluice.string "note",
      sluice.double "amount",
      sluice.double "lat" :required(),
      sluice.double "lon" :required(),
      sluice.bool "active" :required(),
      sluice.int64 "serial" :exact() :required(),
      sluice.decimal("price", 12, 2) :required(),
      sluice.timestamp "at" :required(),
      sluice.date "day" :required(),
      sluice.list("tags", "string") :required(),
      sluice.list("items", sluice.struct {
         sluice.string "sku" :required(), sluice.int32 "count" :required(),
         sluice.double "price" :required(),
      }) :required(),
      sluice.struct("place", { sluice.string "city", sluice.double "height" })
         :required(),
      sluice.map("labels", "string") :required(),
   }
end

--- Where results go.
-- @tparam table case
-- @treturn table
function corpus.sink(case)
   return sluice.kafka { topic = "out", mode = case.mode }
end

--- All cases, in order: `{ name =, build = function (stream) → stream, source =, sink =,
-- mode =, file = }`.
-- @treturn table
function corpus.cases()
   local cases = {}
   for _, file in ipairs(corpus.FILES) do
      for _, case in ipairs(require(file)) do
         case.name, case.build, case.file = case[1], case[2], file
         cases[#cases + 1] = case
      end
   end
   return cases
end

--- A case by its name.
-- @tparam string name
-- @treturn table
function corpus.find(name)
   for _, case in ipairs(corpus.cases()) do
      if case.name == name then return case end
   end
   error("no case is called " .. name)
end

return corpus
