-- One function of the corpus in a pipeline: --param case=NAME.
local sluice = require "sluice"
local corpus = require "corpus"

local case = corpus.find(sluice.param("case", "equal text", "name of the case"))

local function rows()
   return sluice.kafka { topics = "rows", max_records = 100000 }
      :json(corpus.fields())
end

local stream = case.source and case.source(rows) or rows():event_time("at", { delay = 0 })

return sluice.pipeline {
   name = "corpus", checkpoint = "none",
   case.build(stream):to(case.sink and case.sink() or corpus.sink(case)),
}
