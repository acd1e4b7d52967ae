"""Checkpoints that earlier versions of the program have written are gone on from."""
import os
import shutil

import harness

KEPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "checkpoints")


class KeptCheckpointsTest(harness.E2ETest):
    def copy(self, version):
        shutil.copytree(os.path.join(KEPT, version), self.folder, dirs_exist_ok=True)
        with open(os.path.join(self.folder, "rides.jsonl"), "a") as file:
            file.write(harness.read(os.path.join(self.folder, "more")))

    def rows(self, name):
        return harness.read(os.path.join(self.folder, name)).splitlines()

    def go_on(self, version):
        self.copy(version)
        before = {name: len(self.rows(name)) for name in ("hops.jsonl", "sessions.jsonl",
                                                          "totals.jsonl", "users.jsonl")}
        run = self.run_sluice("run", "kept.lua")
        self.assertEqual(run.code, 0, run.err)
        new = []
        for name in sorted(before):
            new += [f"{name} {row}" for row in self.rows(name)[before[name]:]]
        self.assertEqual(new, self.rows("wanted"), version)
        again = self.run_sluice("run", "kept.lua")
        self.assertEqual(again.code, 0, again.err)
        self.assertEqual(self.rows("hops.jsonl")[before["hops.jsonl"]:],
                         [row.split(" ", 1)[1] for row in new if row.startswith("hops")])

    def test_each_version_is_read(self):
        versions = sorted(name for name in os.listdir(KEPT) if name.startswith("version-"))
        self.assertIn("version-1", versions)
        for version in versions:
            with self.subTest(version):
                for name in os.listdir(self.folder):
                    path = os.path.join(self.folder, name)
                    shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
                self.go_on(version)
