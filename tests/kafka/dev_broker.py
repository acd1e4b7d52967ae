#!/usr/bin/env python3
"""The developer's broker, for `./dev kafka`: prepare | start | stop | topic ARGS…"""
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


def load():
    """The running broker's {"pid", "bootstrap"}, or None. The pid must still be a Kafka's."""
    try:
        with open(STATE) as file:
            state = json.load(file)
        with open(f"/proc/{state['pid']}/cmdline") as file:
            return state if FOLDER in file.read() else None
    except (FileNotFoundError, ProcessLookupError):
        return None


def start():
    state = load()
    if not state:
        broker.prepare(kit.LATEST)
        shutil.rmtree(FOLDER, ignore_errors=True)
        one = broker.Broker(folder=FOLDER, detached=True).start()
        state = {"pid": one.process.pid, "bootstrap": one.bootstrap}
        with open(STATE, "w") as file:
            json.dump(state, file)
    print(f"KAFKA_BROKERS={state['bootstrap']}")
    return 0


def stop():
    state = load()
    if not state:
        print("no Kafka is running")
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


def topic(arguments):
    state = load()
    if not state:
        print("no Kafka is running: ./dev kafka start", file=sys.stderr)
        return 1
    return subprocess.call([kit.java(), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", kit.LOGGING,
                            "-cp", kit.class_path(), TOPIC_COMMAND, "--bootstrap-server",
                            state["bootstrap"], *arguments])


def main(command, *arguments):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    if command == "prepare":
        return broker.prepare(kit.LATEST)
    return {"start": start, "stop": stop, "topic": lambda: topic(arguments)}[command]()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
