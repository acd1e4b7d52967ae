"""What was done and what was found, to be read."""
HEAD = ("world", "pipeline", "store", "records", "kills", "broker kills", "moves", "zombies", "pauses", "rivals",
        "cuts", "texts", "refused", "filled", "shadows", "lost", "doubled", "wrong", "disorder", "troubles", "MB",
        "first commit, ms p50 / p99")


def of(rows):
    """The table, and below it which crash points were reached how often."""
    lines = [HEAD] + [line(row) for row in rows]
    widths = [max(len(one[i]) for one in lines) for i in range(len(HEAD))]
    text = "\n".join("  ".join(cell.ljust(width) if i < 3 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(one, widths))) for one in lines)
    return f"\n{text}\n{total(rows)}\n\n{points(rows)}\n"


def line(row):
    subject, counts = row.subject, row.subject.found.counts
    done = (row.records, subject.kills, subject.world.broker_kills, subject.world.leader_moves,
            subject.zombies, subject.pauses, subject.rivals, subject.cuts,
            subject.taken, subject.back, subject.filled, subject.shadows)
    found = [counts[kind] for kind in ("lost", "doubled", "wrong", "disordered")] + [len(subject.troubles)]
    return (row.world, subject.kind, subject.store, *map(str, (*done, *found)), f"{subject.peak_mb:.0f}",
            f"{percentile(subject.first_commits, 50)} / {percentile(subject.first_commits, 99)}")


def total(rows):
    """In one line; brokers are those of the worlds, not of each of their pipelines."""
    worlds = {row.subject.world for row in rows}
    numbers = {"kills": sum(row.subject.kills for row in rows),
               "broker kills": sum(world.broker_kills for world in worlds),
               "leader moves": sum(world.leader_moves for world in worlds),
               "zombies": sum(row.subject.zombies for row in rows),
               "texts that took over": sum(row.subject.taken for row in rows),
               "that did not": sum(row.subject.back for row in rows)}
    for kind in "lost", "doubled", "wrong", "disordered":
        numbers[kind] = sum(row.subject.found.counts[kind] for row in rows)
    numbers["troubles"] = sum(len(row.subject.troubles) for row in rows)
    return "in all: " + ", ".join(f"{number} {what}" for what, number in numbers.items())


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
