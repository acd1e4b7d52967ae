"""The harness itself: what it says about a topic must be right before it may judge anything else."""
import json
from collections import defaultdict

import broker
import harness
from broker import PASSWORD, USER
from client import ClientError


class HarnessTest(harness.E2ETest):
    def test_bytes_come_back_as_they_went_in(self):
        topic = self.topic(partitions=2)
        records = [{"value": b"\x00\xff", "key": "k", "partition": 1, "timestamp": 5,
                    "headers": [("h", b"\xfe"), ("h", None)]},
                   {"value": None, "key": b"gone", "partition": 1},
                   {"value": "", "partition": 0}]
        self.assertEqual(self.client.produce(topic, records), [0, 1, 0])
        got = self.client.consume(topic)
        self.assertEqual([(r.partition, r.offset, r.key, r.value) for r in got],
                         [(0, 0, None, b""), (1, 0, b"k", b"\x00\xff"), (1, 1, b"gone", None)])
        self.assertEqual((got[1].timestamp, got[1].headers), (5, [("h", b"\xfe"), ("h", None)]))

    def test_aborted_and_open_transactions_are_not_read(self):
        topic = self.topic()
        for value, transaction in ("a", "commit"), ("b", "abort"), ("c", "commit"), ("d", "open"):
            self.client.produce(topic, [{"value": value}], transaction=transaction)
        self.assertEqual([r.value for r in self.client.consume(topic)], [b"a", b"c"])
        everything = self.client.consume(topic, read_committed=False)
        self.assertEqual([r.value for r in everything], [b"a", b"b", b"c", b"d"])
        self.assertEqual(self.client.end_offsets(topic, read_committed=True), {0: 6})
        self.assertEqual(self.client.end_offsets(topic), {0: 7})

    def test_deleted_records_move_the_start(self):
        topic = self.topic()
        self.client.produce(topic, [{"value": str(i)} for i in range(5)])
        self.client.delete_records(topic, {0: 3})
        self.assertEqual(self.client.start_offsets(topic), {0: 3})
        self.assertEqual([r.value for r in self.client.consume(topic)], [b"3", b"4"])

    def test_a_broker_that_was_killed_is_started_by_another_process_with_its_data(self):
        """`./dev kafka start`."""
        first = self.own_broker()
        first.client.create_topic("kept")
        first.client.produce("kept", [{"value": b"x"}])
        first.kill()
        second = broker.Broker(folder=first.folder)
        self.addCleanup(second.close)
        second.revive(first.ports)
        self.assertEqual([r.value for r in second.client.consume("kept")], [b"x"])

    def test_group_offsets(self):
        topic = self.topic(partitions=2)
        self.client.set_group_offsets("g", topic, {1: 7})
        self.assertEqual(self.client.group_offsets("g"), {(topic, 1): (7, "")})

    def test_rides_are_the_same_for_the_same_seed(self):
        topics = [self.topic(partitions=2) for _ in range(3)]
        for topic, seed in zip(topics, (1, 1, 2)):
            self.client.generate_rides(topic, 1000, seed=seed, partitions=2)
        first, again, other = ([r.value for r in self.client.consume(t)] for t in topics)
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)
        self.assertTrue(all(138 <= len(value) <= 155 for value in first))
        self.assertEqual(len({json.loads(value)["event_type"] for value in first}), 8)

    def test_oracle_agrees_with_plain_python(self):
        topic = self.topic(partitions=4)
        self.client.generate_rides(topic, 3000)
        self.client.produce(topic, [{"value": "{"}, {"value": None}, {"value": '{"ts":1.5}'}])
        expected = defaultdict(list)
        for record in self.client.consume(topic):
            if not record.value or len(record.value) < 100:
                continue
            ride = record.json()
            if ride["event_type"] != "heartbeat":
                start = ride["ts"] // 30_000 * 30_000
                for window in (start, start - 30_000):
                    expected[window, ride["event_type"]].append(ride["amount"])
        answer = self.client.oracle(topic)
        self.assertEqual((answer["records"], answer["bad"]), (3003, 3))
        self.assertEqual([(w["start_ms"], w["key"]) for w in answer["windows"]], sorted(expected))
        for window in answer["windows"]:
            amounts = expected[window["start_ms"], window["key"]]
            self.assertEqual((window["count"], window["min"], window["max"]),
                             (len(amounts), min(amounts), max(amounts)))
            self.assertAlmostEqual(window["sum"], sum(amounts), places=6)

    def test_errors_are_told(self):
        with self.assertRaisesRegex(ClientError, "UnknownTopicOrPartition"):
            self.client.delete_topic("nowhere")


class BrokerTest(harness.E2ETest):
    def test_records_outlive_a_kill(self):
        broker = self.own_broker()
        broker.client.create_topic("t", 1)
        broker.client.produce("t", [{"value": "kept"}])
        broker.kill()
        self.assertFalse(broker.running)
        broker.start()
        self.assertEqual([r.value for r in broker.client.consume("t", at_least=1)], [b"kept"])

    def test_secured_listeners_let_in_who_they_should(self):
        broker = harness.shared_broker(secure=True)
        certs = broker.certs
        mine, foreign = store(certs.client_store), store(certs.other_store)
        for listener, protocol, options, admitted in [
                ("tls", "SSL", trust(certs.ca), True),
                ("tls", "SSL", trust(certs.other_ca), False),
                ("mtls", "SSL", {**trust(certs.ca), **mine}, True),
                ("mtls", "SSL", trust(certs.ca), False),
                ("mtls", "SSL", {**trust(certs.ca), **foreign}, False),
                ("sasl", "SASL_PLAINTEXT", login(PASSWORD), True),
                ("sasl", "SASL_PLAINTEXT", login("wrong"), False),
                ("sasl_tls", "SASL_SSL", {**trust(certs.ca), **login(PASSWORD)}, True),
                ("sasl_tls", "SASL_SSL", {**trust(certs.ca), **login("wrong")}, False)]:
            config = {"bootstrap.servers": broker.address(listener), "security.protocol": protocol,
                      **options}
            with self.subTest(listener=listener, options=options):
                if admitted:
                    broker.client.try_connect(config)
                else:
                    with self.assertRaisesRegex(ClientError, "SslAuth|SaslAuth|SSLHandshake"):
                        broker.client.try_connect(config)


def trust(authority):
    return {"ssl.truststore.type": "PEM", "ssl.truststore.location": authority}


def store(path):
    return {"ssl.keystore.type": "PEM", "ssl.keystore.location": path}


def login(password):
    return {"sasl.mechanism": "PLAIN", "sasl.jaas.config":
            "org.apache.kafka.common.security.plain.PlainLoginModule required "
            f'username="{USER}" password="{password}";'}
