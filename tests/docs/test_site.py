#!/usr/bin/env python3
"""The documentation as pages: builds without a broken link, shows every page in its menu, finds
what people look for, and asks nothing of another host."""
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CONFIG = os.path.join(ROOT, "docs", "site", "mkdocs.yml")

# Words that people type, and the page that answers.
WORDS = {"allowed_lateness": "reference.html", "quarantine": "guide.html", "watermark": "semantics.html",
         "callgrind": "performance.html"}


def build(folder):
    return subprocess.run(["mkdocs", "build", "-q", "--strict", "-f", CONFIG, "-d", folder],
                          capture_output=True, text=True, check=False)


def in_menu(folder):
    with open(CONFIG, encoding="utf-8") as file:
        menu = file.read()
    pages = [name for name in os.listdir(os.path.join(ROOT, "docs")) if name.endswith(".md")]
    missing = [name for name in pages if name not in menu]
    unbuilt = [name for name in pages if not os.path.exists(os.path.join(folder, name[:-3] + ".html"))]
    return f"not in the menu: {missing}, not built: {unbuilt}" if missing or unbuilt else ""


def searched(folder):
    with open(os.path.join(folder, "search", "search_index.json"), encoding="utf-8") as file:
        entries = json.load(file)["docs"]
    lost = [word for word, page in WORDS.items()
            if not any(e["location"].startswith(page) and word in e["text"] for e in entries)]
    return f"the search does not find {lost}" if lost else ""


def local(folder):
    """Pages load nothing from elsewhere (links to elsewhere are the reader's choice)."""
    foreign = set()
    for name in os.listdir(folder):
        if name.endswith(".html"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                foreign |= set(re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?://[^"]+)', file.read()))
    return f"loads from elsewhere: {sorted(foreign)}" if foreign else ""


# Modules of which people look functions up.
MODULES = ["sluice.stream", "sluice.window", "sluice.aggregate", "sluice.time", "sluice.test"]


def functions(folder):
    """The library, function by function, from its docstrings."""
    out = os.path.join(folder, "lua")
    run = subprocess.run(["ldoc", "-q", "-c", "config.ld", "-d", out, "."], cwd=os.path.dirname(CONFIG),
                         capture_output=True, text=True, check=False)
    missing = [name for name in MODULES if not os.path.exists(os.path.join(out, "modules", name + ".html"))]
    return f"{run.stdout}{run.stderr} without {missing}" if run.returncode or missing else ""


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        built = build(folder)
        results = {"builds without a warning": "" if built.returncode == 0 else built.stdout + built.stderr}
        if built.returncode == 0:
            for check in (in_menu, searched, local, functions):
                results[check.__name__.replace("_", " ")] = check(folder)
    for name, trouble in results.items():
        print("ok  " if not trouble else "FAIL", name, trouble)
        failed += bool(trouble)
    print(f"docs: {len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
