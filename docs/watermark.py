#!/usr/bin/env python3
"""Draws watermark.svg: panes, windows, watermark and lateness over twelve records.

    python3 docs/watermark.py > docs/watermark.svg"""

# Event times in seconds after 10:00, in the order in which the records arrive.
RECORDS = [8, 22, 41, 35, 66, 52, 95, 80, 48, 124, 110, 30]
SIZE, EVERY, DELAY, END = 60, 30, 30, 150
LEFT, TOP, STEP, SECOND = 90, 156, 26, 4.9


def x(second):
    return LEFT + second * SECOND


def y(record):
    return TOP + record * STEP


def clock(second):
    return f"10:{second // 60:02}:{second % 60:02}"


def text(at, on, words, kind="", anchor="start"):
    return f'<text x="{at:.0f}" y="{on:.0f}" class="{kind}" text-anchor="{anchor}">{words}</text>'


def watermarks():
    """The watermark behind each record: the highest time so far, less the delay."""
    high, found = None, []
    for second in RECORDS:
        high = second if high is None else max(high, second)
        found.append(high - DELAY)
    return found


def axis():
    out = []
    for second in range(0, END + 1, EVERY):
        out.append(f'<line x1="{x(second):.0f}" y1="58" x2="{x(second):.0f}" y2="{y(12) - 4}" class="grid"/>')
        out.append(text(x(second), 50, clock(second), "small", "middle"))
    for pane in range(0, END, EVERY):
        out.append(f'<rect x="{x(pane) + 2:.0f}" y="60" width="{EVERY * SECOND - 4:.0f}" height="18" class="pane"/>')
        out.append(text(x(pane + EVERY / 2), 73, "pane", "small", "middle"))
    return out


def windows():
    out = []
    for number, start in enumerate(range(0, END - SIZE + 1, EVERY)):
        on = 88 + (number % 2) * 26
        out.append(f'<rect x="{x(start) + 2:.0f}" y="{on}" width="{SIZE * SECOND - 4:.0f}" height="20" class="window"/>')
        out.append(text(x(start + SIZE / 2), on + 14, f"window {clock(start)} – {clock(start + SIZE)}", "small", "middle"))
    return out


def staircase():
    points = []
    for number, second in enumerate(watermarks()):
        points += [f"{x(max(second, -2)):.0f},{y(number):.0f}", f"{x(max(second, -2)):.0f},{y(number + 1):.0f}"]
    return [f'<polyline points="{" ".join(points)}" class="watermark"/>',
            text(x(watermarks()[-1]) + 8, y(12) - 8, "watermark = highest event time − delay", "small mark")]


def dots():
    out, before = [], None
    for number, second in enumerate(RECORDS):
        ends = [start + SIZE for start in (second // EVERY * EVERY - EVERY, second // EVERY * EVERY) if start >= 0]
        late = [end for end in ends if before is not None and end <= before]
        kind = "late" if len(late) == len(ends) else "partly" if late else "good"
        out.append(f'<circle cx="{x(second):.0f}" cy="{y(number) + STEP / 2:.0f}" r="6" class="{kind}"/>')
        label = {"late": "late: all its windows are closed", "partly": "late for one window, in time for the next"}
        if kind in label:
            out.append(text(x(second) + 12, y(number) + STEP / 2 + 4, label[kind], "small"))
        before = watermarks()[number]
    return out


def main():
    print(f'''<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 {y(12) + 40}" font-family="sans-serif">
<style>
text {{ font-size: 14px; fill: #222 }} .small {{ font-size: 12px }} .mark {{ fill: #b3261e }}
.grid {{ stroke: #ddd }} .pane {{ fill: #eef3fb; stroke: #9db7e0 }} .window {{ fill: #dcebdc; stroke: #6b9d6b }}
.watermark {{ fill: none; stroke: #b3261e; stroke-width: 2.5 }} .good {{ fill: #2457a6 }}
.partly {{ fill: #fff; stroke: #2457a6; stroke-width: 3 }} .late {{ fill: #fff; stroke: #b3261e; stroke-width: 3 }}
</style>
<rect width="100%" height="100%" fill="#fff"/>
{text(LEFT, 24, "hopping { size = 1 minute, every = 30 seconds }, delay = 30 seconds")}
{text(LEFT - 70, 73, "event time", "small")}''')
    print("\n".join(axis() + windows() + dots() + staircase()))
    for number in range(12):
        print(text(LEFT - 70, y(number) + STEP / 2 + 4, f"record {number + 1}", "small"))
    print(text(LEFT - 70, y(12) + 22, "Records from top to bottom in the order of arrival; each begins a batch of its own, "
               "and the watermark at its start judges it.", "small"))
    print("</svg>")


main()
