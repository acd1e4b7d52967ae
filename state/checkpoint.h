#pragma once
/* The objects of one pipeline in a store: which there are, how they hang together, when they go.
 *
 *   full ◀─ delta ◀─ delta ◀─ delta          each names its parent; the pointer in the ledger
 * names
 *                               ▲            the last one that counts; what no pointer reaches is
 *                             pointer        garbage
 *
 *   NAME/store                          random id of the store, made once
 *   NAME/state/000000000042-<id>.delta  objects (image.h); a full one of several parts: .full
 * .full.1 ..
 *   NAME/plan/000000000043-<id>         plan of batch 43 behind the object <id>, before its first
 * row
 *   NAME/journal/000000000042-<id>      records of the batches since the journal before
 *   NAME/script/<hash>                  scripts and what they required
 *   NAME/head                           copy of the last pointer and its marks, not authoritative
 *   NAME/commit/000000000043            commits, where there is no Kafka (store_ledger.h)
 *
 * Objects are never changed; a write whose outcome is unknown is tried again under a new name.
 * Writing goes on in a thread of its own, so that a batch's object is written while its outputs
 * are produced; so do collecting garbage, full objects of a large state, and the head's copy.
 * One owner; thread: the owner's, unless said otherwise. */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/clock.h"
#include "state/image.h"
#include "state/pointer.h"
#include "state/store.h"

typedef struct checkpoint checkpoint;

/* Gets each object once it is committed, in order: `m` is taken, `p` its pointer. For the local
 * base (base.h), which follows. Called in checkpoint_committed; does not wait. */
typedef void checkpoint_follow(void *arg, const pointer *p, image *m);

typedef struct checkpoint_config {
    const char *name;                 /* of the pipeline */
    const char *operands;             /* what commands about it are given, for messages: the script
                                         and its options; borrowed; NULL: not known */
    store *store;                     /* borrowed */
    struct logger *log;               /* borrowed */
    const struct clock_source *clock; /* borrowed */
    const volatile int *stop;         /* != 0: a batch is cut short, waits end with ERR_STOPPED
                                         (stop_now, not the wish to stop behind it); may be NULL */
    int64_t history_ms;
    int64_t grace_ms;          /* garbage younger than this stays; < 0: the default, 15 minutes */
    size_t keep_bytes;         /* of memory for objects that is kept for the next ones */
    bool in_line;              /* no threads: everything happens in the call (tests) */
    checkpoint_follow *follow; /* NULL: nobody does */
    void *follow_arg;
} checkpoint_config;

err *checkpoint_open(const checkpoint_config *config, checkpoint **c);

/* Waits for what is being written. */
void checkpoint_close(checkpoint *c);

/* Id of the store: two hosts with a folder each see two. */
const char *checkpoint_store_id(const checkpoint *c);

/* Whether there are objects of an earlier run, and the name of the newest. Lists. */
err *checkpoint_has_objects(checkpoint *c, bool *found, char newest[128]);

/* Read the objects from the full one on to the one that `p` names, oldest first. Genesis: none.
 * `base`: state that is there already (RocksDB's), or NULL; if the chain passes it, what lies
 * behind it is read only: the first object is then not a full one, or there is none. `p` is
 * current from then on. ERR_REFUSED: one is missing, damaged, or does not follow; says which, and
 * what can be done. */
/* `p` names the object; it may stand in for a delta of that name, as a full one. Sections are read
 * part by part (image_turn): what is wrong with a later one ends the sections early, and is told
 * by checkpoint_load when the visit is over. */
typedef err *checkpoint_visit(void *arg, const pointer *p, image_reader *object);
err *checkpoint_load(checkpoint *c, const pointer *p, const pointer *base, checkpoint_visit *visit,
                     void *arg);

/* Whether loading failed by a full object that stood in for a delta, when parts of it had been
 * handed out: forget what they held, and load again. */
bool checkpoint_can_load_again(const checkpoint *c);

/* Whether the next object should be a full one: none yet, the chain is long, or full ones are no
 * larger than what deltas add up to. `full_bytes`: about how large one would be now. */
bool checkpoint_wants_full(const checkpoint *c, size_t full_bytes);

/* What the next objects may be made in (image_use); until checkpoint_close. */
spares *checkpoint_spares(const checkpoint *c);

/* Begin to write the object of a batch; `m` is taken, and finished in the background: call no
 * image_finish. Several may be on their way, each following the one before (its first name).
 * `record`: its plan as in the section IMAGE_RECORD, for the journal; copied. Gives the pointer to
 * commit with. */
void checkpoint_put(checkpoint *c, image *m, const buf *record, bool is_full, uint64_t batch,
                    uint32_t partitions, pointer *p);

/* Objects that were put and are not committed; whether these are as many as should wait; those of
 * them that are not written yet. */
uint32_t checkpoint_underway(const checkpoint *c);
bool checkpoint_is_behind(const checkpoint *c);
size_t checkpoint_unwritten(const checkpoint *c);

/* Wait until that of `p` (by its batch) and all before it are durable; after errors that may pass
 * (disk full, no answer) it is written again under a new name, until it is, or `stop`: `p` is what
 * counts. thread: any, one. */
err *checkpoint_wait(checkpoint *c, pointer *p);

/* The batch is committed with `p`, and with it those before; `marks` for the head's copy. Or none
 * of what is on its way is: it is garbage. */
void checkpoint_committed(checkpoint *c, const pointer *p, const sl_mark *marks, uint32_t count);
void checkpoint_given_up(checkpoint *c);

/* Put a part of a full object that holds the state at `at`, a committed pointer of this chain; the
 * base makes it, while batches go on. Parts 1 .. come first, then part 0 with the head, and with
 * it the object counts: a chain that is read back ends there. Its name is that of `at`, but .full.
 * `bytes` stay the caller's. thread: any. */
err *checkpoint_put_part(checkpoint *c, const pointer *at, uint32_t part, const buf *bytes);

/* The last pointer that is known here to be committed; NULL before any. */
const pointer *checkpoint_current(const checkpoint *c);

/* The plan of the batch behind `parent`: put it, or get the one that is there already (a batch
 * that died): then `plan` is replaced by its bytes and `found` set. */
err *checkpoint_put_plan(checkpoint *c, const pointer *parent, buf *plan, bool *found);

/* Another one in place of it, which this process has put: of a batch nothing of which is out. */
err *checkpoint_change_plan(checkpoint *c, const pointer *parent, const buf *plan);
err *checkpoint_get_plan(checkpoint *c, const pointer *parent, buf *plan, bool *found);

/* Keep a script's text under its hash, once. */
err *checkpoint_keep_script(checkpoint *c, uint64_t hash, const char *text, size_t len);

/* What has been written and what is there, for status and `sluice checkpoint ls`. */
typedef struct checkpoint_facts {
    uint64_t batch;
    uint32_t chain_length; /* objects from the full one on */
    uint64_t chain_bytes;
    uint64_t written_bytes; /* by this process */
    uint64_t written_objects, removed_objects;
    int64_t put_ms; /* how long the last object took */
} checkpoint_facts;
void checkpoint_facts_of(const checkpoint *c, checkpoint_facts *facts);
