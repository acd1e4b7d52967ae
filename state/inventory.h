#pragma once
/* What a pipeline's folder holds besides what is never removed: objects, plans, journals; and which
 * of it may go. One owner; thread: the owner's. */
#include "state/pointer.h"
#include "state/store.h"

typedef enum kept_kind {
    KEPT_OBJECT = 1,
    KEPT_PLAN,    /* `p`: its parent */
    KEPT_JOURNAL, /* `p`: its last record's */
} kept_kind;

typedef struct kept {
    kept_kind kind;
    bool is_useless; /* given up, or replaced: goes after the grace */
    bool is_history; /* by inventory_thin: stays though the chain is past it */
    uint32_t parts;  /* KEPT_OBJECT */
    pointer p;
    int64_t made_ms; /* Unix ms */
} kept;

typedef struct inventory {
    kept *items; /* owned; in the order of batches, but for what zombies add */
    uint32_t count, room;
    uint64_t listed; /* the newest batch that the store listed */
} inventory;

/* Until when, by batch and by age, things have to stay. */
typedef struct inventory_limits {
    uint64_t chain_start; /* batch of the full object that the chain starts with */
    uint64_t journaled;   /* batches up to this one are in the journal */
    uint64_t current;     /* batch of the last pointer */
    int64_t now_ms, grace_ms, history_ms;
} inventory_limits;

void inventory_done(inventory *v);

/* One more, or more of one that the store has listed. O(1) behind what was listed. */
void inventory_add(inventory *v, const kept *item);

/* Add what the store lists; what is known already gets its time. The store's clock may be ahead:
 * nothing is younger than `now_ms`. */
err *inventory_list(inventory *v, store *s, const char *pipeline, int64_t now_ms);

/* The newest journal by the time of its making; NULL: there is none. */
const kept *inventory_journal(const inventory *v);

void inventory_set_useless(inventory *v, kept_kind kind, const pointer *p);

/* Of the full objects that the chain is past, choose those that stay: HISTORY_OBJECTS at most over
 * `history`. */
void inventory_thin(inventory *v, const inventory_limits *limits);

bool inventory_may_go(const kept *item, const inventory_limits *limits);

/* Remove `item` from the store. */
err *inventory_remove(const kept *item, store *s, const char *pipeline);
