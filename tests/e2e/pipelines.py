"""Texts of small scripts that several tests run."""

COPY = """
local sluice = require "sluice"
return sluice.pipeline {{
   name = "{name}", checkpoint = "none", trigger = "available-now", {pipeline}
   sluice.kafka {{ topics = {topics}, start = "earliest", {source} }}
      :json {{ sluice.int64 "n" :required(), sluice.int64 "ts", {fields} }}
      {stages}
      :to(sluice.kafka {{ topic = "{to}", {sink} }})
}}
"""

COUNT = """
local sluice = require "sluice"
return sluice.pipeline {{
   name = "{name}", checkpoint = "none", trigger = "available-now", {pipeline}
   sluice.kafka {{ topics = {topics}, start = "earliest", {source} }}
      :json {{ sluice.int64 "n", sluice.int64 "ts" :required(), {fields} }}
      :event_time("ts", {{ {time} }})
      {stages}
      :window(sluice.tumbling {{ size = "{size}" }})
      :aggregate {{ count = sluice.count(), {aggregates} }}
      :to(sluice.kafka {{ topic = "{to}", {sink} }})
}}
"""


def copy(topics, to, name="copy", pipeline="", source="", fields="", stages="", sink=""):
    """Each record {n, ts} of `topics` to the topic `to`; reads from the earliest and ends at the end."""
    return COPY.format(topics=lua(topics), to=to, name=name, pipeline=pipeline, source=source,
                       fields=fields, stages=stages, sink=sink)


def count(topics, to, name="count", pipeline="", source="", fields="", time='delay = "1 minute"',
          stages="", size="1 minute", aggregates="", sink='mode = "append"'):
    """Records counted in tumbling windows of `ts`."""
    return COUNT.format(topics=lua(topics), to=to, name=name, pipeline=pipeline, source=source,
                        fields=fields, time=time, stages=stages, size=size, aggregates=aggregates,
                        sink=sink)


def lua(topics):
    return f'"{topics}"' if isinstance(topics, str) else "{ " + ", ".join(map(lua, topics)) + " }"
