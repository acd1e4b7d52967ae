"""Bad records among good ones, rows that the broker refuses, late records: each is kept with its place
and its own bytes, counted once, and no neighbour is lost."""
import json

import expect
import harness
import pipelines

GOOD_TIME = 1_700_000_000_000


def good(n):
    return json.dumps({"n": n, "ts": GOOD_TIME + n}).encode()


def deep(depth, tail=b""):
    return b'{"n":1,"ts":1,"x":' + b"[" * depth + b"]" * depth + b"}" + tail


# what is bad: its bytes, the field that the verdict names (None: none), a part of its reason
BAD = {
    "tombstone": (None, "n", "missing or null"),
    "empty": (b"", None, "empty"),
    "blank": (b"  \n ", None, "empty"),
    "no object": (b"[1,2]", None, "wanted a JSON object"),
    "a number": (b"17", None, "seen 17, wanted a JSON object"),
    "cut short": (b'{"n":1,"ts":17', None, "wanted the object to end"),
    "two documents": (good(1) + good(2), None, "nothing behind the document"),
    "tail": (good(1) + b" x", None, "seen x"),
    "NUL in the middle": (b'{"n":1,\0"ts":1}', None, "at byte 7"),
    "trailing comma": (b'{"n":1,"ts":1,}', None, "seen }"),
    "single quotes": (b"{'n':1,'ts':1}", None, "a name in quotes"),
    "comment": (b'{"n":1,/* */"ts":1}', None, "seen /*"),
    "byte order mark alone": (b"\xef\xbb\xbf", None, "wanted a JSON object"),
    "UTF-16": ('{"n":1,"ts":1}'.encode("utf-16-le"), None, "control character"),
    "Confluent's magic byte": (b"\x00\x00\x00\x00\x07" + good(1), None, "\\x00\\x00\\x00\\x00\\x07"),
    "invalid UTF-8": (b'{"n":1,"ts":1,"s":"\xff\xfe"}', None, "not valid UTF-8"),
    "invalid UTF-8 in what nobody reads": (b'{"n":1,"ts":1,"x":"\xc3("}', None, "not valid UTF-8"),
    "lone surrogate": (b'{"n":1,"ts":1,"s":"\\ud800"}', "s", "valid escapes"),
    "control character": (b'{"n":1,"ts":1,"s":"a\nb"}', None, "control character"),
    "wrong escape": (b'{"n":1,"ts":1,"s":"\\x"}', "s", "valid escapes"),
    "wrong literal in what nobody reads": (b'{"n":1,"ts":1,"x":tru}', "x", "seen tru"),
    "leading zero in what nobody reads": (b'{"n":1,"ts":1,"x":01}', "x", "seen 01"),
    "brackets in what nobody reads": (b'{"n":1,"ts":1,"x":[1,2}}', "x", "a closing bracket"),
    "text for a number": (b'{"n":"1","ts":1}', "n", 'seen "1", wanted an int64'),
    "a fraction": (b'{"n":1.5,"ts":1}', "n", "seen 1.5, wanted an int64"),
    "a boolean for a number": (b'{"n":true,"ts":1}', "n", "seen true, wanted an int64"),
    "an object for a number": (b'{"n":{},"ts":1}', "n", "seen an object"),
    "a number for text": (b'{"n":1,"ts":1,"s":5}', "s", "seen 5, wanted a string"),
    "int64 overflow": (b'{"n":9223372036854775808,"ts":1}', "n", "seen 9223372036854775808"),
    "beyond 2^53": (b'{"n":9007199254740993,"ts":1}', "n", "within 2^53"),
    "1e400": (b'{"n":1,"ts":1,"d":1e400}', "d", "seen 1e400"),
    "NaN": (b'{"n":1,"ts":1,"d":NaN}', "d", "seen NaN"),
    "missing": (b'{"ts":1}', "n", "missing or null"),
    "null": (b'{"n":null,"ts":1}', "n", "missing or null"),
    "no event time": (b'{"n":1}', "ts", "event time is null"),
    "duplicate key": (b'{"n":1,"n":2,"ts":1}', "n", "stands twice"),
    "duplicate key by an escape": (b'{"n":1,"\\u006e":2,"ts":1}', "\\u006e", "stands twice"),
    "depth 65": (deep(64), "x", "at most 64"),
    "depth 100,000": (deep(100_000), "x", "at most 64"),
    "100,000 open brackets": (b"[" * 100_000, None, "wanted a JSON object"),
    "year 55000": (b'{"n":1,"ts":1673458000000000}', None, "ahead of processing time"),
}
# what is good, though it looks odd
ODD = {
    "1970": b'{"n":1,"ts":0}',
    "before 1970": b'{"n":1,"ts":-1}',
    "blanks": b' \t\r\n{ "n" : 1 , "ts" : 1 } \n',
    "unknown fields": b'{"n":1,"ts":1,"x":{"y":[1,"\\u00e9",null,-0.0,1E5]}}',
    "null where it may be": b'{"n":1,"ts":1,"s":null,"d":null}',
    "escaped name": b'{"\\u006e":1,"ts":1}',
    "minus zero": b'{"n":-0,"ts":1}',
    "depth 64": deep(63),
    "2^53": b'{"n":9007199254740992,"ts":1}',
    "long text": b'{"n":1,"ts":1,"s":"' + b"\\ud83d\\ude00" * 20_000 + b'"}',
}
FIELDS = 'sluice.string "s", sluice.double "d"'


class PoisonTest(harness.E2ETest):
    def setUp(self):
        super().setUp()
        self.out = self.topic(name="out")

    def quarantined(self, name):
        return self.client.consume(name + "-quarantine")

    def header(self, record, name):
        values = [value for key, value in record.headers if key == "sluice." + name]
        return values[0].decode() if values else None

    def run_copy(self, topic, *settings, code=0, **parts):
        parts.setdefault("stages", ':event_time("ts", { delay = "1 minute" })')
        self.file("p.lua", pipelines.copy(topic, self.out, fields=FIELDS, **parts))
        run = self.run_sluice("run", "p.lua", *harness.sets(*settings))
        self.assertEqual(run.code, code, run.err)
        return run

    def check_kept(self, topic, sent, kept):
        """`kept`: the quarantined records; `sent`: {offset: (name, record)} of what must be there."""
        self.assertEqual([self.header(r, "offset") for r in kept], [str(at) for at in sorted(sent)])
        for record in kept:
            name, original = sent[int(self.header(record, "offset"))]
            value, field, reason = BAD[name]
            with self.subTest(bad=name):
                self.assertEqual((record.key, record.value), (original["key"], value))
                self.assertEqual(record.headers[0], ("from", b"test"))  # its own stay
                self.assertEqual((self.header(record, "topic"), self.header(record, "partition")),
                                 (topic, "0"))
                self.assertEqual(self.header(record, "field"), field)
                self.assertIn(reason, self.header(record, "reason"))

    def test_everything_that_can_be_wrong(self):
        topic = self.topic()
        records, sent = [], {}
        for name, value in [(n, b[0]) for n, b in BAD.items()] + list(ODD.items()):
            records.append({"value": good(len(records)), "partition": 0})
            if name in BAD:
                sent[len(records)] = name, {"key": name.encode()}
            records.append({"value": value, "key": name, "headers": [("from", b"test")], "partition": 0})
        records.append({"value": good(len(records)), "partition": 0})
        self.client.produce(topic, records)
        for workers in 1, 4:
            with self.subTest(workers=workers):
                name = f"poison-{workers}"
                before = len(self.client.consume(self.out))
                run = self.run_copy(topic, f"workers={workers}", name=name)
                source = expect.Summary(run.err).source
                self.assertEqual((source["read"], source["quarantined"], source["passed"]),
                                 (len(records), len(BAD), len(records) - len(BAD)))
                self.check_kept(topic, sent, self.quarantined(name))
                self.assertEqual(len(self.client.consume(self.out)) - before, len(records) - len(BAD))

    def test_skip_counts_and_keeps_nothing(self):
        topic = self.topic()
        self.client.produce(topic, [{"value": v} for v in (good(0), b"{", good(2))])
        run = self.run_copy(topic, "source.bad_records=skip", name="skipping")
        self.assertEqual(expect.Summary(run.err).source["skipped"], 1)
        self.assertEqual(self.quarantined("skipping"), [])
        self.assertEqual(len(self.client.consume(self.out)), 2)

    def test_fail_names_the_record(self):
        topic = self.topic()
        self.client.produce(topic, [{"value": v} for v in (good(0), good(1), b'{"n":"x"}', good(2))])
        run = self.run_copy(topic, "source.bad_records=fail", name="failing", code=1)
        self.assertRegex(run.err, rf"(?m)^time=.* level=error message=.*{topic}.*2.*\bn\b")
        self.assertEqual(self.client.consume(self.out), [])

    def test_too_many_bad_records_fail_the_batch(self):
        topic = self.topic()
        self.client.produce(topic, [{"value": good(n) if n % 10 < 4 else b"{"} for n in range(2000)])
        run = self.run_copy(topic, name="flood", code=1)
        self.assertRegex(run.err, "(?m)^time=.* level=error message=.*1200 of the batch's 2000.*max_bad_share")
        self.assertEqual(self.client.consume(self.out), [])
        self.assertEqual(self.quarantined("flood"), [])
        run = self.run_copy(topic, "source.max_bad_share=0.7", name="flood")
        self.assertEqual(expect.Summary(run.err).source["quarantined"], 1200)
        self.assertEqual(len(self.quarantined("flood")), 1200)

    def test_tombstones_are_rows_where_nothing_is_required(self):
        topic = self.topic()
        self.client.produce(topic, [{"value": None, "key": "k"}, {"value": b'{"n":1}', "key": "k"}])
        script = pipelines.copy(topic, self.out).replace(" :required()", "")
        self.file("p.lua", script)
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 0, run.err)
        rows = self.client.consume(self.out)
        self.assertEqual([(r.key, r.value) for r in rows],
                         [(b"k", b'{"n":null,"ts":null}'), (b"k", b'{"n":1,"ts":null}')])

    def test_a_value_of_10_mb(self):
        large = {"max.message.bytes": str(12 << 20)}
        topic, text = self.topic(configs=large), "x" * (10 << 20)
        self.client.create_topic("large-quarantine", configs=large)
        self.client.produce(topic, [
            {"value": good(0)}, {"value": json.dumps({"n": 1, "ts": GOOD_TIME, "x": text})},
            {"value": good(2)}, {"value": '{"n":"' + text, "key": "bad"}, {"value": good(4)}])
        run = self.run_copy(topic, name="large")
        source = expect.Summary(run.err).source
        self.assertEqual((source["passed"], source["quarantined"]), (4, 1))
        (kept,) = self.quarantined("large")
        self.assertEqual((kept.key, len(kept.value)), (b"bad", (10 << 20) + 6))
        self.assertEqual([r.json()["n"] for r in self.client.consume(self.out)], [0, 1, 2, 4])

    def test_a_row_that_the_broker_refuses(self):
        """Too large for the output topic: quarantined with its bytes, its neighbours delivered."""
        topic, small = self.topic(), self.topic(configs={"max.message.bytes": "2000"})
        self.client.create_topic("refused-quarantine")
        texts = ["a" * 10, "b" * 5000, "c" * 10, "d" * 4000] + ["e" * 10] * 100
        self.client.produce(topic, [{"value": json.dumps({"n": n, "s": text}), "key": f"k{n}"}
                                    for n, text in enumerate(texts)])
        self.file("p.lua", pipelines.copy(topic, small, fields=FIELDS, name="refused",
                                          sink='compression = "none"'))
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 0, run.err)
        summary = expect.Summary(run.err)
        self.assertEqual((summary.sinks[small]["rows"], summary.sinks[small]["refused"]), (102, 2))
        self.assertEqual([r.json()["n"] for r in self.client.consume(small)],
                         [0, 2, *range(4, 104)])
        kept = self.quarantined("refused")
        self.assertEqual([(r.key, r.json()["s"][0]) for r in kept], [(b"k1", "b"), (b"k3", "d")])
        for record in kept:
            self.assertRegex(self.header(record, "reason"), "too large")
        run = self.run_sluice("run", "p.lua", *harness.sets("sink.on_error=fail"))
        self.assertEqual(run.code, 1, run.err)
        self.assertRegex(run.err, f"(?m)^time=.* level=error message=.*{small}.*k1.*too large")

    def test_event_times_of_other_centuries_move_no_window(self):
        topic = self.topic()
        values = [b'{"n":1,"ts":0}', good(0), b'{"n":1,"ts":1673458000000000}', good(120_000),
                  b'{"n":1,"ts":9007199254740991}', b'{"n":1,"ts":-9007199254740991}']
        self.client.produce(topic, [{"value": v} for v in values])
        self.file("p.lua", pipelines.count(topic, self.out, name="centuries"))
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 0, run.err)
        source = expect.Summary(run.err).source
        self.assertEqual((source["passed"], source["quarantined"]), (4, 2))
        starts = [r.json()["window_start"] for r in self.client.consume(self.out)]
        self.assertEqual(starts, [-9007199254740991 // 60_000 * 60_000, 0,
                                  GOOD_TIME // 60_000 * 60_000])

    def test_skew_may_be_accepted_or_skipped(self):
        topic = self.topic()
        self.client.produce(topic, [{"value": good(0)}, {"value": b'{"n":1,"ts":1673458000000000}'}])
        for policy, passed, skipped in ("accept", 2, 0), ("skip", 1, 1):
            with self.subTest(policy=policy):
                run = self.run_copy(topic, name="skew", stages=':event_time("ts", { delay = "1 minute", '
                                    f'on_skew = "{policy}" }})')
                source = expect.Summary(run.err).source
                self.assertEqual((source["passed"], source["skipped"]), (passed, skipped))

    def test_late_records_keep_their_bytes_and_get_a_verdict(self):
        topic, late = self.topic(partitions=2), self.topic(name="late")
        minute = 60_000
        first = [{"value": json.dumps({"n": n, "ts": n * minute}), "partition": p}
                 for p in range(2) for n in range(10)]
        self.client.produce(topic, first)
        self.file("p.lua", pipelines.count(
            topic, self.out, name="tardy", time='delay = "1 minute", idle = "never"').replace(
                ":to(", f':late_to(sluice.kafka {{ topic = "{late}" }})\n:to('))
        run = self.start("run", "p.lua", "--set", "trigger=continuous")
        self.wait_for("windows", lambda: len(self.client.consume(self.out)) == 8)
        value = '{ "n":77, "ts":60001 }'
        self.client.produce(topic, [{"value": value, "key": b"\x00k", "partition": 1,
                                     "headers": [("mine", b"1")]},
                                    {"value": json.dumps({"ts": 9 * minute}), "partition": 1}])
        (record,) = self.client.consume(late, at_least=1)
        self.assertEqual(run.stop(), 0)
        source = expect.Summary(run.err).source
        self.assertEqual((source["late"], source["late_windows"], source["read"]), (1, 1, 22))
        self.assertEqual((record.key, record.value), (b"\x00k", value.encode()))
        self.assertEqual(record.headers[0], ("mine", b"1"))
        verdict = {name: self.header(record, name) for name in (
            "topic", "partition", "offset", "kind", "window_start", "window_end", "watermark")}
        self.assertEqual(verdict, {"topic": topic, "partition": "1", "offset": "10", "kind": "late",
                                   "window_start": "60000", "window_end": "120000",
                                   "watermark": str(8 * minute)})
        self.assertRegex(self.header(record, "slowest"), f"{topic}:[01]")

    def test_the_quarantine_topic_can_be_read_again(self):
        """Redrive: what was bad for one schema is good for the next."""
        topic = self.topic()
        self.client.produce(topic, [{"value": b'{"n":1.5}', "key": "k"}, {"value": b'{"n":2}'}])
        self.run_copy(topic, name="redrive")
        script = pipelines.copy("redrive-quarantine", self.out, name="again").replace(
            'int64 "n"', 'double "n"')
        self.file("p.lua", script)
        self.assertEqual(self.run_sluice("run", "p.lua").code, 0)
        self.assertEqual(sorted(r.json()["n"] for r in self.client.consume(self.out)), [1.5, 2])

    def test_poison_is_not_slow(self):
        """One bad record in a hundred costs little."""
        spent = {}
        for share in (0, 100):
            topic, path = self.topic(), self.file("lines", "")
            with open(path, "wb") as file:
                for n in range(100_000):
                    file.write((b'{"n":"x"}' if share and n % share == 0 else good(n)) + b"\n")
            self.client.produce_lines(topic, path)
            run = self.run_copy(topic, name=f"slow-{share}")
            spent[share] = run.cpu_s
            self.assertEqual(expect.Summary(run.err).source["quarantined"], 1000 if share else 0)
        self.assertLess(spent[100], 3 * spent[0])
