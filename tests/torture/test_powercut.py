"""The power cut takes what was not synced, and nothing else."""
import os
import subprocess
import sys
import tempfile
import unittest

import powercut

WORK = """
import os
def file(path, sync):
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.write(fd, b"0123456789")
    if sync: os.fdatasync(fd)
    os.close(fd)
def folder(path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(fd)
    os.close(fd)
os.mkdir("a"); folder(".")
file("a/1", True); os.rename("a/1", "a/durable"); folder("a")
file("a/2", False); os.rename("a/2", "a/torn"); folder("a")
file("a/3", True); os.rename("a/3", "a/unnamed")
file("a/4", True); os.link("a/4", "a/linked"); folder("a"); os.unlink("a/4")
file("a/5", True); os.rename("a/5", "a/linked")
file("a/6", True); os.rename("a/6", "a/late")
os.mkdir("b"); file("b/durable", True); folder("b")
"""


class PowerCutTest(unittest.TestCase):
    def test_what_was_synced_stays(self):
        with tempfile.TemporaryDirectory() as top:
            folder, log = os.path.join(top, "folder"), os.path.join(top, "log")
            os.mkdir(folder)
            env = powercut.environment(folder, log, powercut.library(top))
            subprocess.run([sys.executable, "-c", WORK], cwd=folder, env=dict(os.environ, **env), check=True)
            self.assertEqual(sorted(os.listdir(folder)), ["a", "b"])
            self.assertGreater(powercut.cut(log), 2)
            self.assertEqual(os.listdir(folder), ["a"])
            sizes = {name: os.path.getsize(os.path.join(folder, "a", name))
                     for name in os.listdir(os.path.join(folder, "a"))}
            # the fsync for "linked" made "unnamed" durable, too
            self.assertEqual(sizes, {"durable": 10, "torn": 5, "linked": 10, "unnamed": 10})
            self.assertEqual(powercut.cut(log), 0)
            # one of two files may have a name that was durable before
            over = 'import os; open("new", "w").close(); os.rename("new", "a/durable")'
            subprocess.run([sys.executable, "-c", over], cwd=folder, env=dict(os.environ, **env), check=True)
            powercut.cut(log)
            self.assertIn("durable", os.listdir(os.path.join(folder, "a")))


if __name__ == "__main__":
    unittest.main()
