#pragma once
/* Recorded batches, done again: the same records, clock, verdicts, from a state before them. What
 * comes out is shown to whoever asks; nothing is written or committed anywhere.
 *
 *   open ─▶ batch ─▶ batch ─▶ … ─▶ close
 *           record   record
 *
 * It is a pipeline (pipeline.h) whose store only looks, whose ledger says what it is told, and
 * whose sinks are shown here. Batches must come in their order, each behind the one before.
 * One owner; thread: main. */
#include "runtime/flow/pipeline.h"
#include "runtime/flow/progress.h"
#include "runtime/flow/record.h"
#include "state/pointer.h"
#include "state/store_look.h"

struct keeper;

/* A message for the sink; borrowed until it returns. */
typedef void replay_row(void *arg, const sl_sink *sink, const sl_message *m);

typedef struct replay {
    /* given */
    const store *store;   /* where the pipeline keeps its state; borrowed; NULL: `kept` alone */
    pointer from;         /* the state to begin with; genesis: none */
    progress begin;       /* genesis: where sources begin; taken */
    const char *folder;   /* for state that does not fit into memory; borrowed; NULL: it must fit */
    bool is_other_script; /* than did the batches: how far they come may differ */
    store_kept *kept;     /* for replay_keep; borrowed; NULL: never asked */
    replay_row *on_row;   /* may be NULL */
    void *on_row_arg;
    void *source_arg; /* for who finds the sources, by way of sl_system.ledger, the replay */
    /* its own */
    sl_checkpoint plan; /* the script's, less what writes */
    sl_committed mark;  /* what the ledger says */
    pipeline pipeline;
    bool is_open;
} replay;

/* Where sources began, by the first records that read something of each partition: give all records
 * from batch 0 on, in their order. `begin`: zero at first; progress_done. */
void replay_note_begin(progress *begin, const recorded *r);

/* Open it. `workers`: one, taken, of the script's plan. `r`: replay_close, on error, too.
 * ERR_REFUSED: the state is not there, or does not fit the script. */
err *replay_open(replay *r, worker **workers, const sl_system *system, find_source_ops find);

/* Number of the batch that is next. */
uint64_t replay_next(const replay *r);

/* Do the batch of `record`, which must be the next. ERR_REFUSED: what it read is not there any
 * more, or it would not go as it went. */
err *replay_batch(replay *r, const char *record, size_t len);

/* The same, with errors as they come. */
err *replay_do(replay *r, const char *record, size_t len);

/* The next batch is the last of this script: keep the state behind it, whole, so that another
 * replay can begin with it. ERR_REFUSED: it does not fit into memory. */
err *replay_keep(replay *r);

/* The state behind the last batch, if it was kept. */
pointer replay_kept(const replay *r);

void replay_close(replay *r);

/* For keeper_open: nothing is loaded for a genesis. */
void replay_tell_begin(replay *r, struct keeper *k);
