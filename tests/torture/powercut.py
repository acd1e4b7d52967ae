"""What a power cut leaves of a folder: of all that powercut.c wrote down, only what was synced."""
import os
import shutil

import kit

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "powercut.c")


def library(folder):
    """Compile powercut.c into `folder`; the path to be preloaded."""
    path = os.path.join(folder, "powercut.so")
    if not os.path.exists(path):
        kit.run_or_fail(["gcc", "-O1", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-shared", "-fPIC", SOURCE, "-o",
                         path, "-ldl"], "compiling powercut.c")
    return path


def environment(folder, log, so):
    return {"LD_PRELOAD": so, "POWERCUT_FOLDER": folder, "POWERCUT_LOG": log}


def cut(log):
    """Take away what was not synced; returns how many files and folders that changed."""
    if not os.path.exists(log):
        return 0
    with open(log) as file:
        events = [line.rstrip("\n").split(" ", 1) for line in file if line.endswith("\n")]
    os.unlink(log)
    unsynced, unnamed = read_events(events)
    changed = 0
    for path in sorted(unnamed, key=len, reverse=True):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
            changed += 1
        elif os.path.exists(path):
            os.unlink(path)
            changed += 1
    for path in unsynced:
        if os.path.exists(path) and os.path.getsize(path):
            os.truncate(path, os.path.getsize(path) // 2)
            changed += 1
    return changed


def read_events(events):
    """(files whose bytes are not durable, files and folders whose names are not)."""
    unsynced, unnamed, durable = set(), set(), set()
    for kind, path in events:
        if kind == "w":
            unsynced.add(path)
        elif kind == "s":
            unsynced.discard(path)
        elif kind in "nm":
            unnamed.add(path)
        elif kind == "o" and path not in unnamed:  # it is older than the log, so its name is durable
            durable.add(path)
        elif kind == "r":
            old, new = path.split("\t")
            (unsynced.add if old in unsynced else unsynced.discard)(new)
            if new not in durable:  # else either file may have the name after the cut: the new one has
                unnamed.add(new)
        elif kind == "d":
            named = {one for one in unnamed if os.path.dirname(one) == os.path.normpath(path)}
            unnamed -= named
            durable |= named
    return unsynced, unnamed
