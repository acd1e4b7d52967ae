"""`sluice try`: results of a sample, what was thrown out and where, again at every save; and that it leaves nothing."""
import json
import os
import random
import signal

import harness

SCRIPT = """
local sluice = require "sluice"
local sums = sluice.kafka { topics = "TOPIC" }
   :json {
      sluice.string "who" :required(),
      sluice.double "amount",
      sluice.int64 "ts" :required(),
   }
   :event_time("ts", { unit = "ms", delay = "1 second" })
   :filter(function(row) return (row.amount or 0) >= 0 end)
   :group_by "who"
   :window(sluice.tumbling { size = "10 seconds" })
   :aggregate { { rows = sluice.count() }, { total = sluice.sum "amount" } }
   :to(sluice.kafka { topic = "OUT", mode = "append" })
return sluice.pipeline { name = "NAME", checkpoint = "file:./store", sums }
"""
BEGIN_MS = 1_777_629_600_000


def script(name="tried", topic="in", out="out"):
    return SCRIPT.replace("NAME", name).replace("TOPIC", topic).replace("OUT", out)


def lines(count, step_ms=100):
    return [{"who": f"w{i % 3}", "amount": i % 7, "ts": BEGIN_MS + i * step_ms} for i in range(count)]


def text_of(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


class FileTest(harness.E2ETest):
    brokers = "localhost:1"  # nobody is asked

    def attempt(self, *more, code=0):
        run = self.run_sluice("try", "p.lua", "--json", *more)
        self.assertEqual(run.code, code, run.out + run.err)
        return json.loads(run.out)

    def rows(self, found):
        self.assertEqual([sink["name"] for sink in found["sinks"]], ["out"])
        return {(row["value"]["who"], row["value"]["window_start"]): row["value"] for row in found["sinks"][0]["rows"]}

    def test_results_of_a_file(self):
        self.file("p.lua", script())
        sample = lines(1000)
        self.file("in.jsonl", text_of(sample))
        found = self.attempt("--input", "in.jsonl")
        rows = self.rows(found)
        for row in sample:
            start = row["ts"] // 10_000 * 10_000
            rows[row["who"], start]["total"] -= row["amount"]
            rows[row["who"], start]["rows"] -= 1
        self.assertTrue(all(row["total"] == 0 and row["rows"] == 0 for row in rows.values()), rows)
        self.assertEqual(found["metrics"]["sources"]["in"]["passed"], 1000)
        self.assertEqual([f["what"] for f in found["functions"]], ["filter"])
        self.assertEqual(found["functions"][0]["calls"], 1000)
        self.assertEqual(sorted(os.listdir(self.folder))[:2], ["in.jsonl", "p.lua"])
        self.assertFalse([name for name in os.listdir(self.folder) if "quarantine" in name or name == "store"])

    def test_equal_rows_of_a_sink_without_keys_are_all_shown(self):
        self.file("p.lua", 'local sluice = require "sluice"\nreturn sluice.pipeline { name = "same", checkpoint = "none", '
                  'sluice.file { path = "in" }:json { sluice.string "who" }:to(sluice.file { path = "out" }) }')
        self.file("in.jsonl", text_of([{"who": who} for who in ("ann", "bob", "ann", "ann")]))
        run = self.run_sluice("try", "p.lua", "--input", "in.jsonl")
        self.assertRegex(run.out, r"\Aout  4 rows\n  who\n  ann\n  ann\n  ann\n  bob\n")

    def test_the_last_records_and_late_ones(self):
        self.file("p.lua", script())
        sample = lines(30_000, step_ms=10)
        sample[25_000]["ts"] -= 100_000
        self.file("in.jsonl", text_of(sample))
        found = self.attempt("--input", "in.jsonl")
        self.assertEqual(found["metrics"]["sources"]["in"]["late"], 1)
        self.assertIn("late records are dropped: with `:late_to(sink)`",
                      self.run_sluice("try", "p.lua", "--input", "in.jsonl").out)
        self.file("p.lua", script().replace("   :to(", '   :late_to(sluice.kafka { topic = "late" })\n   :to('))
        run = self.run_sluice("try", "p.lua", "--input", "in.jsonl")
        self.assertRegex(run.out, r'1 × late, stage `\w+`: its window is 2026-05-01 10:02:30 to 2026-05-01 10:02:40, the '
                         r'watermark was at 2026-05-01 10:03:18\n    in\.jsonl:0:25000  \{"who": "w1"')
        found = self.attempt("--input", "in.jsonl", "--last", "500")
        self.assertEqual(found["records"], 500)
        self.assertEqual(min(start for _, start in self.rows(found)), (BEGIN_MS + 295_000) // 10_000 * 10_000)

    def test_what_was_thrown_out(self):
        self.file("p.lua", script().replace("(row.amount or 0) >= 0", "#row.who > 3 or row.who:rep(-1) .. nothing").replace(
            "local sums", "local nothing = nil\nlocal sums"))
        sample = lines(20)
        sample[3]["amount"] = "12"
        sample[5]["who"] = "wolfgang"
        self.file("in.jsonl", text_of(sample))
        run = self.run_sluice("try", "p.lua", "--input", "in.jsonl")
        self.assertEqual(run.code, 0, run.err)
        self.assertIn('1 × bad, field `amount`: seen "12", wanted a number', run.out)
        self.assertIn("in.jsonl:0:3  {\"who\": \"w0\", \"amount\": \"12\"", run.out)
        self.assertIn("18 × threw: p.lua:11: attempt to concatenate", run.out)
        self.assertIn("p.lua:11 | :filter(function(row) return #row.who > 3 or", run.out)
        self.assertIn("first in.jsonl:0:0  {\"who\": \"w0\", \"amount\": 0", run.out)
        self.assertNotIn("a run would stop here", run.out)  # it judges by a batch of 1,000 and more
        self.file("in.jsonl", text_of(lines(1100)))
        run = self.run_sluice("try", "p.lua", "--input", "in.jsonl")
        self.assertIn("a run would stop here: 1100 of 1100 records of in are bad", run.out)
        self.file("p.lua", script().replace("return (row.amount or 0) >= 0",
                                            "if row.ts % 7919 == 1777629600500 % 7919 then error { code = 7, reason = 'no' } end "
                                            "return true"))
        run = self.run_sluice("try", "p.lua", "--input", "in.jsonl")
        self.assertIn('1 × threw: p.lua:10: an error object (a table) { code = 7, reason = "no" }', run.out)

    def test_what_functions_cost(self):
        self.file("p.lua", script().replace("return (row.amount or 0) >= 0", "local of = function() return row.amount end "
                                            "return (of() or 0) >= 0"))
        self.file("in.jsonl", text_of(lines(100_000)))
        timed, = self.attempt("--input", "in.jsonl")["functions"]
        self.assertEqual((timed["what"], timed["line"], timed["calls"]), ("filter", "p.lua:10", 100_000))
        self.assertIn("a function is made for each row", timed["interpreted"])
        self.assertGreater(timed["ns"], 0)
        self.file("p.lua", script())
        timed, = self.attempt("--input", "in.jsonl")["functions"]
        self.assertIsNone(timed["interpreted"])

    def test_no_records(self):
        self.file("p.lua", script())
        self.file("in.jsonl", "")
        found = self.attempt("--input", "in.jsonl")
        self.assertEqual((found["records"], found["sinks"][0]["rows"]), (0, []))

    def test_a_script_that_does_not_load(self):
        self.file("p.lua", script().replace("row.amount", "row.amonut"))
        self.file("in.jsonl", text_of(lines(5)))
        run = self.run_sluice("try", "p.lua", "--input", "in.jsonl")
        self.assertEqual(run.code, 2)
        self.assertIn("did you mean `amount`?", run.out)
        self.assertIn(">   10 |    :filter(function(row)", run.out)

    def test_several_sources_by_name(self):
        text = script().replace("return sluice.pipeline", """
local more = sluice.kafka { topics = "more" }:raw():to(sluice.kafka { topic = "copy" })
return sluice.pipeline""").replace("sums }", "sums, more }")
        self.file("p.lua", text)
        self.file("in.jsonl", text_of(lines(5)))
        run = self.run_sluice("try", "p.lua", "--input", "in.jsonl")
        self.assertEqual(run.code, 2)
        self.assertIn("wanted NAME=FILE", run.out)
        found = self.attempt("--input", "in=in.jsonl", "--input", "more=in.jsonl")
        self.assertEqual({sink["name"]: len(sink["rows"]) for sink in found["sinks"]}, {"out": 3, "copy": 5})

    def test_made_up_events(self):
        self.file("p.lua", script())
        found = self.attempt("--embedded", "--last", "3000")
        self.assertEqual(found["records"], 3000)
        self.assertEqual(found["metrics"]["sources"]["in"]["passed"], 3000)


class WatchTest(harness.E2ETest):
    brokers = "localhost:1"

    def until(self, run, text, seen=0):
        self.wait_for(repr(text), lambda: text in run.out[seen:])
        return len(run.out)

    def test_again_at_every_save(self):
        self.file("limit.lua", "return 0")
        self.file("p.lua", script().replace("(row.amount or 0) >= 0", '(row.amount or 0) >= require "limit"').replace(
            "local sums", 'local limit = require "limit"\nlocal sums').replace('require "limit" end', "limit end"))
        self.file("in.jsonl", text_of(lines(1000)))
        run = self.start("try", "p.lua", "--input", "in.jsonl", "--watch")
        seen = self.until(run, "Nothing was written")
        os.rename(self.file("in.jsonl.new", ""), os.path.join(self.folder, "in.jsonl"))  # taken once
        self.file("limit.lua", "return 3")
        self.until(run, "changed (~)", seen)
        self.until(run, " → ", seen)
        seen = self.until(run, "Nothing was written", seen)
        self.file("p.lua", "this is no Lua")
        self.until(run, ">    1 | this is no Lua", seen)
        seen = len(run.out)
        self.file("p.lua", script())
        self.until(run, "changed (~)", seen)
        run.send(signal.SIGINT)
        self.assertEqual(run.wait(), 0, run.err)


class KafkaTest(harness.E2ETest):
    def test_a_topic_that_is_not_there(self):
        self.file("p.lua", script(topic="no-such-topic"))
        before = self.client.traces()
        run = self.run_sluice("try", "p.lua")
        self.assertEqual(run.code, 1, run.out + run.err)
        self.assertIn("no-such-topic", run.out)
        self.assertIn("without a Kafka: --input FILE, or --embedded", run.out)
        self.assertEqual(self.client.traces(), before)

    def test_nothing_is_left_behind(self):
        topic, name, out = self.topic(4), harness.fresh("tried"), harness.fresh("no-such-topic")
        sample = lines(4000)
        self.client.produce(topic, [{"value": json.dumps(row), "partition": i % 4} for i, row in enumerate(sample)])
        self.file("p.lua", script(name, topic, out))
        before = self.client.traces()
        run = self.run_sluice("try", "p.lua", "--json", "--last", "1000")
        self.assertEqual(run.code, 0, run.out + run.err)
        found = json.loads(run.out)
        self.assertGreaterEqual(found["records"], 1000)
        self.assertLess(found["records"], 1010)
        rows = [row["value"] for row in found["sinks"][0]["rows"]]
        self.assertEqual(sum(row["rows"] for row in rows), found["records"])
        self.assertGreaterEqual(min(row["window_start"] for row in rows), BEGIN_MS + 290_000)
        run = self.run_sluice("schema", "infer", topic, "--brokers", self.broker.bootstrap)
        self.assertIn('sluice.timestamp("ts", "ms") :required()', run.out)
        self.assertIn(f'topics = "{topic}"', run.out)
        self.assertEqual(self.client.traces(), before)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "store")))

    def test_a_sample_is_kept_for_the_next_try(self):
        topic, name = self.topic(2), harness.fresh("tried")
        cache = os.path.join(self.folder, "cache")
        headers = [("kind", b"x"), ("none", None)]

        def produce(count, who):
            self.client.produce(topic, [{"key": f"k{i}", "value": json.dumps(dict(row, who=who)), "partition": i % 2,
                                         "headers": headers} for i, row in enumerate(lines(count))])

        def attempt(*more):
            run = self.run_sluice("try", "p.lua", "--json", *more, env={"SLUICE_CACHE_DIR": cache})
            self.assertEqual(run.code, 0, run.out + run.err)
            return json.loads(run.out)
        produce(300, "first")
        self.file("p.lua", script(name, topic).replace('sluice.double "amount",', 'sluice.double "amount", sluice.string "at" '
                                                       ':from_header "kind" :required(), sluice.string "key" :from_key() :required(),'))
        first = attempt()
        produce(300, "second")
        again = attempt()
        self.assertNotIn("sample_taken_ms", first)
        self.assertGreater(again["sample_taken_ms"], BEGIN_MS)
        self.assertEqual((again["records"], again["sinks"]), (300, first["sinks"]))
        (kept,) = os.listdir(cache)
        self.assertEqual(os.stat(os.path.join(cache, kept)).st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(cache).st_mode & 0o777, 0o700)
        text = self.run_sluice("try", "p.lua", env={"SLUICE_CACHE_DIR": cache}).out
        self.assertIn(" UTC and kept; --fresh takes a new one.\n", text)
        self.assertEqual(attempt("--fresh")["records"], 600)
        self.assertEqual(attempt()["records"], 600)
        with open(os.path.join(cache, kept), "r+b") as file:  # one that was damaged is none
            file.seek(200)
            file.write(b"damaged")
        damaged = attempt()
        self.assertNotIn("sample_taken_ms", damaged)
        self.assertEqual(damaged["sinks"], attempt("--fresh")["sinks"])


class InferTest(harness.E2ETest):
    brokers = "localhost:1"

    def events(self, count):
        for i in range(count):
            event = {"id": i, "ts": BEGIN_MS + i * 50, "at": "2026-05-01T10:00:03.5Z", "day": "2026-05-01",
                     "price": f"{i}.{i % 100:02}", "amount": i / 4, "ok": i % 2 == 0, "none": None, "big": 2**60 + i,
                     "user": {"name": f"u{i}", "tags": ["a", "b"][:i % 3], "geo": {"lat": 1.5} if i % 5 else None},
                     "items": [{"sku": f"s{k}", "n": k} for k in range(i % 3)], "odd \"name\"": "x",
                     "labels": {f"k{i % 97}": i}, "updated": BEGIN_MS // 1000 + i}
            if i % 10 == 3:
                event["amount"] = "12"
            if i % 50 == 3:
                del event["ok"]
            yield event

    def test_a_draft_decodes_its_own_sample(self):
        events = list(self.events(500))
        self.file("e.jsonl", text_of(events) + "not json\n[1]\n")
        run = self.run_sluice("schema", "infer", "--input", "e.jsonl")
        self.assertEqual(run.code, 0, run.err)
        for line in ('sluice.int64 "id" :required(),', 'sluice.timestamp("ts", "ms") :required(),',
                     'sluice.timestamp("at", "iso") :required(),', 'sluice.date "day" :required(),',
                     '-- price: decimals as text', 'sluice.decimal("price", 7, 2) :required(),',
                     '-- amount: 50 text: 12 at e.jsonl:0:3; 0 to 124.75', 'sluice.double "amount" :required(),',
                     '-- ok: 2 % null or missing', 'sluice.bool "ok",', 'sluice.int64 "big" :exact() :required(),',
                     '-- geo: 20 % null or missing', 'sluice.list("tags", "string") :required(),',
                     'sluice.map("labels", "int64") :required(),', 'sluice.timestamp("updated", "s") :required(),',
                     ':event_time("ts", { delay = "10 seconds" })', '-- no JSON, at e.jsonl:0:500: not json'):
            self.assertIn(line, run.out)
        self.file("draft.lua", run.out)
        run = self.run_sluice("try", "draft.lua", "--json")
        self.assertEqual(run.code, 0, run.err)
        found = json.loads(run.out)
        self.assertEqual({thrown["offset"] for thrown in found["thrown"]}, {*range(3, 500, 10), 500, 501})
        self.assertEqual({thrown.get("field") for thrown in found["thrown"]}, {"amount", None})
        self.assertEqual(found["metrics"]["sources"]["e.jsonl"]["passed"], 450)

    def test_what_is_no_topic_of_objects(self):
        self.file("e.txt", "one\ntwo\n")
        run = self.run_sluice("schema", "infer", "--input", "e.txt")
        self.assertEqual(run.code, 2)
        self.assertIn("e.txt: none of 2 records is a JSON object: no JSON at e.txt:0:0: one", run.err)
        run = self.run_sluice("schema", "infer")
        self.assertEqual(run.code, 2)
        self.assertIn("wanted a topic, or --input FILE", run.err)


def any_key(rnd):
    odd = ["", "\n", "__own", "a.b", '"', "\\", "--", "]]", "\u0000", "\u00e9\t", "end", "window_start", "1", "k" * 300,
           "\u2028", "a b", "@SOURCE@", "%d", "\u007f"]
    return rnd.choice(odd) if rnd.random() < .7 else "".join(rnd.choice('ab"\\\n\r\t.[]{}@%-_ \u00fc0') for _ in range(rnd.randrange(9)))


def any_value(rnd, depth):
    kind = rnd.randrange(9 if depth < 3 else 6)
    if kind < 6:
        return (None, True, rnd.randrange(-99, 99), rnd.random() * 100, any_key(rnd), 2 ** 60)[kind]
    if kind == 6:
        one = any_value(rnd, 9)
        return [one] * rnd.randrange(3)
    return {any_key(rnd): any_value(rnd, depth + 1) for _ in range(rnd.randrange(4))}


class AnyKeysTest(harness.E2ETest):
    @property
    def brokers(self):
        return "localhost:1"

    def test_a_draft_of_any_keys_loads_and_decodes_its_documents(self):
        for seed in range(16):
            rnd = random.Random(seed)
            document = {any_key(rnd): any_value(rnd, 0) for _ in range(12)}
            document["always"] = seed
            self.file("in.jsonl", 3 * (json.dumps(document) + "\n"))
            draft = self.run_sluice("schema", "infer", "--input", "in.jsonl")
            self.assertEqual(draft.code, 0, draft.err)
            self.file("draft.lua", draft.out)
            run = self.run_sluice("run", "draft.lua")
            with self.subTest(seed=seed, document=document):
                self.assertEqual(run.code, 0, run.err + draft.out)
                self.assertIn(" read=3 passed=3 ", run.err, draft.out)
                rows = [json.loads(line) for line in run.out.split("\n") if line]
                self.assertEqual(len(rows), 3, run.err)
                kept = [value for value in document.values() if isinstance(value, (bool, int, float))]
                self.assertEqual([value for value in rows[0].values() if isinstance(value, (bool, int, float))], kept)

    def test_csv(self):
        self.file("in.csv", 'id;zip;ok;note\n1;01067;true;"a ""b"";"\n2;80331;false;\n3;80331;true;x;y\n')
        draft = self.run_sluice("schema", "infer", "--input", "in.csv")
        self.assertIn("-- 5 columns, wanted 4, at in.csv:0:3: 3;80331;true;x;y\n", draft.out)
        self.file("draft.lua", draft.out)
        run = self.run_sluice("run", "draft.lua")
        self.assertEqual([json.loads(line) for line in run.out.splitlines()],
                         [{"id": 1, "zip": "01067", "ok": True, "note": 'a "b";'},
                          {"id": 2, "zip": "80331", "ok": False, "note": None}], draft.out + run.err)


class NewTest(harness.E2ETest):
    brokers = "localhost:1"

    def test_a_new_pipeline_and_its_spec(self):
        run = self.run_sluice("new", "my-orders")
        self.assertEqual(run.code, 0, run.err)
        run = self.run_sluice("check", "my-orders.lua")
        self.assertEqual((run.code, run.err), (0, ""))
        run = self.run_sluice("test", "my-orders_spec.lua")
        self.assertEqual(run.code, 0, run.out + run.err)
        self.assertIn("3 successes", run.out)
        run = self.run_sluice("run", "my-orders.lua", "--embedded", "--set", "trigger=once")
        self.assertEqual(run.code, 0, run.err)
        self.assertEqual(json.loads(run.out.splitlines()[0])["topic"], "turnover")

    def test_what_is_there_stays(self):
        self.file("b_spec.lua", "mine")
        run = self.run_sluice("new", "b")
        self.assertEqual(run.code, 2)
        self.assertIn("`b_spec.lua` is there already", run.err)
        self.assertEqual(os.listdir(self.folder).count("b.lua"), 0)
        self.assertEqual(harness.read(os.path.join(self.folder, "b_spec.lua")), "mine")
