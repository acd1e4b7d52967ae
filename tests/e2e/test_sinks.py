"""What a Kafka sink takes beside a topic: functions that name topic, key, value, headers, partition."""
import json

import harness

SCRIPT = """
local sluice = require "sluice"
return sluice.pipeline {{ name = "{name}", checkpoint = "none", trigger = "available-now",
   sluice.kafka {{ topics = "{topic}" }}
   :json {{ sluice.string "city", sluice.int64 "n" }}
   :to(sluice.kafka {{ {sink} }}) }}
"""


class SinkExtrasTest(harness.E2ETest):
    def setUp(self):
        super().setUp()
        self.topic_in = self.topic(name="in")
        self.name = self.topic_in + "-p"

    def produce(self, *rows):
        self.client.produce(self.topic_in, [{"value": json.dumps(row), "key": "k"} for row in rows])

    def run_script(self, sink):
        self.file("p.lua", SCRIPT.format(name=self.name, topic=self.topic_in, sink=sink))
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 0, run.err)
        return run

    def test_each_row_goes_to_the_topic_that_the_function_names(self):
        rome, oslo = self.topic(3, name="rome"), self.topic(2, name="oslo")
        self.produce(*({"city": rome if n % 3 else oslo, "n": n} for n in range(3000)))
        self.run_script("topic = function(r) return r.city end, "
                        "key = function(r) return tostring(r.n) end")
        read = {name: self.client.consume(name) for name in (rome, oslo)}
        self.assertEqual((len(read[rome]), len(read[oslo])), (2000, 1000))
        self.assertEqual({r.json()["n"] % 3 for r in read[oslo]}, {0})
        self.assertEqual({r.partition for r in read[rome]}, {0, 1, 2})

    def test_a_topic_that_is_missing_quarantines_its_rows_only(self):
        good = self.topic(name="good")
        self.produce({"city": good, "n": 1}, {"city": good + "-no", "n": 2}, {"city": "a b", "n": 3},
                     {"n": 4})
        run = self.run_script("topic = function(r) return r.city end")
        self.assertEqual([r.json()["n"] for r in self.client.consume(good)], [1])
        out = self.client.consume(self.name + "-quarantine")
        reasons = {r.json()["n"]: dict(r.headers)["sluice.reason"].decode() for r in out}
        self.assertIn(f"topic {good}-no does not exist", reasons[2])
        self.assertIn(f": did you mean `{good}`? (make it: ", reasons[2])
        self.assertIn("kafka-topics", reasons[2])
        self.assertIn("does not allow the name", reasons[3])
        self.assertIn("topic is nil", reasons[4])
        self.assertIn("refused=3", run.err)

    def test_create_makes_what_is_missing(self):
        name = self.topic_in + "-made"
        self.produce({"city": name, "n": 1}, {"city": name, "n": 2})
        self.run_script("topic = function(r) return r.city end, create = 3")
        self.assertEqual([r.json()["n"] for r in self.client.consume(name)], [1, 2])
        self.assertEqual(len(self.client.end_offsets(name)), 3)

    def test_headers_value_and_partition(self):
        out = self.topic(4, name="out")
        self.produce({"city": "rome", "n": 3}, {"n": 1}, {"city": "oslo", "n": 9})
        self.run_script(f'topic = "{out}", headers = {{ city = "city", double = function(r) '
                        'return tostring((r.n or 0) * 2) end }, '
                        'value = function(r) return "<" .. tostring(r.n) .. ">" end, '
                        'partition_by = function(r) return r.n end')
        read = sorted(self.client.consume(out), key=lambda r: r.partition)
        self.assertEqual([(r.partition, r.value) for r in read], [(1, b"<1>"), (3, b"<3>")])
        self.assertEqual(read[1].headers, [("city", b"rome"), ("double", b"6")])
        self.assertEqual(read[0].headers, [("double", b"2")])
        refused = self.client.consume(self.name + "-quarantine")
        self.assertEqual([r.value for r in refused], [b"<9>"])

    def test_partition_by_columns_places_rows_as_a_topic_keyed_by_them(self):
        keyed, placed = self.topic(5, name="keyed"), self.topic(5, name="placed")
        self.produce(*({"city": f"c{n}", "n": n} for n in range(50)))
        self.run_script(f'topic = "{keyed}", key = "city"')
        self.run_script(f'topic = "{placed}", key = "n", partition_by = "city"')
        where = [{r.json()["n"]: r.partition for r in self.client.consume(name)}
                 for name in (keyed, placed)]
        self.assertEqual(where[0], where[1])
        self.assertEqual({r.key for r in self.client.consume(placed)},
                         {str(n).encode() for n in range(50)})


OWN = """
local sluice = require "sluice"
local own = sluice.sink {{ mode = {mode},
   open = function(system) return assert(system.io.open("out.txt", "w")) end,
   write = function(rows, batch, file)
      for _, row in ipairs(rows) do {each} end
      if batch.is_last then file:write("end of ", batch.id, "\\n") end
   end,
   close = function(file) file:write("closed") file:close() end }}
return sluice.pipeline {{ name = "{name}", checkpoint = "none", trigger = "available-now",
   flush = true, {pipeline}
   sluice.kafka {{ topics = "{topic}", max_records = 2 }}
   :json {{ sluice.string "city", sluice.int64 "n", sluice.int64 "ts" :required() }}
   {stages}
   :to(own) }}
"""


class OwnSinkTest(harness.E2ETest):
    WINDOWS = """:event_time("ts", { delay = 0 }):group_by "city"
       :window(sluice.tumbling { size = 10 }):aggregate { n = sluice.sum "n" }
       :filter(function(r) return (r.n or 0) < 5 end)"""

    def setUp(self):
        super().setUp()
        self.topic_in = self.topic(name="in")

    def run_script(self, each, *rows, mode="nil", stages="", pipeline="", code=0):
        self.client.produce(self.topic_in, [{"value": json.dumps(row), "key": "k"} for row in rows])
        self.file("p.lua", OWN.format(name=self.topic_in, topic=self.topic_in, each=each, mode=mode,
                                      stages=stages, pipeline=pipeline))
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, code, run.err)
        return run, harness.read(f"{self.folder}/out.txt").split("\n")

    def test_rows_come_as_tables_batch_by_batch(self):
        _, lines = self.run_script(
            'file:write(row.key, " ", tostring(row.value.city), " ", row.value.n, "\\n")',
            {"city": "rome", "n": 1, "ts": 1}, {"n": 2, "ts": 1}, {"city": "oslo", "n": 3, "ts": 1})
        self.assertEqual(lines, ["k rome 1", "k nil 2", "end of 0", "k oslo 3", "end of 1", "closed"])

    def test_a_row_that_is_taken_back_has_no_value(self):
        _, lines = self.run_script(
            'file:write(row.key.city, " ", row.key.window_start, " ", '
            'row.value and row.value.n or "gone", "\\n")',
            {"city": "rome", "n": 1, "ts": 1}, {"city": "oslo", "n": 1, "ts": 2},
            {"city": "rome", "n": 9, "ts": 3}, mode='"update"', stages=self.WINDOWS)
        self.assertEqual(lines[:2], ["oslo 0 1", "rome 0 1"] if lines[0][0] == "o" else
                         ["rome 0 1", "oslo 0 1"])
        self.assertEqual(lines[2:], ["end of 0", "rome 0 gone", "end of 1", "closed"])

    def test_a_throw_ends_the_run_with_its_line(self):
        run, lines = self.run_script('error("disk on fire")', {"n": 1, "ts": 1}, code=1)
        self.assertIn("p.lua:6: disk on fire\\np.lua:6 | ", run.err)
        self.assertIn("while writing rows 1 to 1 of 1 of batch 0", run.err)
        self.assertEqual(lines, ["closed"])

    def test_a_write_that_does_not_return_ends_the_run(self):
        run, _ = self.run_script("while true do end", {"n": 1, "ts": 1}, code=1, pipeline='script_timeout = "500 ms",')
        self.assertIn("has not returned for", run.err)

    def test_what_write_reports_is_an_error(self):
        run, _ = self.run_script('return nil, "quota exceeded"', {"n": 1, "ts": 1}, code=1)
        self.assertIn("write of the sink at p.lua:5: quota exceeded", run.err)

    def test_modules_of_the_system_can_be_required(self):
        self.file("inner.lua", "return { word = 'from a module' }")
        self.file("outer.lua", "return { word = require('inner').word }")
        self.file("p.lua", """
local sluice = require "sluice"
return sluice.pipeline { name = "own", checkpoint = "none",
   sluice.generator { events = "rides", count = 1 }
   :to(sluice.sink {
      open = function(system) return system.require "outer" end,
      write = function(rows, batch, outer) print(outer.word, #rows) end }) }
""")
        run = self.run_sluice("run", "p.lua", env={"LUA_PATH": self.folder + "/?.lua"})
        self.assertEqual(run.code, 0, run.err)
        self.assertIn("from a module", run.err)
