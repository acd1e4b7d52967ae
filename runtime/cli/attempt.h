#pragma once
/* One run of a script over a sample: nothing is written, nothing committed, no checkpoint is
 * opened. It stays open, so that its plan can be shown, until attempt_close. thread: main. */
#include "runtime/cli/args.h"
#include "runtime/cli/outcome.h"
#include "runtime/flow/drift.h"
#include "runtime/flow/pipeline.h"

typedef struct attempt {
    pipeline pipeline;
    worker *worker;   /* until the pipeline takes it */
    outcome *outcome; /* owned */
    drift drift;
    err *error;                     /* why it did not load, or ended early; owned, else NULL */
    bool ran;                       /* of as many records as went through */
    buf timings;                    /* of script_timings */
    uint64_t records;               /* of the sample */
    int64_t kept_ms;                /* when it was taken, by an earlier process; 0: by this one */
    double load_ms, run_ms, cpu_ms; /* cpu_ms: of the run, on one core */
    double *max_bad_shares;         /* by source, which the run does not heed; owned */
    char **files;                   /* that were loaded; owned */
    uint32_t file_count;
} attempt;

typedef struct attempt_options {
    const args *a;
    outcome_world *world;
    int64_t last; /* records of each source that are taken, > 0 */
    sl_system system;
    script_stuck *on_stuck;
    void (*on_taking)(void *arg); /* a sample is about to be taken: that may last */
    void *arg;
} attempt_options;

/* Load and run; what goes wrong is in `error`. */
void attempt_run(attempt *t, const attempt_options *options);

/* Close script and connectors; the outcome goes, too. */
void attempt_close(attempt *t);

/* Give the outcome away; NULL: it did not run. */
outcome *attempt_take_outcome(attempt *t);
