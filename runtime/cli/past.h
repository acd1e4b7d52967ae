#pragma once
/* The recorded batches of a script's pipeline, and how they are done again: for `sluice replay` and
 * `sluice why`. Reads store, ledger and sources; writes nothing but a folder of its own, which
 * goes.
 * One owner; thread: main. */
#include "runtime/cli/past_script.h"
#include "runtime/cli/scratch.h"
#include "runtime/cli/stored.h"
#include "runtime/flow/replay.h"

typedef struct past_record {
    char *text; /* owned; NULL: there is none */
    size_t len;
    pointer at; /* behind its batch */
} past_record;

typedef struct past {
    const args *a;
    stored stored;
    past_record *records; /* of batches [first, end); owned */
    uint64_t first, end;
    scratch folder; /* of its own, empty or with what state needs */
    replay replay;
    script *script;            /* that the replay runs; the replay's worker owns it */
    past_script_wanted wanted; /* what the script borrows */
    const char *path;          /* of a script in place of those that did the batches; NULL: none */
    pointer begun;             /* the state that the last past_begin began with */
    uint64_t hash;             /* else of the text that runs now */
    struct probe *probe;       /* that pipelines get; borrowed; NULL: none */
    store_kept kept;           /* state that one text hands to the next */
} past;

/* Load the script, and find what is committed. `p`: past_close, on error, too. */
err *past_open(const args *a, past *p);
void past_close(past *p);

/* Read the records of batches [from, to) into `records`; those before are forgotten. */
err *past_read(past *p, uint64_t from, uint64_t to);

/* The record of a batch; NULL: it is not among those that were read. */
const past_record *past_record_of(const past *p, uint64_t batch);

/* Begin a replay right before `batch`, whose record must be there, as all up to `to`: from the
 * nearest state that is stored. `path`: a script in place of the one that did the batch; NULL: that
 * one, by its hash. ERR_REFUSED: nothing is kept from which it can be reached; says which is the
 * oldest batch. */
err *past_begin(past *p, uint64_t batch, uint64_t to, const char *path);

/* Do the next batch again; rows go to the replay's on_row. */
err *past_step(past *p);
