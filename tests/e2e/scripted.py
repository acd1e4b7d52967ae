"""Running the pipelines in scripts/ as they stand, on topics of a test's own: only the names of topics and
of the pipeline are changed."""
import json
import os
import re
import time
from collections import defaultdict

import expect
import harness
import kit
import oracles

SCALED = "SLUICE_E2E_RECORDS" in os.environ
RECORDS = int(os.environ.get("SLUICE_E2E_RECORDS", 3000))
TOPIC = re.compile(r'(\btopics? = )"([^"]+)"')
NAME = re.compile(r'(sluice\.pipeline \{\s*name = )"([^"]+)"')


class ScriptCase(harness.E2ETest):
    def script(self, name, change=None, **known):
        """Write scripts/NAME.lua into the test's folder, with fresh topics; `known`: topics that are there
        already. Returns {name in the script: topic}, with the pipeline's name under "name"."""
        with open(os.path.join(kit.ROOT, "scripts", name + ".lua")) as file:
            text = file.read()
        text = change(text) if change else text
        names = dict(known)
        for prefix, topic in TOPIC.findall(text):
            if topic not in names:
                is_input = prefix.startswith("topics")
                names[topic] = self.topic(oracles.PARTITIONS if is_input else 3, name=topic)
        text = TOPIC.sub(lambda m: f'{m[1]}"{names[m[2]]}"', text)
        unique = harness.fresh(NAME.search(text)[2])
        text = NAME.sub(lambda m: f'{m[1]}"{unique}"', text)
        self.file(name + ".lua", text)
        return dict(names, name=unique)

    def fill(self, topic, placed):
        """Produce events without keys, each partition in its order."""
        lines = defaultdict(list)
        for one in placed:
            lines[one.partition].append(one.value)
        for partition, mine in lines.items():
            path = self.file("lines", "")
            with open(path, "wb") as file:
                file.write(b"\n".join(mine) + b"\n")
            self.client.produce_lines(topic, path, partition)

    def settings(self, workers=1, batches=16, records=RECORDS):
        """Batches are cut by their number of records alone: the same in each run."""
        return harness.sets("trigger=available-now", "source.start=earliest", f"workers={workers}",
                            f"source.max_records={max(records // batches, 50)}", "source.max_bytes=1 GiB",
                            "source.max_time=1 minute")

    def run_script(self, name, *more, code=0, **parts):
        """Run it to the end of its topics; returns the Summary, with the law of conservation held."""
        began = time.monotonic()
        run = self.run_sluice("run", name + ".lua", *self.settings(**parts), *harness.sets(*more),
                              timeout_s=60 + RECORDS / 5000)
        took = time.monotonic() - began
        self.assertEqual(run.code, code, run.err)
        if SCALED:
            print(f"{name} {parts}: {took:.2f} s, {RECORDS / took:,.0f} rec/s, at most {run.peak_mb:.0f} MB",
                  flush=True)
        return expect.Summary(run.err)

    def rows(self, topic):
        return [record.json() for record in self.client.consume(topic)]

    def view(self, topic):
        """What a compacted topic keeps: the last row of each key, without those taken back."""
        last = {record.key: record for record in self.client.consume(topic)}
        return [record.json() for record in last.values() if record.value is not None]

    def check_rows(self, got, wanted):
        """The same rows, with their columns in the same order."""
        got, wanted = (sorted(map(json.dumps, rows)) for rows in (map(plain, got), map(plain, wanted)))
        if got != wanted:
            extra, missing = sorted(set(got) - set(wanted)), sorted(set(wanted) - set(got))
            self.fail(f"{len(got)} rows, wanted {len(wanted)}; {len(extra)} that should not be there, "
                      f"{len(missing)} missing; got\n{extra[:3]}\nwanted\n{missing[:3]}")

    def check_source(self, summary, read, **counters):
        """The counters of the only source, all of them."""
        source = {verdict: summary.source[verdict] for verdict in expect.VERDICTS}
        wanted = dict.fromkeys(expect.VERDICTS, 0)
        wanted.update(counters)
        wanted["passed"] = read - sum(counters.values())
        self.assertEqual((summary.source["read"], source), (read, wanted))


def plain(row):
    """12 and 12.0 are the same number."""
    if isinstance(row, dict):
        return {name: plain(value) for name, value in row.items()}
    return [plain(one) for one in row] if isinstance(row, list) else expect.short(row)
