"""Python's side of the test client: one long-running Java process with Kafka's own client, spoken to
in JSON lines (java/TestClient.java). It shares no code with sluice and none with librdkafka."""
import base64
import json
import os
import subprocess
import tempfile
from dataclasses import dataclass, field

import kit


class ClientError(Exception):
    """The Java client answered with an error; its text is Kafka's."""


@dataclass
class Record:
    partition: int
    offset: int
    timestamp: int                                # Unix ms
    key: bytes = None
    value: bytes = None
    headers: list = field(default_factory=list)   # of (name, bytes or None)

    def json(self):
        return json.loads(self.value)


class Client:
    def __init__(self, bootstrap, replication=1, measure=False):
        """`replication`: of the topics that it makes. `measure`: as of Broker; else it starts in half the time."""
        self.bootstrap, self.replication = bootstrap, replication
        self.errors = tempfile.TemporaryFile()
        lean = [] if measure else ["-XX:TieredStopAtLevel=1"]
        if os.path.exists(kit.archive()):  # of the same class path, but for what comes last
            lean.append("-XX:SharedArchiveFile=" + kit.archive())
        command = [kit.java(), "-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xlog:disable", *lean,
                   kit.LOGGING, "-cp", kit.class_path() + ":" + kit.client_classes(), "TestClient", bootstrap]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True)

    def close(self):
        """The process ends when its stdin does; so it cannot outlive a killed test."""
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(kit.patience(5))
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def call(self, command, **arguments):
        request = {"command": command}
        request.update((k, v) for k, v in arguments.items() if v is not None)
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self.errors.seek(0)
            raise ClientError("the test client ended: " + self.errors.read().decode()[-4000:])
        answer = json.loads(answer)
        if "error" in answer:
            raise ClientError(f"{command}: {answer['error']}")
        return answer

    # -- topics

    def create_topic(self, topic, partitions=1, configs=None, brokers=None):
        """`brokers`: in place of replication the only broker of each partition."""
        self.call("create_topic", topic=topic, partitions=len(brokers or range(partitions)),
                  replication=self.replication, configs=configs or {}, brokers=brokers)

    def delete_topic(self, topic):
        self.call("delete_topic", topic=topic)

    def add_partitions(self, topic, total):
        self.call("add_partitions", topic=topic, total=total)

    def topics(self):
        return self.call("topics")["topics"]

    def delete_records(self, topic, before):
        """Move the log start; `before`: {partition: first offset that stays}."""
        self.call("delete_records", topic=topic, before={str(p): o for p, o in before.items()})

    def start_offsets(self, topic):
        return int_keys(self.call("offsets", topic=topic, at="earliest")["offsets"])

    def end_offsets(self, topic, read_committed=False):
        return int_keys(self.call("offsets", topic=topic, at="latest",
                                  read_committed=read_committed)["offsets"])

    def move_leaders(self):
        """Every partition of every topic gets the next of its replicas as its leader."""
        return self.call("move_leaders")["moved"]

    def try_connect(self, config):
        """Connect with these client settings (Kafka's own names); raises ClientError when refused."""
        self.call("try_connect", config=config)

    # -- records

    def produce(self, topic, records, transaction=None, group=None):
        """`records`: dicts of value, key (bytes, str or None), partition, timestamp, headers (list of
        (name, bytes)), all but value optional. `transaction`: None, "commit", "abort" or "open" (left
        open, as by a dead producer; see `end_open`). `group`: the transaction also commits for it, offset
        0 of partition 0. Returns the offsets, in the order of `records`."""
        out = [{"value": encode(r.get("value")), "key": encode(r.get("key")),
                "partition": r.get("partition"), "timestamp": r.get("timestamp"),
                "headers": [[name, encode(value)] for name, value in r.get("headers", [])]}
               for r in records]
        return self.call("produce", topic=topic, records=out, transaction=transaction,
                         group=group)["offsets"]

    def end_open(self, commit):
        """End what `produce` left open last; who came before may want theirs to stay, or the broker has ended it."""
        self.call("end_open", commit=commit)

    def produce_lines(self, topic, path, partition=None):
        """Every line of a file is a value, keyless. Returns how many."""
        return self.call("produce_lines", topic=topic, path=os.path.abspath(path),
                         partition=partition)["count"]

    def generate_rides(self, topic, count, seed=1, partitions=4, users=1_000_000,
                       start_ms=1_700_000_000_000, span_ms=30 * 60_000, disorder_ms=20_000):
        """`count` ride events of about 150 bytes, the same for the same arguments, spread evenly over
        `span_ms` of event time; most are up to 2 s behind that, one in ten up to `disorder_ms`.
        Record i goes to partition i % partitions. Returns {"count", "bytes", "seconds"}."""
        return self.call("generate_rides", topic=topic, count=count, seed=seed, partitions=partitions,
                         users=users, start_ms=start_ms, span_ms=span_ms, disorder_ms=disorder_ms)

    def consume(self, topic, read_committed=True, at_least=None, timeout_s=30):
        """All records from the earliest offset up to the end as it is now, by partition and offset.
        With `at_least`: wait until there are that many, `timeout_s` at most (kit.patience), then return
        what is there."""
        handle, path = tempfile.mkstemp(suffix=".jsonl")
        os.close(handle)
        try:
            self.call("consume", topic=topic, read_committed=read_committed, at_least=at_least or 0,
                      timeout_ms=int(kit.patience(timeout_s) * 1000), path=path)
            with open(path) as file:
                records = [decode_record(json.loads(line)) for line in file]
        finally:
            os.unlink(path)
        return sorted(records, key=lambda r: (r.partition, r.offset))

    def oracle(self, topic, size_ms=60_000, every_ms=30_000, group="event_type", value="amount",
               time="ts", exclude="heartbeat"):
        """The right answer, from the topic alone: {"records", "bad", "excluded", "high_ms": {partition:
        highest event time}, "windows": [{"key", "start_ms", "end_ms", "count", "sum", "min", "max"}]},
        by start, then key. Nothing is late."""
        answer = self.call("oracle", topic=topic, size_ms=size_ms, every_ms=every_ms, group=group,
                           value=value, time=time, exclude=exclude)
        return dict(answer, high_ms=int_keys(answer["high_ms"]))

    # -- groups

    def group_offsets(self, group):
        """{(topic, partition): (offset, metadata)}"""
        rows = self.call("group_offsets", group=group)["offsets"]
        return {(r["topic"], r["partition"]): (r["offset"], r["metadata"]) for r in rows}

    def traces(self):
        """What clients have left behind: topics, groups, transactional ids."""
        answer = self.call("traces")
        return sorted(self.topics()), sorted(answer["groups"]), sorted(answer["transactional_ids"])

    def delete_group(self, group):
        self.call("delete_group", group=group)

    def set_group_offsets(self, group, topic, offsets):
        self.call("set_group_offsets", group=group, topic=topic,
                  offsets={str(p): o for p, o in offsets.items()})


def encode(data):
    if data is None:
        return None
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def decode(text):
    return None if text is None else base64.b64decode(text)


def decode_record(row):
    return Record(row["partition"], row["offset"], row["timestamp"], decode(row["key"]),
                  decode(row["value"]), [(n, decode(v)) for n, v in row["headers"]])


def int_keys(table):
    return {int(k): v for k, v in table.items()}
