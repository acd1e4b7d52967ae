"""Writing by sluice itself and by librdkafka: the same rows, once and in their order, though connections break."""
import json
import os

import expect
import harness
import pipelines
import test_fetch

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
PRODUCE = 0
COUNT = 20_000


class WriteTest(harness.E2ETest):
    def copy(self, count, sink="", **topic):
        """Copy numbers; the values that come out, in their order in each partition."""
        source, out = self.topic(), self.topic(name="out", **topic)
        self.client.produce(source, [{"value": json.dumps({"n": n})} for n in range(count)])
        self.file("p.lua", pipelines.copy(source, out, sink=sink))
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 0, run.err)
        return self.client.consume(out), run


class RowsTest(WriteTest):
    def test_every_codec_to_several_partitions(self):
        for codec, way in [*((codec, "auto") for codec in CODECS), ("lz4", "librdkafka")]:
            with self.subTest(codec=codec, way=way):
                records, run = self.copy(3000, f'compression = "{codec}", produce = "{way}", key = "n"', partitions=3)
                self.assertEqual(sorted(r.json()["n"] for r in records), list(range(3000)))
                for partition in range(3):
                    rows = [r.json()["n"] for r in records if r.partition == partition]
                    self.assertEqual(rows, sorted(rows))
                self.assertEqual(len(expect.messages(run.err, "writing by librdkafka")), way == "librdkafka")

    def test_rows_that_are_refused_are_found_among_thousands(self):
        source, out, dead = self.topic(), self.topic(name="out", configs={"max.message.bytes": "50000"}), self.topic()
        pads = {n: os.urandom(100_000).hex() for n in (0, 1500, 1501, 2999)}
        self.client.produce(source, [{"value": json.dumps({"n": n, "pad": pads.get(n, "")})} for n in range(3000)])
        self.file("p.lua", pipelines.copy(
            source, out, fields='sluice.string "pad"', sink='on_error = "quarantine"',
            stages=f':quarantine_to(sluice.kafka {{ topic = "{dead}" }})'))
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 0, run.err)
        self.assertEqual([r.json()["n"] for r in self.client.consume(out)], [n for n in range(3000) if n not in pads])
        self.assertEqual([json.loads(r.value)["n"] for r in self.client.consume(dead)], sorted(pads))

    def test_rows_that_are_all_refused_do_not_hold_a_transaction_up(self):
        """Finding each by halving would take longer than a transaction may."""
        source, out, dead = self.topic(), self.topic(name="out", configs={"cleanup.policy": "compact"}), self.topic()
        self.client.produce(source, [{"value": json.dumps({"n": n})} for n in range(COUNT)])
        text = pipelines.copy(source, out, source="max_bad_share = 1,",
                              sink='on_error = "quarantine", config = { ["transaction.timeout.ms"] = "10000" }',
                              stages=f':quarantine_to(sluice.kafka {{ topic = "{dead}" }})')
        self.file("p.lua", text.replace('"none"', '"file:./store"'))
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 0, run.err)
        self.assertEqual(self.client.consume(out), [])
        self.assertEqual([json.loads(r.value)["n"] for r in self.client.consume(dead)], list(range(COUNT)))

    def test_where_librdkafka_writes_it_is_said(self):
        out = self.topic(name="out")
        for setting, said in ("auto", "written by sluice itself"), ("librdkafka", "by librdkafka: option produce"):
            self.file("p.lua", pipelines.copy(self.topic(), out, sink=f'produce = "{setting}"'))
            run = self.run_sluice("check", "--connect", "p.lua")
            self.assertIn(said, run.out + run.err)


class GoneTest(harness.E2ETest):
    def test_a_topic_that_is_made_anew_with_fewer_partitions_is_gone(self):
        for delivery in "exactly-once", "at-least-once":
            with self.subTest(delivery=delivery):
                source, out = self.topic(), self.topic(3, name="out")
                text = pipelines.copy(source, out, name=delivery, sink='key = "n"',
                                      pipeline=f'delivery = "{delivery}",')
                text = text.replace('trigger = "available-now",', "")
                self.file("p.lua", text.replace('"none"', '"file:./store"'))
                rows = [{"value": json.dumps({"n": n})} for n in range(100)]
                self.client.produce(source, rows)
                run = self.start("run", "p.lua")
                self.assertEqual(len(self.client.consume(out, at_least=len(rows))), len(rows))
                self.client.delete_topic(out)
                self.client.create_topic(out, 1)
                self.client.produce(source, rows)
                self.assertNotEqual(run.wait(60), 0)
                self.assertIn(f"writing to topic {out}: it is gone", run.err)


class BrokenTest(test_fetch.Proxied, WriteTest):
    """Half of an answer to Produce comes: what it stands for is in the log, and is sent again."""

    def new_proxy(self, to):
        proxy = test_fetch.Proxy(to)
        proxy.api, proxy.least = PRODUCE, 0
        return proxy

    def test_what_is_sent_again_is_there_once(self):
        self.assertTrue(self.broker)
        self.proxy.spoil = lambda frame: None
        records, _ = self.copy(COUNT)
        self.assertEqual(self.proxy.spoiled, 1)
        self.assertEqual([r.json()["n"] for r in records], list(range(COUNT)))


class RightsTest(harness.WithRights, harness.E2ETest):
    def test_a_transaction_that_is_not_allowed_ends_the_start(self):
        certs = self.broker.certs
        limited = (f'cluster = sluice.cluster {{ brokers = "{self.broker.address("mtls")}", tls = {{ ca = "{certs.ca}", '
                   f'cert = "{certs.client_cert}", key = "{certs.client_key}" }} }}')
        text = pipelines.copy(self.topic(), self.topic(), source=limited, sink=limited)
        self.file("p.lua", text.replace('"none"', '"file:./store"'))
        run = self.run_sluice("run", "p.lua")
        self.assertNotEqual(run.code, 0)
        self.assertIn("Write and Describe on the TransactionalId of that name", run.err)
