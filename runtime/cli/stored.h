#pragma once
/* What is stored of a script's pipeline: its store, and what its ledger has committed. For the
 * commands `checkpoint` and `state`, which look at a pipeline that runs or does not, and change
 * something only where they say so. One owner; thread: main. */
#include "runtime/base/clock.h"
#include "runtime/cli/args.h"
#include "runtime/script/script.h"
#include "runtime/shared/connect.h"
#include "state/survey.h"

typedef struct stored {
    script *script; /* owned */
    const sl_plan *plan;
    char *operands; /* what commands about it are given, for messages; owned */
    char *to_run;   /* what `sluice run` is given; likewise */
    char *name;     /* of the pipeline; owned */
    char *topic;    /* of the mark where no source's partitions are committed; owned */
    logger log;
    clock_source clock;
    sl_system system; /* what ledgers are opened with */
    store store;      /* owned; has_store */
    bool has_store;
    sl_committed *committed; /* by stored_look; owned, topics too */
    uint32_t count;
    pointer pointer; /* what they agree on, if `trouble` is NULL and count > 0 */
    char *trouble;   /* why they give none; owned */
} stored;

/* Load the script of `a` and open its store. `name` (may be NULL): in place of the script's name
 * of the pipeline. ERR_PLAN: it keeps nothing. `s`: stored_close, also on error. */
err *stored_open(const args *a, const char *name, stored *s);

/* Read what is committed, without disturbing whoever runs. Errors are of the ledger alone; what is
 * wrong with what was read is `trouble`. */
err *stored_look(stored *s);

/* The same; what cannot be gone on from is ERR_REFUSED, nothing committed as well. */
err *stored_need_pointer(stored *s);

/* ERR_FENCED: a process runs the pipeline, as far as can be seen: by the lock of a folder, else by
 * whether commits come while it is watched. */
err *stored_refuse_running(stored *s);

/* Commit `p` for `marks` in the ledger's way, and keep the head's copy in step. ERR_FENCED:
 * somebody works under this name. */
err *stored_commit(stored *s, const pointer *p, const sl_mark *marks, uint32_t count);

/* The marks of what is committed, and how many; owned by the caller, topics borrowed from `s`. */
sl_mark *stored_marks(const stored *s);

void stored_close(stored *s);

/* How messages call it: "`rides` in file:./checkpoints". Borrowed text in `out`. */
const char *stored_title(const stored *s, buf *out);
