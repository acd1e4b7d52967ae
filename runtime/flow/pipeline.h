#pragma once
/* A running pipeline: everything between a plan and its results.
 *
 *   open ─▶ step ─▶ step ─▶ … ─▶ finish ─▶ close
 *
 * A step asks the trigger and runs at most one batch; the loop around it (run.c, or a test with its
 * own clock) decides how to wait. thread: main. */
#include "runtime/base/log.h"
#include "runtime/event/trigger.h"
#include "runtime/flow/crew.h"
#include "runtime/flow/delivery.h"
#include "runtime/flow/input.h"
#include "runtime/flow/meet.h"
#include "runtime/flow/turns.h"
#include "runtime/operator/poison.h"
#include "state/store.h"

struct deaths;
struct beside;
struct keeper;
struct local;
struct replay;
struct probe;
struct reload;
struct backfill;
struct fill_list;
struct shadow;

/* Implementations of connectors by name; NULL: none. */
typedef const sl_source_ops *(*find_source_ops)(const sl_string *name);
typedef const sl_ledger_ops *(*find_ledger_ops)(const sl_string *name);

/* Called behind each step of a batch (keeper_steps): an error ends the batch there, as a crash
 * would. */
typedef err *batch_step(void *arg, const char *step);

typedef struct pipeline_options {
    sl_system system;             /* for sources: waits end when the process is asked to stop */
    const volatile int *stop_now; /* for sinks: they wait on until then */
    find_source_ops find_source;
    find_sink_ops find_sink;
    const sl_checkpoint *checkpoint; /* not NULL: in place of the plan's (tests); outlives it */
    find_ledger_ops find_ledger;     /* what it does not know: by state's own; may be NULL */
    bool keeps_in_line;              /* objects are written in the call, without threads (tests) */
    struct replay *replay;           /* recorded batches are done again (replay.h): its store, its
                                        begin; NULL: a run. Borrowed */
    batch_step *on_step;             /* may be NULL */
    void *on_step_arg;
    worker **workers; /* taken; workers[0]'s script owns the plan */
    uint32_t worker_count;
    bool always_threaded;   /* use the threads for small batches, too (tests) */
    uint32_t chunk_records; /* of a chunk, at most VECTOR_ROWS; 0: that (tests) */
    uint32_t close_groups;  /* of windows that close, at most so many a batch; 0: 100,000 (tests) */
    bool by_hand;           /* records come after the start: no ends are fixed then (tests) */
} pipeline_options;

typedef struct pipeline {
    const sl_plan *plan; /* borrowed from worker 0's script */
    sl_system system;
    sl_system sink_system; /* the same, but waits go on until stop_now; sinks borrow it */
    bool bounded_run;      /* available-now or once */
    input *inputs;         /* by plan; owned */
    uint32_t input_count;
    arena held;               /* copies of parts of the plan: held.h */
    const sl_source **opened; /* of them, by source: what its connector was opened with; owned */
    delivery out;
    struct keeper *keeper;   /* NULL: nothing is kept; owned */
    struct beside *beside;   /* commits beside the next batch; NULL: they end in the call; owned */
    struct local *local;     /* beside it; owned */
    struct probe *probe;     /* a record looked at on its way (probe.h); borrowed, or NULL */
    batch_step *on_step;     /* as the options say */
    find_sink_ops find_sink; /* as the options say */
    err *later;              /* of a commit, for the next step; owned */
    struct reload *trial;    /* what this script took over from, while on trial; owned */
    char *went_back;         /* why the script on trial is gone again, until it is told; owned */
    struct reload *retired;  /* scripts that are done with (reload.h); owned */
    struct fill_list *fills; /* due before the next batch (backfill.h); owned, or NULL */
    struct backfill *refill; /* being read beside; owned, or NULL */
    struct backfill *filler; /* that main reads at the moment; borrowed, or NULL */
    char *refilled;          /* for the record of the next batch; owned, or NULL */
    struct shadow *shadow;   /* another text does the same batches (shadow.h); borrowed, or NULL */
    bool on_trial;           /* it is such a shadow's: what would take it off ends the batch */
    void *on_step_arg;
    crew *crew;
    laps *laps;     /* of the main thread; the crew's */
    turns *turns;   /* whose it is while chunks are walked; owned */
    chunk **chunks; /* that are on their way at a time; owned */
    uint32_t chunk_room;
    bool adapts;            /* chunks take fewer records where flat_maps make many rows */
    atomic_uint chunk_now;  /* most of the next chunk; <= chunk_records */
    uint32_t chunk_records; /* most of a chunk */
    bool always_threaded;   /* as the options say */
    uint32_t close_groups;  /* of windows that close, at most so many a batch */
    stages stages;
    poison poison;         /* records that ended an earlier run; owned */
    struct deaths *deaths; /* batches that did (deaths.h); NULL: nothing is noted; owned */
    uint32_t *depths;      /* by root of a tree of steps: its highest level; owned */
    onward_list onward;    /* of all workers, in order: what goes on of the last emission */
    uint32_t *rows_before; /* by sink: its rows before those results; owned */
    outbox *worker_boxes;  /* emission: by worker, retracted and rows of each output; owned */
    trigger trigger;
    bool was_cut_short;   /* a limit other than max_rate kept the last batch from taking all */
    bool overlaps;        /* a batch may be read and walked beside what the one before still does */
    uint64_t batch;       /* number of the next batch, over all runs of a checkpoint */
    int64_t since_ms;     /* steady time the last batch began; what leaders said since is fresh */
    int64_t batch_ms;     /* how long the last batch took, without what it waited for others */
    int64_t clock_gap_ms; /* of the time of day and the steady clock */
    run_counters counters;
    bool finished; /* flushed at the end of an available-now run, this one or an earlier one */
} pipeline;

/* Open all connectors. On error the pipeline is to be closed as well. */
err *pipeline_open(pipeline *p, const pipeline_options *options);

/* Ask the trigger and run a batch if it is time. `verdict`: RUN one was run; WAIT until when; DONE.
 */
err *pipeline_step(pipeline *p, trigger_verdict *verdict);

/* Steady time before which no batch is expected to begin; INT64_MIN: not known, or at once. */
int64_t pipeline_next_ms(const pipeline *p);

/* Tell sources so. */
void pipeline_expect(const pipeline *p, int64_t at_ms);

/* An error that was met between two steps, once; NULL: none. */
err *pipeline_later(pipeline *p);

/* Processing time now. Where the system's clock was set, idleness follows it: the time that passed
 * counts, not the time of day. */
int64_t pipeline_now_ms(pipeline *p);

/* The end of a run that was not interrupted: `flush` closes what is open. */
err *pipeline_finish(pipeline *p);

void pipeline_close(pipeline *p);

/* Log the counters of the run, one line a source and sink. */
void pipeline_summary(const pipeline *p, logger *log);
