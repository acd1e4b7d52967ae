#pragma once
/* How long each kind of work took, by one thread: a mark at its beginning, a lap behind each part.
 * A part is a vector of rows or a step of a batch, so that the clock is read some ten times in
 * 2,048 rows. Wall time: what else ran on the core meanwhile is in it. thread: its owner's. */
#include <stdint.h>

typedef enum lap_kind {
    LAP_FETCH,     /* main: look for records and take them in */
    LAP_DECODE,    /* bytes to rows; constraints */
    LAP_TIME,      /* event time, skew guard */
    LAP_FUNCTIONS, /* Lua: filter, derive, key functions, flat_map */
    LAP_WRITE,     /* rows that go to sinks, to bytes */
    LAP_GROUP,     /* key, hash, pane, lateness */
    LAP_DISTINCT,  /* seen before or not */
    LAP_FOLD,      /* group look-up, aggregates */
    LAP_COLLECT,   /* verdicts, watermarks, messages in order */
    LAP_LIST,      /* which groups are due; what has been sent; eviction */
    LAP_RESULT,    /* states of panes merged, results made */
    LAP_ENCODE,    /* results to bytes */
    LAP_SAVE,      /* main: image of what the batch changed */
    LAP_DELIVER,   /* main: rows handed over and committed, as far as it waits for that */
    LAP_END,       /* main: undo forgotten, budget of memory */
    LAP_KINDS,
} lap_kind;

typedef struct laps {
    int64_t at_ns;             /* the last mark */
    int64_t ns[LAP_KINDS];     /* so far */
    uint64_t count[LAP_KINDS]; /* laps in it */
} laps;

/* As `sluice run --profile` prints it. */
extern const char *const lap_names[LAP_KINDS], *const lap_notes[LAP_KINDS];

/* What is done from here on is of the next lap. */
void laps_mark(laps *l);

/* What was done since the last mark or lap is of this kind. */
void laps_add(laps *l, lap_kind kind);
