#pragma once
/* What may wait, done by the caretaker's thread behind each commit: the journal of the batches'
 * records, the copy of the head, and removing what no pointer reaches (also while an object cannot
 * be written).
 *
 * Removed is, once it is older than the grace: what was given up by this process, and what is
 * strictly before the full object that the committed chain starts with; of full objects some stay
 * for `history`, and none goes before its record stands in the journal. A zombie's objects are
 * never in the way of that: those at or behind the chain's start stay until a later full one.
 * What was there before is found by one list behind the first commit.
 *
 * thread: the caretaker's; while a chain is loaded, when it has nothing to do, the owner's. */
#include "state/checkpoint.h"

typedef struct keeper keeper;

keeper *keeper_new(const checkpoint_config *config);
void keeper_free(keeper *k);

/* An object of the chain that was loaded (oldest first), or that is durable now. */
typedef struct keeper_object {
    pointer p;
    uint32_t parts;
    uint64_t bytes;
    const char *record; /* borrowed; len 0: none */
    size_t record_len;
    bool is_loaded; /* by whoever goes on from it, and not made by this process */
} keeper_object;

/* `o` is on the committed chain: while it is loaded (no job runs then), or as it is committed. */
void keeper_add(keeper *k, const keeper_object *o);

/* Records before the loaded chain are looked for from here backwards. */
void keeper_look_behind(keeper *k, const pointer *parent);

/* This process committed `p` (after keeper_add, unless it has no object). `marks` are taken: one
 * piece of memory. */
void keeper_committed(keeper *k, const pointer *p, sl_mark *marks, uint32_t count);

/* There is a plan behind `parent`. */
void keeper_planned(keeper *k, const pointer *parent);

/* `p` will never be committed; its object may be there. Removes what may go, as behind a commit. */
void keeper_given_up(keeper *k, const pointer *p, uint32_t parts);

/* The head's copy, if a newer one is known; at the end. */
void keeper_finish(keeper *k);

/* Objects removed so far. thread: any. */
uint64_t keeper_removed(const keeper *k);
