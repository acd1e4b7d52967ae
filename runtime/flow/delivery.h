#pragma once
/* The sinks at run time: what a batch has for each, and handing it over. Data sinks first, then
 * side sinks, which also get what data sinks refused.
 *
 *   reset ─▶ the batch's rows ─▶ hand over ─▶ run, until it is committed ─▶ count
 *                                   └▶ reset ─▶ the next one's rows, meanwhile ─▶ hold
 *                                       ▲                                          │
 *                                       └──────────────────────────────────────────┴▶ hand over all
 *
 * One owner (the pipeline); thread: main; run: the commit's, which alone uses what was handed over
 * until main has awaited it. */
#include <stdbool.h>

#include "runtime/base/arena.h"
#include "runtime/flow/counters.h"
#include "runtime/operator/outbox.h"
#include "runtime/shared/connect.h"

typedef struct out_sink {
    const sl_sink *plan;
    const sl_sink_ops *ops;
    void *handle;          /* of the connector; owned */
    const sl_sink *opened; /* what it was opened with: of `held`, or of the script it runs in */
    arena held;
    outbox retracted; /* of the running batch: these leave first */
    outbox rows;
    outbox leaving_retracted, leaving_rows; /* the same of the batch that was handed over, as is: */
    sl_message *messages;                   /* owned */
    uint32_t room;                          /* of `messages` */
    uint32_t own_count;                     /* of its rows: without what other sinks refused */
    size_t own_bytes;                       /* likewise */
    bool has_kept;                          /* rows of the batch that leaves, in some try */
    outbox waiting_rows;                    /* rows of batches that are done, to leave as one */
    uint32_t made;                          /* rows of the batch that was handed over, or held */
    sink_counters pending;
    sink_counters counters; /* of batches that were committed */
} out_sink;

typedef struct delivery {
    out_sink *sinks; /* by plan; owned */
    uint32_t count;
    arena side_text;      /* headers of messages, until the batch is committed */
    arena leaving_text;   /* of the batch that was handed over */
    arena waiting_text;   /* of rows that are held */
    uint32_t refusals_to; /* index of the side sink for refused rows; UINT32_MAX: none */
    bool was_run;         /* what was handed over was run before */
    char refusal[200];    /* what a sink said of the first row of them that it refused */
} delivery;

/* Finds the implementation of a connector by name; NULL: there is none. */
typedef const sl_sink_ops *(*find_sink_ops)(const sl_string *name);

/* All sinks are there, and none is open. */
void delivery_init(delivery *d, const sl_plan *plan);

/* Open the sinks that make no topic. ERR_MISSING: topics are, those of all sinks are told; other
 * errors at once. */
struct err *delivery_open(delivery *d, const sl_plan *plan, find_sink_ops find,
                          const sl_system *system);

/* Then those that may make theirs: once nothing else can end the start, which would leave them
 * behind. */
struct err *delivery_open_makers(delivery *d, const sl_plan *plan, find_sink_ops find,
                                 const sl_system *system);
void delivery_close(delivery *d);

/* Whether opening it may make a topic. */
bool delivery_is_maker(const sl_sink *plan);

/* Open one sink, and close it; `s`: not set up before. */
struct err *delivery_open_sink(out_sink *s, const sl_sink *plan, find_sink_ops find,
                               const sl_system *system);
void delivery_close_sink(out_sink *s);

/* Of a sink that is set up by hand. */
void delivery_init_boxes(out_sink *s);

/* Begin a batch: nothing to deliver yet. */
void delivery_reset(delivery *d);

/* What the batch has is to leave; the one before has left. */
void delivery_hand_over(delivery *d);

/* The batch has all its rows: how many is known from here on. */
void delivery_note_made(delivery *d);

/* Whether rows that were handed over borrow bytes of their batch's records. */
bool delivery_borrows(const delivery *d);

/* What the batch has waits, copied, to leave with what other batches have: where that is little,
 * and no row is taken back, since such leave first. */
bool delivery_may_hold(const delivery *d);
void delivery_hold(delivery *d, int64_t now_ms);

/* All that is held is to leave; or none of it is. */
void delivery_hand_over_held(delivery *d);
void delivery_drop_held(delivery *d);

/* Give it to the sinks and wait until it is durable; after an error, or where it was not committed,
 * once more with the same rows. */
struct err *delivery_run(delivery *d, uint64_t batch, int64_t now_ms);

/* The sink outside of the transaction that has kept rows of the batch that leaves, and that `other`
 * has not, to whom the same batch is the same rows' end; NULL: there is none. */
const out_sink *delivery_keeper(const delivery *d, const delivery *other);

/* The batch that is handed over may have been given to sinks before, by another script. */
void delivery_may_repeat(const delivery *d);

/* Whether some sink runs in the script of worker 0, which walks batches too. */
bool delivery_is_in_script(const delivery *d);

/* Behind a run: ERR_DATA where a sink refused more than `share` of its rows, of two or more. */
struct err *delivery_judge(const delivery *d, double share);

/* It counts. */
void delivery_count(delivery *d);
