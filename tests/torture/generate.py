"""The input of the torture rig: a function of the seed. Three partitions, event time that runs with the
id, some of it out of order, some late, some bad.

What decides whether a record is late must not depend on where batches were cut, or no oracle could say
what is right. So a record is either less than the delay behind all that came before it, and then never
late, or an hour behind the first record of all, and then late whenever there is a watermark. There is one
after the first batch; records that are late come only behind what the first batch can hold."""
import json
import os
import random

PARTITIONS = 3
START = 1_700_000_000_000
STEP_MS = 10              # event time from one id to the next
DELAY_MS = 2_000          # as in the pipelines
HOUR = 3_600_000
WIDE_MS = 60_000          # the same for a second, wider time of each record, `w`
FIRST_LATE = 600          # pipelines take at most 60 records into a batch
KEYS, USERS = 12, 20
PAD = 20_000              # more than the topic of the copy takes
END_KEY = "end"


class Generator:
    """Appends to a topic, a slice at a time; what it wrote it forgets: the oracle reads the topic."""

    def __init__(self, client, topic, folder, seed):
        self.client, self.topic, self.folder = client, topic, folder
        self.pick = random.Random(seed)
        self.next = 0

    def line(self, number):
        pick = self.pick
        time = START + number * STEP_MS - pick.randrange(DELAY_MS)
        row = {"id": number, "k": f"k{pick.randrange(KEYS):02d}", "u": f"u{pick.randrange(USERS)}",
               "v": pick.randrange(-1000, 1000), "ts": time,
               "w": START + number * STEP_MS - int(pick.random() ** 2 * WIDE_MS)}
        if pick.random() < 0.05:
            del row[pick.choice("uv")]
        if pick.random() < 0.002:
            row["pad"] = "%x" % pick.getrandbits(4 * PAD)
        if number >= FIRST_LATE:
            chance = pick.random()
            if chance < 0.01:
                row["ts"] = row["w"] = START - HOUR - pick.randrange(HOUR)
            elif chance < 0.02:
                return bad(row, pick)
        return json.dumps(row)

    def write(self, count):
        """The next `count` records, over all partitions."""
        self.send([(self.pick.randrange(PARTITIONS), self.line(self.next + i)) for i in range(count)])
        self.next += count

    def end(self):
        """One record a partition that closes every window before it."""
        end = START + self.next * STEP_MS + 10 * HOUR
        self.send([(partition, json.dumps({"id": self.next + partition, "k": END_KEY, "v": 1,
                                           "ts": end, "w": end}))
                   for partition in range(PARTITIONS)])
        self.next += PARTITIONS

    def send(self, lines):
        for partition in range(PARTITIONS):
            path = os.path.join(self.folder, f"slice-{partition}")
            with open(path, "w") as file:
                file.writelines(line + "\n" for to, line in lines if to == partition)
            self.client.produce_lines(self.topic, path, partition)


def bad(row, pick):
    """What cannot be decoded, in one of the ways."""
    kind = pick.randrange(4)
    if kind == 0:
        return json.dumps(row)[:-pick.randrange(1, 20)]
    if kind == 1:
        del row["ts"]
    if kind == 2:
        row["ts"] = str(row["ts"]) + "?"
    if kind == 3:
        row["k"] = None
    return json.dumps(row)
