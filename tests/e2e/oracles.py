"""What the pipelines in scripts/ must give: for each one made-up events and, from these alone, the right
answer, worked out in plain Python from docs/semantics.md. Shares no code with sluice.

An event is (time in ms, what is in the record). `arrive` puts events into partitions in the order in which
they come: out of order by less than the script's delay, so nothing is late, however batches are cut. Amounts
are multiples of a quarter, whose sums are exact in doubles: rows are compared without any tolerance."""
import datetime
import decimal
import json
import math
import random
import zoneinfo
import zlib
from collections import Counter, defaultdict, namedtuple

SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000
DAY = 24 * HOUR
START = 1_699_999_200_000  # a full hour
PARTITIONS = 4

Event = namedtuple("Event", "time row")
Placed = namedtuple("Placed", "time partition offset row value")


def iso(time_ms):
    at = datetime.datetime.fromtimestamp(time_ms / 1000, datetime.timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time_ms % 1000:03d}Z"


def bytes_of(row):
    return json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode()


def arrive(events, disorder_ms, key=None, seed=5):
    """Events with their places: by time but for `disorder_ms`, over all partitions, or by `key`."""
    pick, ends, placed = random.Random(seed), Counter(), []
    for event in sorted(events, key=lambda e: e.time + pick.uniform(0, disorder_ms)):
        partition = pick.randrange(PARTITIONS)
        if key:
            partition = zlib.crc32(str(event.row[key]).encode()) % PARTITIONS
        placed.append(Placed(event.time, partition, ends[partition], event.row, bytes_of(event.row)))
        ends[partition] += 1
    return placed


def in_order(placed):
    """As the rule for `first` and `last` has it."""
    return sorted(placed, key=lambda p: (p.time, p.partition, p.offset))


def windows(time_ms, size, every):
    start = time_ms // every * every
    while start > time_ms - size:
        yield start
        start -= every


def grouped(placed, key, size, every=None):
    """{(value of `key`, window's start): [row]} in the order of event time."""
    groups = defaultdict(list)
    for one in in_order(placed):
        for start in windows(one.time, size, every or size):
            groups[one.row.get(key), start].append(one.row)
    return groups


def values(rows, field):
    return [row[field] for row in rows if row.get(field) is not None]


def total(rows, field):
    found = values(rows, field)
    return math.fsum(found) if found else None


def spread_of(rows, field):
    found = values(rows, field)
    return max(found) - min(found) if found else None


def quarter(pick, low, high):
    return pick.randrange(low * 4, high * 4) / 4


# -- sessions, funnel

def clicks(count, pick, actions=False):
    """Visits of users, some of whose clicks are exactly the gap apart: they touch, and are one visit."""
    events, number = [], 0
    while len(events) < count:
        number += 1
        user, time = f"u-{pick.randrange(max(count // 15, 3))}", START + pick.randrange(8 * HOUR)
        for step in range(pick.randrange(1, 12)):
            row = {"user_id": user, "page": f"/p{pick.randrange(20)}", "at": iso(time)}
            if actions:
                row = {"user_id": user, "at": iso(time),
                       "action": pick.choice(["view", "view", "cart", "pay", "help"])}
            events.append(Event(time, row))
            time += pick.choice([0, pick.randrange(25 * MINUTE), 30 * MINUTE])
    return arrive(events[:count], 50 * SECOND)


def visits(placed, gap=30 * MINUTE):
    """[(user, start, end, [row])]"""
    by_user, found = defaultdict(list), []
    for one in in_order(placed):
        by_user[one.row["user_id"]].append(one)
    for user, mine in by_user.items():
        run = []
        for one in mine:
            if run and one.time > run[-1].time + gap:
                found.append((user, run[0].time, run[-1].time + gap, [r.row for r in run]))
                run = []
            run.append(one)
        found.append((user, run[0].time, run[-1].time + gap, [r.row for r in run]))
    return found


def sessions(placed):
    return [{"user_id": user, "window_start": start, "window_end": end, "clicks": len(rows),
             "pages": len({row["page"] for row in rows}), "entry": rows[0]["page"],
             "exit": rows[-1]["page"], "seconds": (end - start) / 1000 - 1800}
            for user, start, end, rows in visits(placed)]


def furthest(rows):
    step = 0
    for row in rows:
        if step < 3 and row["action"] == ("view", "cart", "pay")[step]:
            step += 1
    return step


def funnel(placed):
    hours = defaultdict(list)
    for _, _, end, rows in visits(placed):
        hours[(end - 1) // HOUR * HOUR].append(furthest(rows))
    return [{"window_start": start, "window_end": start + HOUR, "visits": len(steps),
             "viewed": sum(s >= 1 for s in steps), "in_cart": sum(s >= 2 for s in steps),
             "paid": sum(s >= 3 for s in steps)} for start, steps in hours.items()]


# -- dedup

def repeats(count, pick):
    """Ids sent once; twice within minutes, to the same partition with another amount, or as they are to
    any; and once more four hours later, which passes again."""
    events = []
    while len(events) < count:
        time, number = START + pick.randrange(8 * HOUR), len(events)
        row = {"event_id": f"e-{number}", "user_id": f"u-{pick.randrange(500)}",
               "event_type": pick.choice(["ride", "heartbeat", None]),
               "amount": quarter(pick, 0, 500), "ts": time}
        kind = pick.randrange(10)
        events.append(Event(time, row))
        for _ in range(kind if kind < 3 else 0):
            events.append(Event(time + pick.randrange(4 * MINUTE), dict(row)))
        if kind == 9 and time < START + 4 * HOUR:
            events.append(Event(time + 4 * HOUR, dict(row, ts=time + 4 * HOUR)))
    return arrive(events[:count], 9 * MINUTE, key="user_id")


def dedup(placed):
    """The rows that pass; repeats lie in the partition of the first, as their user does."""
    first, passed = {}, []
    for one in placed:
        name = one.row["event_id"]
        if name not in first or one.row["ts"] >= first[name] + 3 * HOUR:
            first[name] = one.row["ts"]
            passed.append(one.row)
    return passed


# -- rides: top_drivers, rolling_revenue, running_totals, spread, ride_counts

RIDE_TYPES = ["ride_requested", "driver_assigned", "ride_started", "ride_completed", "heartbeat", None]
CITIES = ["Berlin", "Köln", "São Paulo", "東京", "New York"]


def rides(count, pick, disorder_ms, span_ms=5 * HOUR, users=None):
    events = []
    for number in range(count):
        time = START + number * span_ms // count
        row = {"event_id": f"e-{number}", "user_id": f"u-{pick.randrange(users or max(count // 10, 5))}",
               "event_type": pick.choice(RIDE_TYPES), "city": pick.choice(CITIES), "ts": time,
               "driver_id": f"d-{int(60 * pick.random() ** 2)}"}
        if pick.random() < 0.7:
            row["amount"] = quarter(pick, 0, 500)
            row["distance_km"] = pick.choice([None, quarter(pick, 0, 2000)])
        if pick.random() < 0.05:
            row["driver_id"] = None
        events.append(Event(time, row))
    return arrive(events, disorder_ms)


def top_drivers(placed):
    """At most 60 drivers: `top` has 64 counters, so its counts are exact."""
    completed = [one for one in placed if one.row["event_type"] == "ride_completed"]
    rows = []
    for (city, start), group in grouped(completed, "city", HOUR).items():
        counts = Counter(values(group, "driver_id"))
        ranked = sorted(counts.items(), key=lambda c: (-c[1], c[0].encode()))[:10]
        rows.append({"city": city, "window_start": start, "window_end": start + HOUR,
                     "drivers": [{"value": v, "count": n, "error": 0} for v, n in ranked] or None,
                     "rides": len(group), "final": True})
    return rows


def rolling_revenue(placed):
    """As of the newest minute of each city."""
    by_city, rows = defaultdict(list), []
    for one in placed:
        by_city[one.row["city"]].append(one)
    for city, mine in by_city.items():
        end = max(one.time for one in mine) // MINUTE * MINUTE + MINUTE
        inside = [one.row for one in mine if end - HOUR <= one.time < end]
        rows.append({"city": city, "window_start": end - HOUR, "window_end": end,
                     "revenue": total(inside, "amount"), "rides": len(inside)})
    return rows


def years_of_rides(count, pick):
    """Four months, in which one user in three stays away for 45 days and begins anew."""
    events, users = [], max(count // 10, 5)
    while len(events) < count:
        user, time = pick.randrange(users), START + pick.randrange(120 * DAY)
        if user % 3 == 0 and 40 * DAY <= time - START < 85 * DAY:
            continue
        row = {"user_id": f"u-{user}", "ts": time}
        if pick.random() < 0.8:
            row["amount"] = quarter(pick, 0, 500)
        events.append(Event(time, row))
        if user % 3:  # somebody who is never silent for long
            events += [Event(time + d * 9 * DAY, {"user_id": f"u-{user}", "ts": time + d * 9 * DAY})
                       for d in range(1, 4) if time + d * 9 * DAY < START + 120 * DAY]
    return arrive(events[:count], 9 * MINUTE)


def running_totals(placed):
    """None for a user whose silence is so near 30 days that the cut of batches decides."""
    by_user, rows = defaultdict(list), {}
    for one in in_order(placed):
        by_user[one.row["user_id"]].append(one)
    for user, mine in by_user.items():
        life = []
        for one in mine:
            silent = one.time - life[-1].time if life else 0
            if silent > 30 * DAY:
                life = [] if silent > 42 * DAY else [None]
            if life != [None]:
                life.append(one)
            if life == [None]:
                break
        if life == [None]:
            rows[user] = None
            continue
        mine = [one.row for one in life]
        rows[user] = {"user_id": user, "rides": len(mine), "spent": total(mine, "amount"),
                      "dearest": max(values(mine, "amount"), default=None),
                      "last_seen": max(values(mine, "ts"))}
    return rows


def spread(placed):
    return [{"event_type": kind, "window_start": start, "window_end": start + 10 * MINUTE,
             "amount": spread_of(rows, "amount"), "distance": spread_of(rows, "distance_km")}
            for (kind, start), rows in grouped(placed, "event_type", 10 * MINUTE, MINUTE).items()]


def ride_counts(placed):
    kept = [one for one in placed if one.row["event_type"] != "heartbeat"]
    return [{"event_type": kind, "window_start": start, "window_end": start + MINUTE,
             "event_count": len(rows), "revenue": total(rows, "amount"),
             "spread": spread_of(rows, "amount")}
            for (kind, start), rows in grouped(kept, "event_type", MINUTE, 30 * SECOND).items()]


# -- latency_quantiles

def requests(count, pick):
    events = []
    for number in range(count):
        time = START + number * 10 * MINUTE // count
        row = {"service": pick.choice(["cart", "cart", "cart", "pay", f"rare-{pick.randrange(40)}"]),
               "ms": round(pick.lognormvariate(3, 1.5), 3), "at": time}
        if pick.random() < 0.9:
            row["status"] = pick.choice([200, 200, 404, 500, 503])
        if pick.random() < 0.05:
            row["ms"] = pick.choice([0, 10, 100, 1000, 10.0, 3600000])
        events.append(Event(time, row))
    return arrive(events, 9 * SECOND)


def latency_quantiles(placed):
    """The quantiles as they exactly are, and how many values: up to 16 they are told exactly."""
    rows = []
    for (service, start), group in grouped(placed, "service", MINUTE).items():
        ms = sorted(row["ms"] for row in group)
        row = {"service": service, "window_start": start, "window_end": start + MINUTE, "requests": len(ms),
               "errors": sum((r.get("status") or 0) >= 500 for r in group)}
        for name, q in ("p50", 0.5), ("p95", 0.95), ("p99", 0.99):
            row[name] = ms[int(decimal.Decimal(str(q)) * (len(ms) - 1))]
        bounds = [-math.inf, 10, 100, 1000, math.inf]
        row["below"] = [sum(low <= x < high for x in ms) for low, high in zip(bounds, bounds[1:])]
        rows.append(row)
    return rows


# -- alerts, ride_revenue

def card_payments(count, pick):
    events = []
    for number in range(count):
        time = START + number * 2 * HOUR // count
        row = {"card": f"c-{pick.randrange(max(count // 25, 2))}", "at": iso(time),
               "status": pick.choice(["refused"] * 6 + ["paid", "pending"])}
        if pick.random() < 0.8:
            row["amount"] = quarter(pick, 1, 100)
        events.append(Event(time, row))
    return arrive(events, 25 * SECOND)


def alerts(placed):
    rows = []
    for (card, start), group in grouped(placed, "card", 10 * MINUTE, MINUTE).items():
        counts = Counter(row["status"] for row in group)
        if counts["refused"] >= 3 and not counts["paid"]:
            rows.append({"card": card, "window_start": start, "window_end": start + 10 * MINUTE,
                         "refused": counts["refused"], "paid": 0,
                         "last_amount": (values(group, "amount") or [None])[-1]})
    return rows


def payments(count, pick):
    """Two days, over which New York's clocks go back an hour."""
    first, events = 1_699_142_400_000, []  # 2023-11-05 00:00 UTC
    for number in range(count):
        time = first + number * 48 * HOUR // count
        amount = f"{pick.choice([pick.randrange(100), pick.randrange(10 ** 9)])}.{pick.randrange(100):02d}"
        events.append(Event(time, {"ride_id": f"r-{number}", "method": pick.choice(["card", "cash", "voucher"]),
                                   "amount": pick.choice(["", "", "-"]) + amount, "paid_at": iso(time)}))
    return arrive(events, 110 * SECOND)


def ride_revenue(placed):
    rows, zone = [], zoneinfo.ZoneInfo("America/New_York")
    context = decimal.Context(prec=60, rounding=decimal.ROUND_HALF_UP)
    for (method, start), group in grouped(placed, "method", HOUR).items():
        amounts = [decimal.Decimal(row["amount"]) for row in group]
        mean = context.divide(sum(amounts), len(amounts)).quantize(decimal.Decimal("0.000001"), context=context)
        exact = context.divide(sum(amounts), len(amounts))
        deviation = None
        if len(amounts) > 1:
            squares = sum(context.power(a - exact, 2) for a in amounts)
            deviation = float(context.divide(squares, len(amounts) - 1).sqrt(context))
        hour = datetime.datetime.fromtimestamp(start / 1000, zone).strftime("%Y-%m-%d %H:00")
        rows.append({"method": method, "window_start": start, "window_end": start + HOUR,
                     "payments": len(amounts), "revenue": str(sum(amounts)), "mean": str(mean),
                     "deviation": deviation, "hour": hour})
    return rows


# -- clean

def raw_ride(pick, number):
    """(value, None) or (value, the field that breaks a rule)."""
    time = START + number
    row = {"event_id": f"e-{number}", "user_id": f"u-{pick.randrange(50)}", "amount": quarter(pick, 0, 500),
           "event_type": pick.choice(["ride_completed", "heartbeat", "tip"]), "ts": time}
    if pick.random() < 0.5:
        row["pickup"] = pick.choice([None, {}, {"city": "Berlin", "lat": 52.5}, {"city": "KIEL"},
                                     {"lat": -90, "country": "?"}, {"city": None, "lat": 90}])
    row["currency"] = pick.choice(["EUR", "USD", "GBP", None])
    if pick.random() < 0.5:
        del row["currency"]
    if pick.random() < 0.2:
        row["amount"] = None
    broken = {"event_id": f"x{number}", "user_id": 7, "event_type": None, "amount": 500.25,
              "currency": "DEM", "ts": 1577836800000, "pickup": "Berlin"}
    if pick.random() < 0.2:
        field = pick.choice(sorted(broken))
        return dict(row, **{field: broken[field]}), field
    if pick.random() < 0.03:
        return dict(row, pickup={"city": "Berlin", "lat": 90.5}), "pickup.lat"
    return row, None


def clean(row):
    """The row that leaves, None for one that is filtered."""
    if row["event_type"] == "heartbeat":
        return None
    city = (row.get("pickup") or {}).get("city")
    day = datetime.datetime.fromtimestamp(row["ts"] / 1000, datetime.timezone.utc).strftime("%Y-%m-%d")
    return {"event_id": row["event_id"], "user_id": row["user_id"], "event_type": row["event_type"],
            "amount": row["amount"], "currency": row.get("currency") or "EUR",
            "city": city.lower() if city else None, "day": day, "is_large": (row["amount"] or 0) >= 80,
            "ts": row["ts"]}
