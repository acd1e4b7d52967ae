#pragma once
/* What the files of a refill share: backfill.c (its life, a start), backfill_beside.c (a reload),
 * backfill_read.c (records into tables), backfill_source.c (where they come from). */
#include <stdatomic.h>

#include "runtime/flow/backfill.h"
#include "runtime/flow/record.h"
#include "state/jobs.h"

struct fill_list {
    sl_fill *items;
    uint32_t count;
    arena memory; /* of all that */
};

/* A partition as the run stands in it. */
typedef struct backfill_spot {
    char *topic; /* owned */
    int32_t number;
    double rank;      /* input.ranks */
    int64_t from, to; /* to be read; from: -1, not known yet */
    sl_string header; /* that names the columns; owned; data NULL: none */
    int64_t header_offset;
} backfill_spot;

/* A source that is read again. */
typedef struct backfill_source {
    struct backfill *of;
    bool is_read; /* it feeds what is to be filled */
    bool is_open;
    const sl_source_ops *ops; /* the run's */
    input input;              /* on a connection of its own */
    sl_system system;
    arena held;           /* options of that */
    backfill_spot *spots; /* in the order of reading; owned */
    uint32_t count, room;
    double *places; /* by partition of the input: its rank in the run; owned */
} backfill_source;

struct backfill {
    const sl_plan *plan; /* of the script that is filled; its */
    sl_plan own;         /* the same, but what is not filled is fed nothing */
    sl_aggregate *aggregates;
    const fill_list *fills;  /* borrowed, or: */
    fill_list *own_fills;    /* owned */
    const pipeline *p;       /* what does not change while it runs */
    const recorded *planned; /* done again; NULL: it is not. Borrowed */
    script *by;              /* lent; by whom, to tell */
    char *base;              /* the shape that the fills are found against; owned; NULL: a start */
    worker *side;            /* has all shards; its script is lent */
    chunk *chunk;
    uint32_t chunk_records;
    uint32_t *depths;
    backfill_source *sources; /* by plan; owned */
    batch_view view;
    source_view *views;
    aggregate_view *aggregate_views;
    distinct_view *distinct_views;
    int64_t since_ms;  /* rows from then on count */
    int64_t lookup_ms; /* by the broker's time such lie from there on */
    bool is_empty;     /* nothing was read yet: there is nothing to fill with */
    buf ranges;        /* that were read, for the record */
    char *last;        /* the one that grows, as far as its `to`; owned */
    int64_t told_ms, began_ms;
    _Atomic uint64_t done, left; /* records */
    size_t most_bytes;           /* of the tables beside */
    uint64_t thrown;             /* out */
    volatile int stop;           /* given up */
    int64_t deadline_ms;         /* steady; 0: none */
    bool is_beside;              /* by a thread; set before anything is open */
    atomic_bool has_hung;        /* a call into the script does not return */
    jobs *thread;                /* reads beside; NULL: no */
    uint64_t ticket;
    err *error; /* of the thread */
    uint32_t rounds;
};

/* -- backfill.c */

/* To fill the tables of `plan`, by the Lua state of `by`. `fills` is borrowed. */
err *backfill_new(pipeline *p, const sl_plan *plan, worker *by, const fill_list *fills,
                  const recorded *planned, backfill **out);

/* What was read into `into`, by worker (NULL: the running ones); for the record, or NULL. */
char *backfill_put(pipeline *p, const backfill *b, worker **into);

/* backfill_read on main. */
err *backfill_read_here(pipeline *p, backfill *b);

/* -- backfill_source.c */

/* Where the run stands now: that is where to read to. */
void backfill_aim(backfill *b);

/* Open the connections. thread: any. */
err *backfill_open(backfill *b);
void backfill_close(backfill *b);

/* Whether a file is no more what its name means: another has taken its place (rotation). */
bool backfill_is_replaced(const backfill_source *s, const backfill_spot *spot);

/* Offsets that are still to be read, of what is open. */
uint64_t backfill_left(const backfill *b);

/* -- backfill_read.c */

/* Read all up to where it is aimed. thread: any, one at a time. */
err *backfill_read(backfill *b);
