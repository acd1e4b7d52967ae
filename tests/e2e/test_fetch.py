"""Reading by sluice itself and by librdkafka: the same records whatever lies in a topic, and connections
that break in the middle of an answer."""
import contextlib
import json
import socket
import struct
import threading
import time

import expect
import harness
import pipelines

WAYS = ("auto", "librdkafka")
FETCH = 1
GREETING = struct.pack(">hh", 18, 0)  # ApiVersions; librdkafka's is of a later version


class Proxy:
    """Passes on what client and broker say, but for the next answer of Fetch with records in it (or of
    another `api`, with `least` bytes), which it spoils: `spoil` takes the frame behind its length and gives what is sent instead, or None: cut half-way
    through. `is_deaf`: what sluice greets brokers with is swallowed."""

    is_deaf, api, least = False, FETCH, 1000

    def __init__(self, target):
        self.target, self.spoil, self.spoiled = target, None, 0
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.server.accept()[0]
                broker = socket.create_connection(("127.0.0.1", self.target()))
            except OSError:
                return
            asked = {}
            threading.Thread(target=self.pump, args=(client, broker, asked, True), daemon=True).start()
            threading.Thread(target=self.pump, args=(broker, client, asked, False), daemon=True).start()

    def pump(self, one, other, asked, is_request):
        try:
            while True:
                frame = read(one, struct.unpack(">i", read(one, 4))[0])
                if is_request and self.is_deaf and frame.startswith(GREETING):
                    continue
                if is_request:
                    asked[struct.unpack_from(">i", frame, 4)[0]] = struct.unpack_from(">h", frame)[0]
                elif asked.pop(struct.unpack_from(">i", frame)[0], None) == self.api and len(frame) > self.least:
                    frame = self.spoiled_one(other, frame)
                other.sendall(struct.pack(">i", len(frame)) + frame)
        except OSError:
            pass
        for end in one, other:  # closing alone would not reach whoever waits at it
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def spoiled_one(self, to, frame):
        spoil = self.spoil
        if not spoil:
            return frame
        self.spoiled += 1
        changed = spoil(frame)
        if changed is None:
            self.spoil = None
            to.sendall(struct.pack(">i", len(frame)) + frame[:len(frame) // 2])
            raise OSError("cut")
        return changed

    def close(self):
        self.server.close()


def read(end, count):
    data = b""
    while len(data) < count:
        more = end.recv(count - len(data))
        if not more:
            raise OSError("closed")
        data += more
    return data


class FetchTest(harness.E2ETest):
    def copy(self, topic, way, code=0, source="", **parts):
        """The values that come out, by partition and offset of the input."""
        out = self.topic(name="out")
        self.file("p.lua", pipelines.copy(topic, out, source=f'fetch = "{way}", {source}', **parts))
        run = self.run_sluice("run", "--log-level", "debug", "p.lua")
        self.assertEqual(run.code, code, run.err)
        lines = expect.messages(run.err, "reading by librdkafka")
        self.assertEqual(len(lines), way == "librdkafka", run.err)
        return [record.json() for record in self.client.consume(out)], run

    def check_both(self, topic, wanted, **parts):
        for way in WAYS:
            with self.subTest(way=way):
                self.assertEqual(self.copy(topic, way, **parts)[0], wanted)


class RecordsTest(FetchTest):
    def test_keys_headers_times_and_nulls(self):
        for kind in "CreateTime", "LogAppendTime":
            topic = self.topic(configs={"message.timestamp.type": kind})
            self.client.produce(topic, [
                {"value": '{"n":0}', "key": "k", "timestamp": 1_700_000_000_000,
                 "headers": [("h", "first"), ("h", "second"), ("other", None)]},
                {"value": '{"n":1}', "key": None, "timestamp": 1_600_000_000_000},
                {"value": '{"n":2}', "key": "", "headers": [("h", "")]}])
            wanted = self.client.consume(topic)
            fields = ('sluice.string "key" :from_key(), sluice.string "h" :from_header "h", '
                      'sluice.int64 "at" :from_metadata "kafka_time"')
            for way in WAYS:
                with self.subTest(way=way, kind=kind):
                    rows, _ = self.copy(topic, way, fields=fields)
                    self.assertEqual([row["at"] for row in rows], [r.timestamp for r in wanted])
                    self.assertEqual([row["key"] for row in rows], ["k", None, ""])
                    self.assertEqual([row["h"] for row in rows], ["second", None, ""])

    def test_every_codec_in_one_topic(self):
        topic, wanted = self.topic(), []
        for at, codec in enumerate(("none", "gzip", "snappy", "lz4", "zstd")):
            source = self.topic()
            self.client.produce(source, [{"value": json.dumps({"n": at * 1000 + n})} for n in range(1000)])
            self.file("p.lua", pipelines.copy(source, topic, sink=f'compression = "{codec}"'))
            self.assertEqual(self.run_sluice("run", "p.lua").code, 0)
            wanted += range(at * 1000, at * 1000 + 1000)
        for way in WAYS:
            rows, _ = self.copy(topic, way)
            self.assertEqual([row["n"] for row in rows], wanted)

    def test_java_s_codecs(self):
        """Its snappy has frames of its own, and its lz4 and zstd do not tell their sizes."""
        for codec in "gzip", "snappy", "lz4", "zstd":
            topic = self.topic(configs={"compression.type": codec})  # the broker packs anew
            self.client.produce(topic, [{"value": json.dumps({"n": n, "pad": "x" * 500})}
                                        for n in range(3000)])
            for way in WAYS:
                with self.subTest(codec=codec, way=way):
                    rows, _ = self.copy(topic, way)
                    self.assertEqual([row["n"] for row in rows], list(range(3000)))

    def test_transactions_side_by_side(self):
        topic = self.topic()
        wanted = []
        for at in range(30):
            ends = "abort" if at % 3 else "commit"
            numbers = range(at * 10, at * 10 + 10)
            self.client.produce(topic, [{"value": json.dumps({"n": n})} for n in numbers], transaction=ends)
            self.client.produce(topic, [{"value": json.dumps({"n": 1000 + at})}])
            wanted += [*(numbers if ends == "commit" else []), 1000 + at]
        for way in WAYS:
            for limit in 500_000, 7:
                with self.subTest(way=way, limit=limit):
                    out = self.topic(name="out")
                    self.file("p.lua", pipelines.copy(topic, out, source=f'fetch = "{way}"'))
                    run = self.run_sluice("run", "p.lua", *harness.sets(f"source.max_records={limit}"))
                    self.assertEqual(run.code, 0, run.err)
                    self.assertEqual([r.json()["n"] for r in self.client.consume(out)], wanted)

    def test_a_record_larger_than_what_is_asked_for(self):
        topic = self.topic(partitions=3, configs={"max.message.bytes": "12000000"})
        for partition in range(3):
            self.client.produce(topic, [{"value": json.dumps({"n": partition, "pad": "x" * 900_000}),
                                         "partition": partition} for _ in range(3)])
        for way in WAYS:
            rows, _ = self.copy(topic, way)
            self.assertEqual(sorted(row["n"] for row in rows), [0, 0, 0, 1, 1, 1, 2, 2, 2])

    def test_what_is_packed_to_a_hundredth_does_not_fill_the_memory(self):
        """All of it is one answer: some 200 MB."""
        source, topic = self.topic(), self.topic(partitions=8)
        self.client.produce(source, [{"value": json.dumps({"n": n})} for n in range(20_000)])
        pad = 'sluice.string(function() return string.rep("x", 10000) end)'
        self.file("p.lua", pipelines.copy(source, topic, stages=f":derive {{ pad = {pad} }}",
                                          sink='key = "n", compression = "zstd"'))
        self.assertEqual(self.run_sluice("run", "p.lua").code, 0)
        rows, run = self.copy(topic, "auto")
        self.assertEqual(sorted(row["n"] for row in rows), list(range(20_000)))
        self.assertLess(run.peak_mb, 150)

    def test_a_leader_may_wait_longer_for_bytes_than_it_is_waited_for(self):
        topic = self.topic()
        self.client.produce(topic, [{"value": '{"n":1}'}])
        waits = 'config = { ["fetch.min.bytes"] = 1000000, ["fetch.wait.max.ms"] = 50000 }'
        self.assertEqual([row["n"] for row in self.copy(topic, "auto", source=waits)[0]], [1])

    def test_where_librdkafka_reads_it_is_said(self):
        topic = self.topic()
        out = self.topic(name="out")
        self.file("p.lua", pipelines.copy(topic, out, source='config = { ["socket.timeout.ms"] = 5000 }'))
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 0, run.err)
        (line,) = expect.messages(run.err, "reading by librdkafka")
        self.assertIn("config", line["reason"])
        for setting, said in ("auto", "read by sluice itself"), ("librdkafka", "by librdkafka: option fetch"):
            self.file("p.lua", pipelines.copy(topic, out, source=f'fetch = "{setting}"'))
            run = self.run_sluice("check", "--connect", "p.lua")
            self.assertIn(said, run.out + run.err)


class Proxied:
    """Mixed in: a broker of the test's own, reached through `proxy`, which is made by `new_proxy(address)`."""

    def new_proxy(self, to):
        return Proxy(to)

    @property
    def broker(self):
        if not hasattr(self, "mine"):
            self.proxy = self.new_proxy(lambda: self.mine.ports["proxied"])
            self.addCleanup(self.proxy.close)
            self.mine = self.own_broker(proxy=self.proxy.port)
        return self.mine

    @property
    def brokers(self):
        return self.broker.address("proxied")


class BrokenTest(Proxied, FetchTest):
    def run_spoiled(self, spoil, count=20_000):
        self.topic_in, self.out = self.topic(), self.topic(name="out")
        self.client.produce(self.topic_in, [{"value": json.dumps({"n": n})} for n in range(count)])
        self.file("p.lua", pipelines.copy(self.topic_in, self.out, source="max_records = 3000"))
        self.proxy.spoil = spoil
        run = self.run_sluice("run", "p.lua")
        self.assertGreater(self.proxy.spoiled, 0)
        return run

    def copied(self):
        return [record.json()["n"] for record in self.client.consume(self.out)]

    def test_a_connection_that_is_cut_in_the_middle_of_an_answer(self):
        run = self.run_spoiled(lambda frame: None)
        self.assertEqual(run.code, 0, run.err)
        self.assertEqual(self.copied(), list(range(20_000)))

    def test_a_broker_that_does_not_answer_holds_the_start_up_for_seconds_only(self):
        topic, out = self.topic(), self.topic(name="out")
        self.client.produce(topic, [{"value": '{"n":1}'}])
        self.file("p.lua", pipelines.copy(topic, out))
        self.proxy.is_deaf = True
        run = self.run_sluice("run", "p.lua", timeout_s=20)
        self.assertEqual(run.code, 0, run.err)
        self.assertIn("no answer for 5 s", expect.messages(run.err, "reading by librdkafka")[0]["reason"])
        self.assertEqual(len(self.client.consume(out)), 1)

    def test_an_answer_to_something_else(self):
        def spoil(frame):
            self.proxy.spoil = None
            return struct.pack(">i", 4711) + frame[4:]
        run = self.run_spoiled(spoil)
        self.assertEqual(run.code, 0, run.err)
        self.assertEqual(self.copied(), list(range(20_000)))

    def test_answers_that_never_make_sense(self):
        run = self.run_spoiled(lambda frame: frame[:12] + struct.pack(">i", 4711) + frame[16:])
        self.assertEqual(run.code, 1, run.err)
        self.assertRegex(run.err, f"topic {self.topic_in} partition 0 at offset 0 from .*make no sense")
        self.assertEqual(self.copied(), [])

    def test_a_byte_that_is_not_the_one_that_was_written(self):
        def spoil(frame):
            at = len(frame) - 300
            return frame[:at] + bytes([frame[at] ^ 1]) + frame[at + 1:]
        run = self.run_spoiled(spoil)
        self.assertEqual(run.code, 1, run.err)
        self.assertRegex(run.err, rf"topic {self.topic_in} partition 0 at offset \d+ .*checksum")
        copied = self.copied()
        self.assertEqual(copied, list(range(len(copied))))  # nothing of it, or behind it
        self.assertLess(len(copied), 20_000)


class PaceTest(Proxied, FetchTest):
    TRICKLE = """
local sluice = require "sluice"
return sluice.pipeline {{ name = "trickle", checkpoint = "none",
   sluice.generator {{ rate = 1000, row = function(i) return {{ n = i }} end }}
      :rows {{ sluice.int64 "n" :required() }}
      :to(sluice.kafka {{ topic = "{topic}" }}) }}
"""

    def answers_a_second(self, trigger):
        """How often sluice is given records by a topic that gets one each ms."""
        topic, out = self.topic(partitions=1), self.topic(name="out")
        self.file("trickle.lua", self.TRICKLE.format(topic=topic))
        self.file("p.lua", pipelines.copy(topic, out, pipeline=f'trigger = "{trigger}",'))
        self.proxy.least, self.proxy.spoil = 80, lambda frame: frame  # counted, and passed on
        feed = self.start("run", "trickle.lua", env={"KAFKA_BROKERS": self.broker.address("plaintext")})
        run = self.start("run", "p.lua")
        self.wait_for("rows", lambda: len(self.client.consume(out)) > 100)
        before, began = self.proxy.spoiled, time.monotonic()
        time.sleep(3)
        count, took = self.proxy.spoiled - before, time.monotonic() - began
        for one in run, feed:
            self.assertEqual(one.stop(), 0, one.err)
        self.assertGreater(count, 2)
        return count / took

    def test_a_leader_is_asked_as_often_as_a_batch_wants_it(self):
        self.assertLess(self.answers_a_second("1 second"), 150)  # every 10 ms, and some

    def test_a_leader_that_gave_all_is_not_asked_at_once(self):
        self.assertLess(self.answers_a_second("continuous"), 350)  # every 3 ms


class LeadersTest(harness.OnQuorum, FetchTest):
    def produce(self):
        first, self.sent = self.sent, self.sent + 3000
        self.client.produce(self.topic_in, [{"value": json.dumps({"n": n}), "partition": n % 3}
                                            for n in range(first, self.sent)])

    def test_leaders_that_move_and_one_that_dies(self):
        self.sent = 0
        self.topic_in, out = self.topic(partitions=3), self.topic(name="out")
        self.file("p.lua", pipelines.copy(self.topic_in, out))
        run = self.start("run", "p.lua", *harness.sets("trigger=continuous"))

        def is_there():
            return sum(self.client.end_offsets(out).values()) >= self.sent or not run.running
        self.produce()
        self.wait_for("the first", is_there)
        for _ in range(3):
            self.produce()
            self.quorum.move_leaders()
            self.produce()
            self.wait_for("all", is_there)
        self.quorum.kill(1)
        self.produce()
        self.wait_for("all with two brokers", is_there)
        self.quorum.start_again(1)
        self.produce()
        self.wait_for("all with three", is_there)
        self.assertEqual(run.stop(), 0, run.err)
        numbers = [record.json()["n"] for record in self.client.consume(out)]
        self.assertEqual(sorted(numbers), list(range(self.sent)))
        for partition in range(3):
            mine = [n for n in numbers if n % 3 == partition]
            self.assertEqual(mine, sorted(mine))
