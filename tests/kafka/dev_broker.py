#!/usr/bin/env python3
"""The developer's broker, for `./dev kafka`: prepare | start | stop | topic ARGS… | groups"""
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import broker
import kit

FOLDER = os.path.join(kit.CACHE, "dev")
STATE = os.path.join(FOLDER, "running.json")
TOPIC_COMMAND = "org.apache.kafka.tools.TopicCommand"


def last():
    """What was started last, {"pid", "bootstrap", "ports"}, or None."""
    try:
        with open(STATE) as file:
            return json.load(file)
    except FileNotFoundError:
        return None


def load():
    """The same if it runs. The pid must still be a Kafka's."""
    state = last()
    try:
        with open(f"/proc/{state['pid']}/cmdline") as file:
            return state if FOLDER in file.read() else None
    except (FileNotFoundError, ProcessLookupError, TypeError):
        return None


def start():
    state = load()
    if not state:
        broker.prepare(kit.LATEST)
        one, was = broker.Broker(folder=FOLDER, detached=True), last()
        if was and "ports" in was:
            one.revive(was["ports"])
        else:
            shutil.rmtree(FOLDER, ignore_errors=True)
            one.start()
        state = {"pid": one.process.pid, "bootstrap": one.bootstrap, "ports": one.ports}
        with open(STATE, "w") as file:
            json.dump(state, file)
    print(f"KAFKA_BROKERS={state['bootstrap']}")
    return 0


def stop():
    state = load()
    if not state:
        shutil.rmtree(FOLDER, ignore_errors=True)
        print("no Kafka is running; no data is left of one")
        return 0
    os.kill(state["pid"], signal.SIGTERM)
    for _ in range(600):
        if not load():
            break
        time.sleep(0.05)
    else:
        os.kill(state["pid"], signal.SIGKILL)
    shutil.rmtree(FOLDER, ignore_errors=True)
    print("Kafka stopped, its data removed")
    return 0


def tool(name, *arguments):
    state = load()
    if not state:
        print("no Kafka is running: ./dev kafka start", file=sys.stderr)
        return 1
    return subprocess.call(kit.tool(name, state["bootstrap"], *arguments))


def main(command, *arguments):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    if command == "prepare":
        return broker.prepare(kit.LATEST)
    return {"start": start, "stop": stop, "topic": lambda: tool(TOPIC_COMMAND, *arguments),
            "groups": lambda: tool(kit.GROUP_COMMAND, "--describe", "--all-groups")}[command]()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
