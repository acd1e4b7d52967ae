"""The suite of the stores (tests/c/test_state_store.c) against a real S3 server, also where requests
fail at random, and what is said when the server refuses for good."""
import os
import re
import subprocess
import time

import expect
import faults
import harness
import kit
import server
from certs import Certs
from store_driver import StoreDriver

SUITE = os.path.join(kit.ROOT, "build", "release", "test_state_store")
LEFT_OUT = {"a_lock_keeps_others_out"}  # S3 has no locks


COPY = """
local sluice = require "sluice"
return sluice.pipeline {
   name = "copy", checkpoint = "URL", commit_interval = "50 ms",
   sluice.file { path = "in.jsonl", follow = true }
      :json { sluice.int64 "n" :required() }
      :to(sluice.file { path = "out.jsonl", append = true }),
}
"""


class AwayTest(harness.E2ETest):
    """A server that goes away while a pipeline runs is told of within seconds, and when it is back."""
    brokers = "localhost:1"

    def append(self, first, last):
        with open(os.path.join(self.folder, "in.jsonl"), "a") as file:
            file.writelines(f'{{"n":{n}}}\n' for n in range(first, last))

    def copied(self):
        return len(harness.read(os.path.join(self.folder, "out.jsonl")).splitlines())

    def check_away(self, proxy, leave):
        url = harness.shared_s3().url(harness.fresh("away"))
        self.file("p.lua", COPY.replace("URL", url))
        self.file("out.jsonl", "")
        self.file("in.jsonl", "")
        run = self.start("run", "p.lua", env=server.environment(proxy.endpoint))
        self.append(0, 10)
        self.wait_for("the rows", lambda: self.copied() == 10)
        leave()
        begun = time.monotonic()
        self.append(10, 20)
        self.wait_for("the line", lambda: 'message="store lost"' in run.err, timeout_s=12)
        self.assertLess(time.monotonic() - begun, harness.within(9))
        self.assertIn(f"store={url}", run.err)
        proxy.quiet()
        self.wait_for("the other line", lambda: 'message="store back"' in run.err)
        self.wait_for("the rows", lambda: self.copied() == 20)
        self.assertEqual(run.stop(), 0, run.err)
        expect.check_outages(self, run.err, of="store")  # a request that hung before others had answers may hang on
        self.assertNotIn("not stored", run.err)

    def test_one_that_refuses(self):
        with faults.FaultProxy(harness.shared_s3().port) as proxy:
            self.check_away(proxy, lambda: setattr(proxy, "down", True))

    def test_one_that_is_silent(self):
        with faults.FaultProxy(harness.shared_s3().port, hang_s=60) as proxy:
            self.check_away(proxy, lambda: proxy.fail("hang", count=1000))


class StoresTest(harness.E2ETest):
    def run_suite(self, env):
        url = harness.shared_s3().url(harness.fresh("suite"))
        return subprocess.run([SUITE], env=dict(os.environ, **env, SLUICE_TEST_STORE=url), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=kit.patience(120))

    def assert_passes(self, env):
        done = self.run_suite(env)
        self.assertEqual(done.returncode, 0, done.stdout)
        skipped = set(re.findall(r"SKIPPED \] ([a-z_]+)$", done.stdout, re.MULTILINE))
        self.assertEqual(skipped, LEFT_OUT)
        self.assertGreaterEqual(done.stdout.count("[       OK ]"), 11)

    def test_a_real_server(self):
        self.assert_passes(harness.shared_s3().env)

    def test_a_server_that_fails_now_and_then(self):
        for seed in range(3):
            with self.subTest(seed), faults.FaultProxy(harness.shared_s3().port) as proxy:
                proxy.at_random(seed, share=0.15)
                self.assert_passes(server.environment(proxy.endpoint))
                self.assertEqual(proxy.badly_signed, [])
                seen = {kind for _, _, kind in proxy.requests}
                self.assertEqual(seen, {None, *faults.PASSING})

    def test_signed_with_a_session_token_and_listed_in_pages(self):
        s3, name = harness.shared_s3(), harness.fresh("pages")
        os.makedirs(s3.path(name + "/p"))
        for i in range(2003):
            open(s3.path(f"{name}/p/{i:05}"), "w").close()
        with faults.FaultProxy(s3.port) as proxy:
            env = server.environment(proxy.endpoint)
            with StoreDriver(s3.url(name), env) as driver:
                names = driver.answer("list p/").split()
            self.assertEqual(names, [f"p/{i:05}" for i in range(2003)])
            self.assertEqual(len(proxy.requests), 3)
            with StoreDriver(s3.url(name), dict(env, AWS_SESSION_TOKEN="a/b+c==")) as driver:
                driver.answer("new p/x 3000000 1")  # this server refuses tokens: it is signed, that counts
                driver.answer("get p/x 1")
                driver.answer("list p")
            self.assertEqual(proxy.badly_signed, [])
            self.assertGreater(len(proxy.requests), 5)

    def test_only_over_tls_to_whom_one_trusts(self):
        certs = Certs(os.path.join(self.folder, "certs"))
        for certificate, trusted, words in (
                ((certs.broker_cert, certs.broker_key), certs.ca, "put"),
                ((certs.broker_cert, certs.broker_key), certs.other_ca, "certificate"),
                ((certs.other_cert, certs.other_key), certs.ca, "certificate")):
            with faults.FaultProxy(harness.shared_s3().port, certificate=certificate) as proxy:
                env = dict(server.environment(proxy.endpoint), AWS_CA_BUNDLE=trusted)
                with StoreDriver(harness.shared_s3().url(harness.fresh("tls")), env) as driver:
                    said = driver.answer("new p/x 100 1")
                if words != "put":
                    self.assertRegex(said, f"^error 6 0 .*{words}")  # not to be tried again
                    self.assertEqual(proxy.requests, [])
                else:
                    self.assertEqual(said, "put")

    def test_keys_that_are_not_right(self):
        env = harness.shared_s3().env
        for change, words in (({"AWS_SECRET_ACCESS_KEY": "hunter2"}, "SignatureDoesNotMatch"),
                              ({"AWS_ACCESS_KEY_ID": "NOBODY"}, "does not know the access key")):
            done = self.run_suite(dict(env, **change))
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(words, done.stdout)
            self.assertNotIn("hunter2", done.stdout)
            self.assertNotIn("tried", done.stdout)
