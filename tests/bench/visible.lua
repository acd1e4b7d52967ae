-- Each record goes through as it is: what is measured is the way (bench_visible.c).
local sluice = require "sluice"

return sluice.pipeline {
   name = "bench-visible",
   checkpoint = "none",
   sluice.kafka { topics = "visible-in", start = "earliest" }
      :json { sluice.int64 "id" :required(), sluice.int64 "at" :required() }
      :to(sluice.kafka { topic = "visible-out" }),
}
