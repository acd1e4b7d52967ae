#pragma once
/* What a run over a sample would have written: the sinks' messages, kept in memory and compared
 * with those of the run before. Behind an aggregation rows are told apart by their key (and
 * window); elsewhere equal messages are one row that came several times. One owner; thread: main.
 */
#include "runtime/base/arena.h"
#include "runtime/cli/sample.h"
#include "runtime/flow/delivery.h"
#include "runtime/shared/connect.h"

typedef struct outcome_row {
    uint64_t hash;            /* of what tells it apart */
    sl_string key;            /* data NULL: null; bytes in the arena */
    sl_string value;          /* data NULL: retracted, it does not count */
    sl_string topic;          /* it goes to; data NULL: the sink's own */
    sl_string window;         /* its start, as text; data NULL: none */
    uint32_t nth;             /* of those alike; MOST_ALIKE: told apart by value */
    uint32_t times;           /* it came so often */
    uint32_t order;           /* of its first coming */
    int64_t window_ms;        /* INT64_MIN: none */
    const sl_header *headers; /* side sinks: the verdict */
    uint32_t header_count;
} outcome_row;

typedef struct outcome_sink {
    char *name;        /* owned */
    bool is_side;      /* late or quarantined records */
    int32_t mode;      /* sl_mode of the aggregation in front; 0: there is none */
    outcome_row *rows; /* in the order of their first coming; owned */
    uint32_t count, room;
    uint64_t *slots; /* by hash: its upper half, number of a row + 1; 0: free; owned */
    uint32_t slot_count;
    uint64_t messages, retracted;
} outcome_sink;

typedef struct outcome {
    outcome_sink *sinks; /* by plan; owned */
    uint32_t count;
    uint32_t opened; /* sinks: in the order of the plan; what a connector gets may be a copy */
    arena text;
} outcome;

/* What connectors of a run over a sample find in system->resume_arg. */
typedef struct outcome_world {
    sample sample;    /* comes first: sample_ops knows only that */
    outcome *outcome; /* of the run that is on; owned by it */
} outcome_world;

/* Room for what the sinks of `plan` get. */
outcome *outcome_new(const sl_plan *plan);
void outcome_free(outcome *o); /* NULL is allowed */

/* Sinks of any connector that put what they get into the outcome of the outcome_world that
 * system->resume_arg points to. */
const sl_sink_ops *outcome_ops(const sl_string *connector);

/* Take in a message of sink `sink`, which is copied. */
void outcome_add(outcome *o, uint32_t sink, const sl_message *m);

/* The row of another run that is the same one; NULL: it had none. */
const outcome_row *outcome_find(const outcome_sink *s, const outcome_row *row);

/* The sink of that name; NULL: there is none. */
const outcome_sink *outcome_named(const outcome *o, const char *name);

/* Whether a row is there at the end: not retracted. */
static inline bool outcome_counts(const outcome_row *r) { return r->value.data != NULL; }
