"""A script that is saved while its pipeline runs: it takes over with its state, or is refused and the old one goes on;
one that fails in its first batch is gone again."""
import json
import os
import signal

import harness

SCRIPT = """
local sluice = require "sluice"
local helpers = require "helpers"
local sloppy = sluice.aggregate {{ state = {{ n = 0 }}, fold = function(a, row) a.n = a.n + row.n end,
   result = function(a) {sloppy} end }}
return sluice.pipeline {{ name = "live", checkpoint = "file:./checkpoints", delivery = "at-least-once", workers = {workers},
   sluice.file {{ path = "in.jsonl", follow = true }}
   :json {{ sluice.string "k" :required(), sluice.int64 "n" :required(), sluice.int64 "ts" :required() }}
   :event_time("ts", {{ delay = 0, max_skew = "1 day" }})
   :filter(helpers.keep)
   :group_by "k":window(sluice.tumbling {{ size = "{size}" }}):aggregate {{ sum = sluice.sum "n", {items} }}
   :to(sluice.file {{ path = "-", mode = "update" }}) }}
"""
TAKEN, REFUSED = "the script was reloaded", "the changed script is refused, the old one goes on"
BACK = "the new script failed, the old one is back and does the batch again"


class ReloadTest(harness.E2ETest):
    brokers = "127.0.0.1:1"

    def begin(self, *arguments, **words):
        self.save_helper("row.n > 0")
        self.file("in.jsonl", "")
        self.save(**words)
        self.run_ = self.start("run", "live.lua", *arguments)
        self.sums = []
        self.feed(1, 1)

    def save(self, items="", size="1 hour", workers=1, sloppy="return a.n"):
        """As editors do: another file takes the name."""
        self.file("live.new", SCRIPT.format(items=items, size=size, workers=workers, sloppy=sloppy))
        os.replace(os.path.join(self.folder, "live.new"), os.path.join(self.folder, "live.lua"))

    def save_helper(self, condition):
        self.file("helpers.lua", "return { keep = function(row) return %s end }" % condition)

    def rows(self):
        return [json.loads(line) for line in self.run_.out.splitlines()]

    def feed(self, n, total):
        """A row in, and what comes of it."""
        with open(os.path.join(self.folder, "in.jsonl"), "a") as file:
            file.write(json.dumps({"k": "a", "n": n, "ts": 1000}) + "\n")
        self.sums.append(total)
        self.wait_for(f"the sum {total}", lambda: [row["sum"] for row in self.rows()] == self.sums)
        return self.rows()[-1]

    def told(self, text, count=1):
        self.wait_for(f"{count} times `{text}`", lambda: self.run_.err.count(text) == count)
        return [line for line in self.run_.err.splitlines() if text in line][-1]

    def test_what_is_saved_takes_over_with_its_state(self):
        self.begin()
        self.save(items='most = sluice.max "n"')
        self.assertIn("`most` is new and starts empty", self.told(TAKEN))
        self.assertEqual(self.feed(5, 6)["most"], 5)
        self.save_helper("row.n > 10")  # what it requires is watched as well
        self.assertIn('changes="logic only"', self.told(TAKEN, 2))
        with open(os.path.join(self.folder, "in.jsonl"), "a") as file:
            file.write('{"k":"a","n":7,"ts":1000}\n')
        self.assertEqual(self.feed(11, 17)["most"], 11)
        self.assertEqual(self.run_.stop(), 0)
        self.run_ = self.start("run", "live.lua")  # what was stored goes with what was saved
        self.sums = []
        self.feed(12, 29)
        self.assertNotIn("has changed", self.run_.err)

    def test_what_cannot_be_is_refused_until_it_is_mended(self):
        self.begin(workers=2)
        self.save(size="2 hours", workers=2)
        self.assertIn("was tumbling window of 1 hour, and is tumbling window of 2 hours", self.told(REFUSED))
        self.save(items="most = sluice.mxa", workers=2)
        self.assertIn("live.lua:", self.told(REFUSED, 2))
        self.save(workers=3)
        self.assertIn("there were 2 workers, and there are 3: it takes effect when", self.told(REFUSED, 3))
        self.file("helpers.lua", "return { keep = function(row) return true }")  # half of it
        self.save(items='least = sluice.min "n"', workers=2)
        self.assertIn("helpers.lua:1", self.told(REFUSED, 4))
        self.feed(2, 3)
        self.save_helper("row.n > 0")
        self.told(TAKEN)
        self.assertEqual(self.feed(3, 6)["least"], 3)

    def test_what_fails_at_first_is_gone_and_the_batch_is_done(self):
        self.begin()
        self.save(items="odd = sloppy", sloppy='error "no result"')
        self.told(TAKEN)
        self.assertNotIn("odd", self.feed(2, 3))
        self.assertIn("no result", self.told(BACK))
        self.save(items="odd = sloppy", sloppy="while true do end")  # found when it is loaded, or in the batch
        self.feed(3, 6)
        self.save(items="odd = sloppy")
        self.wait_for("the new column", lambda: self.feed(1, self.sums[-1] + 1).get("odd"))
        self.assertEqual(self.run_.stop(), 0)

    def test_by_hand(self):
        self.begin("--no-watch")
        self.save(items='most = sluice.max "n"')
        self.assertNotIn("most", self.feed(5, 6))
        self.run_.send(signal.SIGHUP)
        self.told(TAKEN)
        self.assertEqual(self.feed(4, 10)["most"], 4)
        self.run_.send(signal.SIGHUP)
        self.told("the script is the one that runs")
