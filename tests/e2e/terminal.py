"""A terminal for tests: runs a program on a pseudo terminal and keeps the screen it draws. Knows what
sluice uses: newline, carriage return, cursor up, erase, bold, dim."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import kit

SEQUENCE = re.compile(r"\x1b\[(\d*(?:;\d+)*)([A-Za-z])")


class Screen:
    """Lines of cells; a cell is a character and how it looks ("", "bold", "dim")."""

    def __init__(self):
        self.lines, self.row, self.column, self.look, self.rest = [[]], 0, 0, "", ""

    def feed(self, text):
        text, at = self.rest + text, 0
        self.rest = ""
        while at < len(text):
            char = text[at]
            if char == "\x1b":
                found = SEQUENCE.match(text, at)
                if not found:
                    self.rest = text[at:]
                    return
                self.obey(found.group(1), found.group(2))
                at = found.end()
                continue
            if char == "\n":
                self.row += 1
                self.column = 0
                if self.row == len(self.lines):
                    self.lines.append([])
            elif char == "\r":
                self.column = 0
            else:
                line = self.lines[self.row]
                line.extend([(" ", "")] * (self.column - len(line)))
                line[self.column:self.column + 1] = [(char, self.look)]
                self.column += 1
            at += 1

    def obey(self, number, letter):
        if letter == "A":
            self.row -= int(number or 1)
            assert self.row >= 0, "the cursor left the screen"
        elif letter == "K":
            del self.lines[self.row][self.column:]
        elif letter == "J":
            del self.lines[self.row][self.column:]
            del self.lines[self.row + 1:]
        elif letter == "m":
            self.look = {"": "", "0": "", "1": "bold", "2": "dim"}[number]

    @property
    def text(self):
        return "\n".join("".join(char for char, _ in line).rstrip() for line in self.lines)


class Terminal:
    """A program on a terminal of its own, `screen` shows what it drew so far."""

    def __init__(self, arguments, lines=40, columns=100, folder=None, env=None):
        mine, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = subprocess.Popen(arguments, stdin=its, stdout=its, stderr=its, cwd=folder,
                                        env=dict(os.environ, **(env or {})), start_new_session=True)
        os.close(its)
        self.fd, self.screen, self.raw, self.open = mine, Screen(), b"", True

    def read_for(self, seconds, until=None):
        """Follow the output; true as soon as `until` holds for the screen's text, for which it is patient."""
        end = time.monotonic() + (kit.patience(seconds) if until else seconds)
        until = until or (lambda text: False)
        while self.open and time.monotonic() < end:
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    more = os.read(self.fd, 65536)
                except OSError:
                    more = b""
                self.open = bool(more)
                self.raw += more
                self.screen.feed(more.decode(errors="replace"))
            if until(self.screen.text):
                return True
        return until(self.screen.text)

    def stop(self, number=signal.SIGINT, timeout_s=15):
        """Send a signal; returns the exit code."""
        self.process.send_signal(number)
        end = time.monotonic() + kit.patience(timeout_s)
        while self.process.poll() is None and time.monotonic() < end:
            self.read_for(0.1)
        self.read_for(0.5, lambda _: not self.open)
        self.kill()
        return self.process.returncode

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.fd >= 0:
            os.close(self.fd)
        self.fd, self.open = -1, False
