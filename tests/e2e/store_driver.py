"""A store by hand: tests/driver/store_driver.c as a child process."""
import contextlib
import os
import subprocess

import harness

BUILD = os.path.dirname(harness.SLUICE)


class StoreDriver:
    def __init__(self, url, env):
        self.process = subprocess.Popen([os.path.join(BUILD, "store_driver")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1,
                                        env=dict(os.environ, **env),
                                        preexec_fn=harness.kafka.die_with_parent)
        self.answer(f"open {url} 1000")

    def answer(self, command):
        """The answer without its "ok"; an error as it is; "" when it died."""
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except OSError:
            return ""
        return self.process.stdout.readline().rstrip("\n").removeprefix("ok ")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):  # a command that it did not read any more
            self.process.stdin.close()
        self.process.stdout.close()
