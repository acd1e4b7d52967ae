#pragma once
/* What a pipeline keeps between runs: its state in a store, its progress in a ledger, and the
 * pointer that ties the two together.
 *
 *   open: store ─▶ ledger (shuts others out) ─▶ what is committed ─▶ fresh, go on, or refuse
 *         ─▶ objects into the workers' tables
 *   start, once sources and sinks are open: progress into inputs, sinks go back to where they were;
 *         the first commit, or a look whether somebody else works here
 *   batch by batch: commit.h
 *
 * None (NULL in the pipeline) with checkpoint = "none". One owner (the pipeline); thread: main. */
#include <stdatomic.h>

#include "runtime/flow/pipeline.h"
#include "runtime/flow/progress.h"
#include "runtime/flow/record.h"
#include "state/checkpoint.h"
#include "state/pointer.h"

/* The places in a batch where a process may die, in their order (test.steps of the kit); each is
 * also the crash point "flow_NAME":
 *   fetched    the records are there
 *   planned    ranges and verdicts are decided; with plans ahead: and durable
 *   processed  outputs are made, nothing has left the process
 *   saved      the state's object is made, and being written
 *   begun      the ledger takes what sinks write
 *   produced   sinks have flushed
 *   written    the object is durable
 *   committed  the ledger has the pointer, main does not know yet
 *   applied    all is done
 * Those from `begun` to `written` come in the thread of commits, where there is one, and the last
 * two when main comes back to it: behind `processed` of the next batch, if one follows at once. */
extern const char *const keeper_steps[]; /* NULL ends the list */

struct keeper;

/* What an input is told of earlier runs: its sl_system, and whose it is. */
typedef struct keeper_input {
    sl_system system;
    const struct keeper *keeper;
    const sl_source *plan;
    uint32_t twin; /* so many sources before it have the same name */
} keeper_input;

/* Where a sink was. */
typedef struct keeper_position {
    char *name; /* of the sink; owned */
    buf bytes;  /* for sl_sink_ops.resume */
} keeper_position;

/* What a commit makes current. */
typedef struct promise {
    pointer p;      /* the object may get another name before it is durable */
    sl_mark *marks; /* owned; topics: sources'; NULL: there is none */
    uint32_t count;
} promise;

typedef struct keeper {
    const sl_checkpoint *plan; /* the pipeline's copy */
    char *name, *shape;        /* of the pipeline and its plan; owned */
    char *group;               /* Kafka: consumer group; owned */
    char *topic;               /* of the only mark where partitions of sources are none; owned */
    char *operands;            /* what commands about it are given, for messages; owned */
    char *recover;             /* for messages: that `recover` commits a pointer; owned */
    char *place;               /* for messages: which checkpoint, where; owned */
    store store;
    bool has_store;
    bool is_lent;             /* to a thread that has not ended: it stays open for good */
    checkpoint *checkpoint;   /* owned */
    const sl_ledger_ops *ops; /* of the ledger */
    void *ledger;             /* owned */
    bool is_fresh;            /* nothing was committed when the run began */
    bool awaits_genesis;      /* and nothing is yet: there is no partition to commit it with (a
                                 pattern that no topic matches) */
    bool has_positions;       /* some sink has a position: objects are made behind the sinks */
    bool has_told;            /* what becomes of its state */
    bool has_other_shape;     /* the last object is of another plan: the next one is a full one */
    bool has_gone;            /* what was loaded knows files that are not there */
    sl_committed *found;      /* what was committed when the run began; topics owned */
    uint32_t found_count;
    progress loaded;            /* of the object that was committed then; empty: none */
    keeper_position *positions; /* likewise, of its sinks; owned */
    uint32_t position_count;
    recorded planned; /* the batch that an earlier run did not finish (ahead.h) */
    bool has_planned;
    keeper_input *inputs;          /* by source; owned */
    pointer current;               /* committed last */
    char parent[SL_POINTER_BYTES]; /* its text, for the object that is being written */
    pointer saved;                 /* of the batch whose object was made last */
    bool was_asked;                /* its commit was asked for: it may have gone through */
    sl_mark *marks;                /* behind it; owned; topics: sources' */
    uint32_t mark_count, mark_room;
    promise running;         /* what is being committed, or was last */
    atomic_uint redelivered; /* times that it was tried again, not counted yet */
    buf record;              /* plan of the batch that was made last */
    int64_t committed_ms;    /* steady time of the last commit */
    int64_t commit_ms;       /* how long it took, or its rows did */
} keeper;

/* Open store and ledger, see what is there, and load it into the workers' tables: p->keeper, to be
 * closed on error, too; NULL with checkpoint = "none". ERR_REFUSED, ERR_FENCED: with the way out.
 */
err *keeper_open(pipeline *p, const pipeline_options *options);

/* What source `number` is opened with. */
const sl_system *keeper_system(const pipeline *p, uint32_t number);

/* Sources and sinks are open: put them where they were, and commit for the first time, or see that
 * nobody else works here. */
err *keeper_start(pipeline *p);

/* Records of a batch have come: ERR_REFUSED where the input had ended in an earlier run, since all
 * windows are closed. Whether a file has more is not known before it is read. */
err *keeper_check_records(const pipeline *p, const input *in);

/* Between batches, behind a look at the inputs: whether what is committed is still ours; once a day
 * commit it again, since brokers forget. Cheap; nothing while a commit is beside. */
err *keeper_check(pipeline *p);

/* The first of that alone, in the middle of a batch. No commit is beside. */
err *keeper_check_ours(const pipeline *p);

void keeper_close(keeper *k); /* NULL is allowed */

/* A step of a batch is done: ERR_CRASHED where a test wants it to end there. */
err *keeper_step(const pipeline *p, const char *step);

/* Whether the positions of a source are committed in the ledger, and not in the object alone. */
bool keeper_marks(const keeper *k, const sl_source *source);
