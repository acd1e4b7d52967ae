#pragma once
/* The records of committed batches (their plans as they were done), gathered out of the chain's
 * objects, which go, into objects that stay for `history`: a bundle whose items are named by the
 * batch's pointer, in the order of the commits. Going back to an earlier pointer leaves the records
 * of what was given up in place: the later ones count.
 *
 * The newest object is written anew with more records until it is SEGMENT_BYTES long; what it
 * replaces goes. One owner; thread: the owner's. */
#include "state/bundle.h"
#include "state/pointer.h"
#include "state/store.h"

typedef struct journal_record {
    pointer p;
    char *text; /* owned */
    size_t len;
} journal_record;

typedef struct journal {
    journal_record *pending; /* not yet in an object, by batch; owned */
    uint32_t pending_count, pending_room;
    size_t pending_bytes;
    buf segment; /* the newest object, without its end; len 0: the next one begins anew */
    bundle_sums sums;
    pointer stored; /* what names it; has_stored: it is there */
    bool has_stored;
    uint64_t covered; /* records up to this batch (as in pointers) are in objects */
} journal;

void journal_init(journal *j);
void journal_done(journal *j);

/* Go on with the object that `newest` names; `current`: batch that the pipeline goes on from. An
 * object that is damaged is left alone. ERR_IO. */
err *journal_resume(journal *j, store *s, const char *pipeline, const pointer *newest,
                    uint64_t current);

/* Copied; in any order. */
void journal_add(journal *j, const pointer *p, const char *text, size_t len);

/* Whether so many are pending that an object is worth it. */
bool journal_is_due(const journal *j);

/* Store what is pending; `replaced` and `has_replaced`: an object that is of no more use. */
err *journal_store(journal *j, store *s, const char *pipeline, pointer *replaced,
                   bool *has_replaced);
