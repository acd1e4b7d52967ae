"""What must come out of the queries of Nexmark, counted from the file of events: `check_NAME(path, rows)`.
Bids are in the order of event time. Of `update`, where batches end is not known: each row must be right for
as many bids of its group as it says, or is that of a bid; a group's rows must go on, and end with all."""
from array import array
from collections import Counter, defaultdict
from datetime import datetime, timezone
from functools import lru_cache

from bench_kit import Wrong, check
from bench_rows import Rows, documents, picked

BID = "auction", "bidder", "price", "channel", "url", "date_time"
WINDOW_MS = 10_000
MOST = 10


def bids(path):
    return (event for event in documents(path) if event["event_type"] == "bid")


def window(time_ms):
    return time_ms // WINDOW_MS * WINDOW_MS


def check_q0(path, rows):
    check("bids", picked(rows, *BID), picked(bids(path), *BID))


def check_q1(path, rows):
    wanted = Rows((bid["auction"], bid["bidder"], 0.908 * bid["price"], bid["date_time"]) for bid in bids(path))
    check("bids in euros", Rows((row["auction"], row["bidder"], float(row["euros"]), row["date_time"])
                                for row in rows), wanted)


def check_q2(path, rows):
    check("bids for some auctions", picked(rows, "auction", "price"),
          picked((bid for bid in bids(path) if bid["auction"] % 123 == 0), "auction", "price"))


def check_q5(path, rows):
    """Of auctions that are equally hot any may be named."""
    by_slice = defaultdict(Counter)
    for bid in bids(path):
        by_slice[bid["date_time"] // 2000][bid["auction"]] += 1
    windows = {}
    for start in range(min(by_slice) - 4, max(by_slice) + 1):
        windows[start * 2000] = sum((by_slice[start + i] for i in range(5) if start + i in by_slice), Counter())
    seen = []
    for row in rows:
        counts = windows.get(row["start"], Counter())
        most = max(counts.values(), default=0)
        check(f"bids of the hottest auction from {row['start']}",
              (row["bids"], counts[row["auction"]]), (most, most))
        seen.append(row["start"])
    check("windows", sorted(seen), sorted(windows))


def check_q7(path, rows):
    best = {}
    for bid in bids(path): # the earliest stays
        start = window(bid["date_time"])
        if start not in best or bid["price"] > best[start]["price"]:
            best[start] = bid
    names = "price", "bidder", "auction"
    check("dearest bids", picked(rows, "window_start", *names),
          Rows((start, *(bid[name] for name in names)) for start, bid in best.items()))


def check_q11(path, rows):
    sessions = defaultdict(list) # bidder: [first, last, bids]
    for bid in bids(path):
        of, at = sessions[bid["bidder"]], bid["date_time"]
        if of and at - of[-1][1] <= WINDOW_MS:
            of[-1][1:] = at, of[-1][2] + 1
        else:
            of.append([at, at, 1])
    check("sessions", picked(rows, "bidder", "window_start", "window_end", "bids"),
          Rows((bidder, first, last + WINDOW_MS, count)
               for bidder, of in sessions.items() for first, last, count in of))


@lru_cache(maxsize=1)
def bidders(path):
    return array("q", (bid["bidder"] for bid in bids(path)))


def check_q12(path, rows):
    """Which window a bid is in is the clock's doing, but the clock goes on: windows cut the bids into pieces."""
    windows = defaultdict(dict)
    for row in rows:
        start, bidder = row["window_start"], row["bidder"]
        check("a window of 10 s", (start % WINDOW_MS, row["window_end"] - start), (0, WINDOW_MS))
        check(f"{bidder} is twice in {start}", bidder in windows[start], False)
        windows[start][bidder] = row["bids"]
    begin, everyone = 0, bidders(path)
    for start in sorted(windows):
        end = begin + sum(windows[start].values())
        check(f"bids by bidder in {start}", windows[start] == Counter(everyone[begin:end]), True)
        begin = end
    check("bids", begin, len(everyone))


def time_of_day(time_ms):
    hour = datetime.fromtimestamp(time_ms // 1000, timezone.utc).hour
    return "dayTime" if 8 <= hour <= 18 else "nightTime" if hour <= 6 or hour >= 20 else "otherTime"


def check_q14(path, rows):
    wanted = Rows((bid["auction"], bid["bidder"], 0.908 * bid["price"], time_of_day(bid["date_time"]),
                   bid["date_time"], bid["url"], bid["url"].count("c"))
                  for bid in bids(path) if 1_000_000 < 0.908 * bid["price"] < 50_000_000)
    check("bids of some prices", Rows(
        (row["auction"], row["bidder"], float(row["euros"]), row["time"], row["date_time"], row["url"],
         row["c_counts"]) for row in rows), wanted)


def check_running(rows, wanted, new, group, names):
    """Each row says, first of `names`, how many bids of its group it is of. `wanted`: {group: bids}; `new()`
    gives a function that takes in bids, and gives the values of `names` behind the first."""
    states = {}
    for row in rows:
        key = tuple(row[name] for name in group)
        seen, take = states.get(key) or (0, new())
        count = row[names[0]]
        if not seen < count <= len(wanted.get(key, ())):
            raise Wrong(f"{key}: a row of {count} bids behind one of {seen}")
        check(f"{key}, {count} bids", [row[name] for name in names[1:]], take(wanted[key][seen:count]))
        states[key] = count, take
    check("the last rows are of all bids", {key: count for key, (count, _) in states.items()},
          {key: len(of) for key, of in wanted.items()})


def statistics():
    ranks, all_of = [0, 0, 0], []

    def take(prices):
        for price in prices:
            ranks[0 if price < 10_000 else 1 if price < 1_000_000 else 2] += 1
        least, most, total, count = all_of or (prices[0], prices[0], 0, 0)
        all_of[:] = (min(least, *prices), max(most, *prices), total + sum(prices), count + len(prices))
        return [*ranks, *all_of[:3], all_of[2] / all_of[3]]
    return take


def check_q17(path, rows):
    prices, days = defaultdict(lambda: array("q")), {}
    for bid in bids(path):
        number = bid["date_time"] // 86_400_000
        if number not in days:
            days[number] = datetime.fromtimestamp(number * 86_400, timezone.utc).strftime("%Y-%m-%d")
        prices[bid["auction"], days[number]].append(bid["price"])
    check_running(rows, prices, statistics, ("auction", "day"),
                  ("total", "rank1", "rank2", "rank3", "least", "most", "sum", "mean"))


LAST = "price", "channel", "url", "date_time"


def check_q18(path, rows):
    """A row is of a bid behind the one of the row before."""
    wanted, places = defaultdict(lambda: array("q")), defaultdict(int)
    for bid in bids(path):
        wanted[bid["bidder"], bid["auction"]].append(hash(tuple(bid[name] for name in LAST)))
    for row in rows:
        pair = row["bidder"], row["auction"]
        try:
            places[pair] = wanted[pair].index(hash(tuple(row[name] for name in LAST)), places[pair]) + 1
        except ValueError:
            raise Wrong(f"{pair}: {row}: no bid behind the first {places[pair]} is like that") from None
    check("the last rows are of the last bids", places, {pair: len(of) for pair, of in wanted.items()})


def dearest():
    best, count = [], 0

    def take(bids_of):
        nonlocal best, count
        for price, bidder, at in bids_of:
            best.append((-price, count, bidder, at))
            count += 1
        best = sorted(best)[:MOST]
        return [[{"price": -price, "bidder": bidder, "date_time": at} for price, _, bidder, at in best]]
    return take


def check_q19(path, rows):
    wanted = defaultdict(list)
    for bid in bids(path):
        wanted[bid["auction"],].append((bid["price"], bid["bidder"], bid["date_time"]))
    check_running(rows, wanted, dearest, ("auction",), ("bids", "dearest"))
