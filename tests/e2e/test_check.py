"""`sluice check`: what it finds in a script, what it asks a real Kafka, and how it exits."""
import json

import harness
import pipelines
from broker import PASSWORD, USER


class ConnectCase(harness.E2ETest):
    def connect(self, script, *more, code=0, env=None):
        """The findings of brokers, as {of: [(level, text)]}; checks the exit code."""
        self.file("p.lua", script)
        run = self.run_sluice("check", "--connect", "--json", *more, "p.lua", env=env)
        self.assertEqual(run.code, code, run.err + run.out)
        found = {}
        for one in json.loads(run.out)["connect"]:
            found.setdefault(one["of"], []).append((one["level"], one["text"], one.get("fix", "")))
        return found

    def expect(self, found, of, level, text):
        entries = found.get(of, [])
        self.assertTrue(any(seen == level and text in said for seen, said, _ in entries),
                        f"{level} {text!r} is not among {of}: {entries or found}")


class ConnectTest(ConnectCase):
    def test_all_is_well(self):
        source, out = self.topic(3), self.topic(configs={"cleanup.policy": "compact"})
        self.client.produce(source, [{"value": '{"n":1,"ts":1}'}] * 60)
        found = self.connect(pipelines.count(source, out, sink='mode = "update"'))
        cluster = f"Kafka at {self.broker.bootstrap}"
        self.expect(found, cluster, "ok", "1 broker, cluster ")
        self.expect(found, cluster, "ok", "no authorizer")
        self.expect(found, cluster, "ok", "transaction.max.timeout.ms is 900000")
        self.expect(found, "group count", "ok", "nobody else")
        self.expect(found, f"topic {source}", "ok", "3 partitions")
        self.expect(found, f"topic {source}", "ok", "60 records, 0.1 a second in the last 10 minutes, 60 unread")
        self.expect(found, f"topic {source}", "ok", "retention.ms is ")
        self.expect(found, f"topic {out}", "ok", "cleanup.policy is compact, as update wants it")
        self.expect(found, f"topic {out}", "ok", "1 replica, 1 must have a record")
        self.expect(found, "topic count-quarantine", "ok", "does not exist, and will be made")
        levels = {level for entries in found.values() for level, _, _ in entries}
        self.assertEqual(levels, {"ok"}, found)

    def test_topics_that_are_not_there(self):
        found = self.connect(pipelines.count("no-rides", "no-counts"), code=1)
        self.expect(found, "topic no-rides", "error", "does not exist")
        self.expect(found, "topic no-counts", "error", "does not exist")
        self.assertIn("kafka-topics.sh --bootstrap-server", found["topic no-rides"][0][2])

    def test_settings_against_the_plan(self):
        source = self.topic(configs={"retention.ms": "30000"})
        out = self.topic(configs={"max.message.bytes": "200000"})
        script = pipelines.count(source, out, sink='mode = "update", config = { '
                                 '["transaction.timeout.ms"] = 3600000 }')
        found = self.connect(script, code=1)
        self.expect(found, f"topic {source}", "warning", "retention.ms is 30 seconds, a window stays open for 2 minutes")
        self.expect(found, f"topic {out}", "warning", "cleanup.policy is delete, update wants compact")
        self.expect(found, f"topic {out}", "warning", "max.message.bytes is 200000, batches are up to 1000000")
        self.expect(found, f"Kafka at {self.broker.bootstrap}", "error",
                    "transaction.timeout.ms is 3600000, the broker takes 900000")

    def test_append_to_a_compacted_topic(self):
        source, out = self.topic(), self.topic(configs={"cleanup.policy": "compact"})
        script = pipelines.copy(source, out)
        self.expect(self.connect(script), f"topic {out}", "warning", "cleanup.policy is compact, rows wants delete")
        self.connect(script, "--strict", code=2)

    def test_more_copies_wanted_than_there_are(self):
        source, out = self.topic(), self.topic(configs={"min.insync.replicas": "2"})
        found = self.connect(pipelines.copy(source, out), code=1)
        self.expect(found, f"topic {out}", "error", "min.insync.replicas is 2, and there are 1 replicas")

    def test_max_rate_below_what_comes(self):
        source, out = self.topic(), self.topic()
        self.client.produce(source, [{"value": '{"n":1}'}] * 3000)
        found = self.connect(pipelines.copy(source, out, source="max_rate = 2"))
        self.expect(found, f"topic {source}", "warning", "5 records a second came in the last 10 minutes, max_rate is 2")

    def test_nobody_is_asked_twice(self):
        self.file("p.lua", pipelines.copy("in", "out"))
        run = self.run_sluice("check", "--connect", "p.lua", env={"KAFKA_BROKERS": "127.0.0.1:1"}, timeout_s=15)
        self.assertEqual(run.code, 1, run.out)
        self.assertIn("no Kafka broker at 127.0.0.1:1 answered within 9 s", " ".join(run.out.split()))
        self.assertRegex(run.err, r"\Asluice: p.lua: as the brokers are, it cannot run: 1 error \(above\)\n\Z")


class RightsTest(ConnectCase):
    """A broker that allows the account nothing but what it is told."""

    @property
    def broker(self):
        if not hasattr(self, "mine"):
            self.mine = self.own_broker(secure=True, settings={
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users": "User:ANONYMOUS"})
        return self.mine

    def test_rights(self):
        source, out = self.topic(), self.topic(configs={"max.message.bytes": "1048588"})
        limited = (f'cluster = sluice.cluster {{ brokers = "{self.broker.address("sasl")}", sasl = {{ '
                   f'username = "{USER}", password = sluice.env "RIDES_PASSWORD" }} }}')
        env = {"RIDES_PASSWORD": PASSWORD}
        with self.subTest("none"):
            found = self.connect(pipelines.copy(source, out, source=limited, sink=limited), code=1, env=env)
            self.expect(found, f"topic {source}", "error", "TOPIC_AUTHORIZATION_FAILED")
            self.expect(found, f"topic {out}", "error", "TOPIC_AUTHORIZATION_FAILED")
            self.assertNotIn(PASSWORD, json.dumps(found))
        with self.subTest("all, found by trying; nothing is written"):
            found = self.connect(pipelines.copy(source, out), env=env)
            self.expect(found, f"topic {source}", "ok", "may be read")
            self.expect(found, f"topic {out}", "ok", "may be written")
            self.assertEqual(self.client.consume(out), [])
