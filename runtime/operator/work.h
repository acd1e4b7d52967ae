#pragma once
/* What the operators of a batch share.
 *
 * A batch is walked chunk by chunk; a chunk is one vector of neighbouring records of one source.
 * Level by level (shared/step.h) it goes through functions (decode, stamp, Lua, key extraction),
 * which any worker does; then its rows go to distincts and aggregations: to each worker's share of
 * the state (hash % shards) in the batch's order, whoever works for it (flow/turns.h), so that rows
 * mostly stay in the cache of the one that made them. What an aggregation emits and is not a sink's
 * is walked likewise.
 *
 *   records ─prepare─▶ rows ─advance─▶ masks ─group─▶ groups ─fold─▶ states ─emit─▶ outboxes
 *                       ▲      ▲                        │                      └▶ results
 *                       │      └──── distinct ◀─────────┘                            │
 *                       └────────────────────────────────────────────────────────────┘
 *
 * batch_view: read-only while a phase runs. chunk: written by the one worker that does its
 * functions, afterwards read by all (masks by atomics). worker: its own thread's only, but its
 * tables, keys and expiries, which are who's works for its share. */
#include <stdatomic.h>
#include <stdbool.h>

#include "runtime/base/arena.h"
#include "runtime/codec/codec.h"
#include "runtime/codec/encode.h"
#include "runtime/operator/chunk.h"
#include "runtime/operator/expiry.h"
#include "runtime/operator/extras.h"
#include "runtime/operator/laps.h"
#include "runtime/script/script.h"
#include "runtime/shared/connect.h"
#include "runtime/shared/row.h"
#include "runtime/shared/vector.h"
#include "state/table.h"

/* The record that names the columns of a partition (sl_source.has_header). */
typedef struct column_header {
    sl_string text; /* data NULL: not seen yet; else owned by the input */
    int64_t offset; /* of that record */
} column_header;

/* A source's part of a batch. */
typedef struct source_view {
    const sl_partition *partitions; /* borrowed from the source */
    uint32_t partition_count;
    const double *places;         /* of each partition among all there can be; borrowed */
    const column_header *headers; /* sl_source.has_header: one a partition; borrowed */
    const sl_record *records;     /* of the batch, by topic, partition and offset */
    uint32_t record_count;
    int64_t skew_limit_ms; /* latest event time that moves a watermark; INT64_MAX: no guard */
} source_view;

typedef struct aggregate_view {
    int64_t watermark_before; /* judges rows; WATERMARK_NONE: none yet */
    int64_t watermark_after;  /* closes windows; set before emission */
    bool closes_apart;        /* windows that close are emit_close.c's; set likewise, as is: */
    int64_t out_to;           /* watermark whose windows are all out behind the batch */
} aggregate_view;

typedef struct distinct_view {
    int64_t watermark_before; /* judges rows; WATERMARK_NONE: none yet */
    int64_t watermark_after;  /* forgets keys; set before the end */
} distinct_view;

/* What all workers know of the running batch; borrowed from the pipeline. */
typedef struct batch_view {
    const sl_plan *plan;
    uint64_t batch;                   /* number, from 0 over all runs of a checkpoint */
    int64_t now_ms;                   /* processing time */
    bool is_flush;                    /* the watermarks become +infinity at its end */
    bool on_trial;                    /* by a script that may have to give way to the one before */
    const source_view *sources;       /* by plan */
    const aggregate_view *aggregates; /* by plan */
    const distinct_view *distincts;   /* by plan */
    const struct poison *poison;      /* borrowed from the pipeline; NULL: no record is */
} batch_view;

typedef struct worker {
    uint32_t number, count;    /* this one of so many */
    script *script;            /* owned */
    sl_vector *vector;         /* of the script */
    decoder **decoders;        /* by source; NULL for generators; owned */
    encoder **value_encoders;  /* by output_number; owned */
    encoder **key_encoders;    /* likewise; NULL where the key is the record's */
    uint32_t *key_columns;     /* likewise; how many of the value's are the key; 0: others are */
    extras_writer **extras;    /* by output_number; NULL where there are none; owned */
    encoder **group_encoders;  /* by aggregate: the group, for messages; owned */
    table **tables;            /* by aggregate; owned */
    struct seen_keys **seen;   /* by distinct: its keys; owned */
    expiry *expiries;          /* by aggregate; owned */
    struct slides *slides;     /* slide.c's own, of all aggregates; owned */
    table **sent;              /* by aggregate: hashes of what was sent, or NULL; owned */
    struct base *base;         /* where spilled panes are; borrowed, NULL: nothing is spilled */
    note_list *notes;          /* where its notes go: those of a chunk, or its own */
    note_list own_notes;       /* on rows of no chunk */
    arena note_text;           /* their texts, until the batch ends */
    buf scratch;               /* any short-lived bytes */
    onward_list onward;        /* of the aggregation emitted last: those that go on */
    struct selector *selector; /* rows of the stage being worked on; owned */
    struct judge_space *judge; /* distinct.c's own; owned */
    struct fold_space *fold;   /* fold.c's own; owned */
    struct emit_space *emit;   /* emit.c's own; owned */
    laps *laps;                /* of its thread; its own outside of a crew */
    laps own_laps;
    uint64_t failed_at[2];   /* where the error of the last phase stands: the lowest is told */
    uint64_t result_count;   /* of the aggregation emitted last: results, before any filter */
    uint64_t nulled_numbers; /* NaN and infinity written as null, in this batch */
} worker;

/* Number of output `k` of step `step` among all outputs. */
static inline uint32_t output_number(uint32_t step, uint32_t k) {
    return step * SL_MAX_OUTPUTS + k;
}

/* Add a note; texts are copied, and stay until the batch ends. */
void worker_note(worker *w, note n);

/* Set up what a worker of `plan` needs around `its_script` (taken, on failure too). */
struct err *worker_new(const sl_plan *plan, script *its_script, uint32_t number, uint32_t count,
                       worker **out);
void worker_free(worker *w, const sl_plan *plan);

/* A batch begins; it ends by keeping what it did to the tables, or by leaving no trace. */
void worker_begin(worker *w, const sl_plan *plan);
void worker_end(worker *w, const sl_plan *plan, bool commit);

/* What user code threw last: message, the line of the script, a hint, the row, traceback. The
 * vector is as the throw left it. Borrowed until the next call. */
const char *worker_failure(worker *w);
