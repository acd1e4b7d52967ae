#pragma once
/* Opening a pipeline in a world: what golden tests and `sluice test` share. Batches are then run by
 * hand, nothing waits. thread: main. */
#include "runtime/flow/pipeline.h"
#include "runtime/kit/pool.h"
#include "runtime/kit/world.h"

typedef struct kit_options {
    const script_options *script; /* for every worker; `worker` is filled in */
    script *guest;                /* not NULL: the one of the only worker; taken, on error too */
    script_pool *pool;            /* scripts come from there; NULL: they are opened and closed */
    const volatile int *stop;     /* as for sl_system */
    logger *log;
    bool keeps;          /* state and progress outlive it, in the world: the next pipeline that is
                            opened there goes on; whatever the script's checkpoint is */
    bool plans_ahead;    /* as a sink outside the transaction asks for: a batch that died is done as
                            it was planned */
    bool beside;         /* objects are written, and batches committed, in threads, as in a run */
    batch_step *on_step; /* as pipeline_options say; may be NULL */
    void *on_step_arg;
    bool by_hand;     /* batches by kit_run: the trigger fixes no ends at the start */
    uint32_t closes;  /* groups of windows that close, at most in a batch; 0: as in a run */
    uint32_t workers; /* > 0; more than 1: threads and chunks of two records for the smallest batch,
                         so that few records make many rounds */
} kit_options;

/* Open `p` on the topics and the clock of `w`, which outlives it. On error, too, it is to be closed
 * by kit_close, with the same pool. */
err *kit_open(pipeline *p, world *w, const kit_options *options);
void kit_close(pipeline *p, script_pool *pool);

/* Let the script of `options` take over from the one that runs, between two batches. An error: it
 * goes on as it was. */
err *kit_reload(pipeline *p, const kit_options *options);

/* Take all records that are there, in as many batches as the limits make of them; one batch at
 * least if one is due or records came. `batches`: how many ran. The trigger is not asked. */
err *kit_run(pipeline *p, uint32_t *batches);

/* Take what is there, then close what is open: the watermarks become +infinity. */
err *kit_finish(pipeline *p);
