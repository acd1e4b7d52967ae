"""What was done and what was found, to be read."""
HEAD = ("world", "pipeline", "store", "records", "kills", "zombies", "pauses", "rivals", "cuts", "lost", "doubled",
        "wrong", "disorder", "troubles", "restart to first commit, ms p50 / p99")


def of(rows):
    """The table, and below it which crash points were reached how often."""
    lines = [HEAD] + [line(row) for row in rows]
    widths = [max(len(one[i]) for one in lines) for i in range(len(HEAD))]
    text = "\n".join("  ".join(cell.ljust(width) if i < 3 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(one, widths))) for one in lines)
    return f"\n{text}\n\n{points(rows)}\n"


def line(row):
    subject, counts = row.subject, row.subject.found.counts
    return (row.world, subject.kind, subject.store, str(row.records), str(subject.kills), str(subject.zombies),
            str(subject.pauses), str(subject.rivals), str(subject.cuts), str(counts["lost"]), str(counts["doubled"]),
            str(counts["wrong"]), str(counts["disordered"]), str(len(subject.troubles)),
            f"{percentile(subject.first_commits, 50)} / {percentile(subject.first_commits, 99)}")


def percentile(values, share):
    if not values:
        return "-"
    return f"{sorted(values)[min(len(values) - 1, len(values) * share // 100)]:.0f}"


def points(rows):
    reached, missed = {}, {}
    for row in rows:
        for into, counts in (reached, row.subject.reached), (missed, row.subject.missed):
            for point, count in counts.items():
                into[point] = into.get(point, 0) + count
    died = ", ".join(f"{point} {count}" for point, count in sorted(reached.items()))
    never = ", ".join(sorted(set(missed) - set(reached)))
    return f"died at: {died or 'no crash point'}" + (f"\nnever came by: {never}" if never else "")


def of_controls(controls):
    width = max((len(one.name) for one in controls), default=0)
    lines = [f"{one.name.ljust(width)}  {'caught' if one.is_caught else 'NOT CAUGHT'}: {one.seen}" for one in controls]
    return "\nnegative controls\n" + "\n".join(lines) + "\n"
