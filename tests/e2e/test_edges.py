"""What a record carries beside its value, how rows are written, and topics that change under way."""
import json
import threading
import time

import expect
import harness
import pipelines


class EdgeTest(harness.E2ETest):
    def setUp(self):
        super().setUp()
        self.topic_in, self.out = self.topic(partitions=2, name="in"), self.topic(name="out")

    def run_script(self, text, *arguments, code=0):
        self.file("p.lua", text)
        run = self.run_sluice("run", *arguments, "p.lua")
        self.assertEqual(run.code, code, run.err)
        return run

    def start_script(self, text, *settings):
        self.file("p.lua", text)
        run = self.start("run", "p.lua", *harness.sets("trigger=continuous", *settings))
        self.wait_for("the start", lambda: "message=running" in run.err or not run.running)
        self.assertTrue(run.running, run.err)
        return run

    def copied(self, topic=None):
        return [record.json()["n"] for record in self.client.consume(topic or self.out)]

    def produce(self, *numbers, topic=None, **more):
        self.client.produce(topic or self.topic_in,
                            [dict({"value": json.dumps({"n": n})}, **more) for n in numbers])


class RecordTest(EdgeTest):
    def test_fields_from_key_headers_and_metadata(self):
        at = 1_700_000_000_123
        self.produce(1, key='{"city":"Ulm","zone":{"id":7}}', partition=1, timestamp=at,
                     headers=[("trace", b"a\xc3\xa4"), ("trace", b"last"), ("none", None)])
        self.produce(2, key="plain", partition=1)
        self.run_script(pipelines.copy(self.topic_in, self.out, source='bad_records = "skip"', fields="""
            sluice.string "key" :from_key(), sluice.string "trace" :from_header("trace"),
            sluice.string "none" :from_header("none"), sluice.string "topic" :from_metadata("topic"),
            sluice.int32 "partition" :from_metadata("partition"),
            sluice.int64 "offset" :from_metadata("offset"),
            sluice.int64 "time" :from_metadata("kafka_time"),
            sluice.string "kind" :from_metadata("kafka_time_type"),
            sluice.int64 "now" :from_metadata("processing_time")"""))
        first, second = (record.json() for record in self.client.consume(self.out))
        self.assertAlmostEqual(first.pop("now"), time.time() * 1000, delta=60_000)
        self.assertEqual(first, {
            "n": 1, "ts": None, "key": '{"city":"Ulm","zone":{"id":7}}', "trace": "last", "none": None,
            "topic": self.topic_in, "partition": 1, "offset": 0, "time": at, "kind": "create"})
        self.assertEqual((second["key"], second["trace"], second["offset"]), ("plain", None, 1))

    def test_keys_of_rows_are_those_of_the_records(self):
        keys = [b"\x00\xff", b"", None, b"k" * 1000]
        for key in keys:
            self.produce(1, key=key, partition=0)
        self.run_script(pipelines.copy(self.topic_in, self.out))
        self.assertEqual([r.key for r in self.client.consume(self.out)], keys)

    def test_a_key_of_columns(self):
        self.produce(5, partition=0)
        for key, wanted in ('"n"', b"5"), ('{ "n", "ts" }', b'{"n":5,"ts":null}'), ('"ts"', b'{"ts":null}'):
            with self.subTest(key=key):
                out = self.topic(partitions=8)
                self.run_script(pipelines.copy(self.topic_in, out, sink=f"key = {key}"))
                (record,) = self.client.consume(out)
                self.assertEqual(record.key, wanted)
                self.assertEqual(record.partition, expect.partition_of(wanted, 8))

    def test_times_as_text(self):
        self.client.produce(self.topic_in, [{"value": '{"n":1,"at":"2024-02-29T23:59:59.5+01:00"}'}])
        self.run_script(pipelines.copy(self.topic_in, self.out, sink='times = "iso"',
                                       fields='sluice.timestamp("at", "iso")'))
        (record,) = self.client.consume(self.out)
        self.assertEqual(record.json()["at"], "2024-02-29T22:59:59.500Z")

    def test_every_compression(self):
        self.produce(*range(100), partition=0)
        for name in "none", "gzip", "snappy", "lz4", "zstd":
            with self.subTest(compression=name):
                out = self.topic()
                self.run_script(pipelines.copy(self.topic_in, out, sink=f'compression = "{name}"'))
                self.assertEqual(self.copied(out), list(range(100)))

    def test_rows_without_a_key_are_spread_evenly(self):
        self.produce(*range(90), partition=0)
        out = self.topic(partitions=3)
        self.run_script(pipelines.copy(self.topic_in, out))
        counts = [0, 0, 0]
        for record in self.client.consume(out):
            counts[record.partition] += 1
        self.assertEqual(counts, [30, 30, 30])

    def test_log_lines_as_json(self):
        self.produce(1, partition=0)
        run = self.run_script(pipelines.copy(self.topic_in, self.out), "--log", "json")
        lines = [json.loads(line) for line in run.err.splitlines()]
        self.assertEqual([line["message"] for line in lines if line["message"] != "source done"][0], "running")
        (source,) = [line for line in lines if line["message"] == "source done"]
        self.assertEqual((source["source"], source["read"]), (self.topic_in, 1))


class ChangingTopicsTest(EdgeTest):
    def delete(self, topic):
        self.client.delete_topic(topic)
        self.wait_for("its end", lambda: topic not in self.client.topics())

    def test_available_now_ends_though_records_keep_coming(self):
        self.produce(*range(1000), partition=0)
        stop, came = threading.Event(), []

        def keep_coming():
            while not stop.is_set():
                self.produce(-1, partition=0)
                came.append(-1)
        thread = threading.Thread(target=keep_coming)
        thread.start()
        try:
            self.wait_for("the first to come", lambda: came)
            self.run_script(pipelines.copy(self.topic_in, self.out, source="max_records = 100,"))
        finally:
            stop.set()
            thread.join()
        self.assertEqual(self.copied()[:1000], list(range(1000)))

    def test_windows_close_by_the_clock_when_nothing_comes(self):
        now = int(time.time() * 1000)
        self.client.produce(self.topic_in, [{"value": json.dumps({"n": 1, "ts": now})}])
        run = self.start_script(pipelines.count(
            self.topic_in, self.out, size="2 seconds",
            time='delay = "500 ms", idle = "500 ms", advance = "wall-clock"'))
        self.wait_for("the window", lambda: self.client.consume(self.out), timeout_s=10)
        self.assertEqual(run.stop(), 0)
        (record,) = self.client.consume(self.out)
        self.assertEqual(record.json()["count"], 1)
        self.assertGreaterEqual(record.timestamp, record.json()["window_end"])

    def test_a_source_topic_that_is_deleted_fails_the_run(self):
        self.produce(1)
        run = self.start_script(pipelines.copy(self.topic_in, self.out))
        self.wait_for("the record", lambda: self.copied() == [1])
        self.client.delete_topic(self.topic_in)
        self.assertEqual(run.wait(40), 1, run.err)
        self.assertRegex(run.err, f"(?m)^time=.* level=error message=.*{self.topic_in} is gone")

    def test_a_sink_topic_that_is_deleted_fails_the_run(self):
        self.produce(1)
        run = self.start_script(pipelines.copy(self.topic_in, self.out))
        self.wait_for("the record", lambda: self.copied() == [1])
        self.delete(self.out)
        self.produce(2)
        self.assertEqual(run.wait(40), 1, run.err)
        self.assertRegex(run.err, f"(?m)^time=.* level=error message=.*{self.out}")

    def test_a_topic_made_anew_is_read_from_its_beginning(self):
        topic = self.topic(name="anew")
        self.produce(*range(10), topic=topic)
        run = self.start_script(pipelines.copy(topic, self.out), "source.on_data_loss=continue")
        self.wait_for("the records", lambda: len(self.copied()) == 10)
        self.delete(topic)
        self.client.create_topic(topic)
        self.produce(100, 101, topic=topic)
        self.wait_for("the new ones", lambda: len(self.copied()) >= 12, timeout_s=30)
        self.produce(102, topic=topic)
        self.wait_for("one more", lambda: len(self.copied()) >= 13, timeout_s=10)
        self.assertEqual(run.stop(), 0)
        self.assertEqual(self.copied(), [*range(10), 100, 101, 102])
