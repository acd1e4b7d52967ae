"""What lies in sinks that are files, as if it were a topic of one partition."""
import contextlib
import json
import os
import re

from client import Record

FOLDER, LINES = "a file for each batch", "one file that grows"
BATCH = re.compile(r"batch-(\d+)\.jsonl")


def read(path, how):
    """Records of `path`; the time of one from a batch's file is the batch's number."""
    if how == LINES:
        return list(records([(0, path + ".jsonl")] if os.path.exists(path + ".jsonl") else []))
    names = filter(BATCH.fullmatch, listed(path))
    return list(records(sorted((int(BATCH.fullmatch(name)[1]), os.path.join(path, name)) for name in names)))


def strangers(path):
    """What nobody asked for in a folder of batches."""
    return [os.path.join(path, name) for name in listed(path) if not BATCH.fullmatch(name)]


def listed(path):
    return os.listdir(path) if os.path.isdir(path) else []


def records(files):
    offset = 0
    for batch, path in files:
        with open(path, "rb") as file:
            for line in file:
                yield record(offset, batch, line)
                offset += 1


def record(offset, batch, line):
    """Late and bad records come in envelopes."""
    row = json.loads(line)
    if "headers" not in row:
        return Record(0, offset, batch, None, line, [])
    with contextlib.suppress(KeyError):
        line = row["value"].encode()
    headers = [(name, str(value).encode()) for name, value in row["headers"].items()]
    return Record(0, offset, batch, None, line, headers)
