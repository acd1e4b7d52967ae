#!/usr/bin/env python3
"""Draw docs/demo.svg: runs the demo on a terminal of its own and draws what it shows then.

    docs/demo.py [SECONDS]        the release build must be there; default: 75 s
"""
import html
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))

import terminal  # noqa: E402  (found by the path above)

LINES, COLUMNS = 24, 96
CHAR_WIDTH, LINE_HEIGHT, MARGIN, BAR = 8.43, 19, 16, 30
INK = {"": "#d8dee9", "bold": "#ffffff", "dim": "#7b8794"}
COMMAND = "./dev demo"


def spans(line):
    """The line as runs of one look."""
    at = 0
    while at < len(line):
        end = at
        while end < len(line) and line[end][1] == line[at][1]:
            end += 1
        text, look = "".join(char for char, _ in line[at:end]), line[at][1]
        if text.strip():
            weight = ' font-weight="bold"' if look == "bold" else ""
            yield (f'<tspan x="{MARGIN + at * CHAR_WIDTH:.1f}" fill="{INK[look]}"{weight}>'
                   f"{html.escape(text.rstrip())}</tspan>")
        at = end


def draw(lines):
    width = round(COLUMNS * CHAR_WIDTH + 2 * MARGIN)
    height = BAR + LINE_HEIGHT * len(lines) + MARGIN
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           f'viewBox="0 0 {width} {height}">',
           f'<rect width="{width}" height="{height}" rx="8" fill="#1b2028"/>']
    for i, colour in enumerate(("#e06c75", "#e5c07b", "#98c379")):
        out.append(f'<circle cx="{MARGIN + 4 + i * 18}" cy="16" r="5.5" fill="{colour}"/>')
    out.append('<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" '
               'font-size="14" xml:space="preserve" style="white-space: pre">')
    for number, line in enumerate(lines):
        y = BAR + LINE_HEIGHT * (number + 1) - 4
        out.append(f'<text y="{y}">{"".join(spans(line))}</text>')
    out += ["</g>", "</svg>", ""]
    return "\n".join(out)


def main(seconds):
    sluice = os.environ.get("SLUICE", os.path.join(ROOT, "build", "release", "sluice"))
    one = terminal.Terminal([sluice, "run", "scripts/ride_counts.lua", "--embedded",
                             "--set", "trigger=1 second"], LINES, COLUMNS, folder=ROOT)
    try:
        one.read_for(seconds)
        # at a moment when the block is whole
        one.read_for(5, lambda text: text.endswith("\n") and " rec/s" in text.splitlines()[-1])
        lines = [list(line) for line in one.screen.lines
                 if not "".join(char for char, _ in line).startswith("sluice:")]
        one.stop()
    finally:
        one.kill()
    while lines and not lines[-1]:
        lines.pop()
    prompt = [(char, "bold") for char in "$ " + COMMAND]
    with open(os.path.join(ROOT, "docs", "demo.svg"), "w") as file:
        file.write(draw([prompt, *lines]))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 75)
