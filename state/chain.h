#pragma once
/* A chain read back from its pointer: every object from the full one on, checked whole and to
 * follow the one before, then handed out oldest first. What is read stays in memory up to a bound;
 * of a longer chain the newest objects are read twice.
 * One owner; thread: the owner's. */
#include "state/object.h"

typedef struct chain_link {
    pointer p;           /* a full object that the base made: of the delta's id, but POINTER_FULL */
    image_reader *read;  /* owned; NULL: to be read again */
    object_parts *later; /* of `read`, where parts are read as they are needed; owned */
    bool stands_in;      /* the base made it: without it there are deltas */
    size_t bytes;        /* that were read */
    uint32_t parts;
} chain_link;

typedef struct chain {
    store *store;         /* borrowed */
    const char *pipeline; /* borrowed */
    chain_link *links;    /* newest first; owned */
    uint32_t count;
    size_t held_bytes;
    pointer *listed; /* objects up to the pointer's batch, as listed; owned */
    uint32_t listed_count;
    prefetch *ahead; /* owned; NULL: none */
    bool in_parts;   /* see chain_open_in_parts */
    bool no_stand_ins;
    bool has_met;   /* the base was reached: nothing before it was looked at */
    pointer behind; /* what the oldest one follows (of a stand-in: its delta); genesis: nothing */
} chain;

/* Read the chain of `p` back to its full object, or to `base` (may be NULL). ERR_REFUSED: which
 * object is missing, damaged, or does not follow; chain_done then, too: `links` are those before.
 * */
err *chain_open(store *s, const char *pipeline, const pointer *p, const pointer *base, chain *ch);

/* The same for whoever reads each object once, in order: of those of several parts only the first
 * is checked here and read, the others when the callback of chain_hand_out turns to them; what is
 * wrong with them is image_take_error of `link->read`. `no_stand_ins`: full objects that the base
 * made are passed over, since one turned out to be damaged. */
err *chain_open_in_parts(store *s, const char *pipeline, const pointer *p, const pointer *base,
                         bool no_stand_ins, chain *ch);

/* Hand out, oldest first. `link->read` is borrowed until the callback returns. */
typedef err *chain_visit(void *arg, const chain_link *link);
err *chain_hand_out(chain *ch, chain_visit *visit, void *arg);

void chain_done(chain *ch);
