#include "runtime/operator/laps.h"

#include "runtime/base/clock.h"

const char *const lap_names[LAP_KINDS] = {
    "fetch",
    "decode",
    "event time",
    "functions",
    "write",
    "group",
    "distinct",
    "fold",
    "collect",
    "due",
    "results",
    "encode",
    "save",
    "deliver",
    "end",
};

const char *const lap_notes[LAP_KINDS] = {
    "records taken in by the main thread, waits for them included",
    "bytes to rows, constraints",
    "event time, skew guard",
    "Lua: filter, derive, flat_map, functions of keys",
    "rows that go to sinks, to bytes",
    "key, hash, pane, late or not",
    "seen before or not",
    "group looked up, aggregates, own ones in Lua",
    "verdicts counted, watermarks moved, messages put in order",
    "groups that are due, and groups that go",
    "states of panes merged, results made",
    "results to bytes",
    "what the batch changed, copied for the checkpoint",
    "rows handed over and committed, as far as the main thread waits",
    "undo dropped, memory held to its budget",
};

void laps_mark(laps *l) { l->at_ns = clock_steady_ns(); }

void laps_add(laps *l, lap_kind kind) {
    int64_t now = clock_steady_ns();
    l->ns[kind] += now - l->at_ns;
    l->count[kind]++;
    l->at_ns = now;
}
