"""The option `checkpoint` as a table: a store with its own endpoint and keys by reference, which nothing
shows; what `--embedded` makes of it."""
import json
import os

import harness
import server

SCRIPT = """
local sluice = require "sluice"
return sluice.pipeline {{ name = "{name}", trigger = "available-now", commit_interval = 0,
   checkpoint = {{ url = "{url}", endpoint = "{endpoint}", path_style = true, region = "us-east-1",
      access_key = sluice.env "SPEC_KEY", secret_key = sluice.secret_file "secret.txt" }},
   sluice.file {{ path = "in.jsonl", follow = true }}
   :json {{ sluice.int64 "n" :required(), sluice.int64 "ts" :required() }}
   :event_time("ts", {{ delay = 0, max_skew = "1 day" }})
   :window(sluice.tumbling {{ size = "1 minute" }})
   :aggregate {{ rows = sluice.count() }}
   :to(sluice.file {{ path = "out.jsonl", append = true, mode = "append" }}) }}
"""

EMBEDDED = """
local sluice = require "sluice"
return sluice.pipeline { name = "made-up", trigger = "once", delivery = "exactly-once",
   checkpoint = { url = "s3://nowhere/x", secret_key = sluice.env "SPEC_NONE", access_key = sluice.env "SPEC_NONE" },
   sluice.kafka { topics = "a" }:json { sluice.int64 "n" }:to(sluice.kafka { topic = "b" }) }
"""


class CheckpointOptionsTest(harness.E2ETest):
    brokers = "127.0.0.1:1"

    def lines(self, *numbers):
        with open(os.path.join(self.folder, "in.jsonl"), "a") as file:
            file.writelines(json.dumps({"n": n, "ts": n * 20_000}) + "\n" for n in numbers)

    def run_once(self, key=server.ACCESS_KEY, code=0):
        run = self.run_sluice("run", "p.lua", env={"SPEC_KEY": key, "AWS_ACCESS_KEY_ID": "",
                                                   "AWS_SECRET_ACCESS_KEY": "", "AWS_ENDPOINT_URL": ""})
        self.assertEqual(run.code, code, run.err)
        return run

    def setUp(self):
        super().setUp()
        s3 = harness.shared_s3()
        self.file("secret.txt", server.SECRET_KEY + "\n")
        self.file("p.lua", SCRIPT.format(name=harness.fresh("options"), url=s3.url(harness.fresh("options")),
                                         endpoint=f"http://127.0.0.1:{s3.port}"))

    def test_a_store_with_keys_of_its_own(self):
        self.lines(0, 1)
        self.run_once()
        self.lines(2, 3, 6)
        self.assertIn("goes on with batch 1", self.run_once().err)
        out = harness.read(os.path.join(self.folder, "out.jsonl")).splitlines()
        self.assertEqual([json.loads(line)["rows"] for line in out], [3, 1])

    def test_keys_are_never_shown(self):
        self.lines(0)
        run = self.run_once(key="no-such-key", code=1)
        check = self.run_sluice("check", "p.lua")
        as_json = self.run_sluice("check", "--json", "p.lua")
        self.assertIn("access_key by reference", check.out)
        for text in (run.err, run.out, check.out, check.err, as_json.out, as_json.err):
            self.assertNotIn(server.SECRET_KEY, text)
        found = json.loads(as_json.out)["checkpoint"]
        self.assertEqual(found["store"]["access_key"], {"env": "SPEC_KEY"})
        self.assertTrue(found["cost"]["is_charged"])

    def test_embedded_keeps_nothing_and_says_so_once(self):
        self.file("e.lua", EMBEDDED)
        run = self.run_sluice("run", "--embedded", "e.lua")
        self.assertEqual(run.code, 0, run.err)
        self.assertEqual(run.err.count("nothing is committed"), 1, run.err)
