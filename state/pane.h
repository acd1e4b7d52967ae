#pragma once
/* One pane: entries in slabs, and an open-addressing index over them. Inside state/ only; the
 * interface for others is table.h. Owned by its table. thread: worker.
 *
 * A slot of the index is 8 bytes, 0 = empty:
 *
 *   BITS    WHAT
 *   63..32  tag: upper half of the key's hash; its low bits are the home slot, so that the index
 *           grows without a look at the entries
 *   31..18  number of the slab, from 1
 *   17..0   place in the slab, in units of 8 bytes
 *
 * The low 32 bits are the entry's id. Ids rise in the order memory is taken: what a batch has made
 * is what lies behind a mark, and what it made in the memory of entries that earlier ones removed.
 *
 * Memory of removed entries is kept by size class, as lists linked through `hash`. Classes are
 * exact up to 256 bytes, then eight to a doubling: memory of one class always fits. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "state/entry.h"
#include "state/slab.h"

enum { PANE_PLACE_BITS = 18,
       PANE_SLABS = 1 << 14,
       PANE_CLASSES = 232 };

/* Ids of entries. */
typedef struct id_list {
    uint32_t *items; /* from the pool; owned */
    uint32_t count, room;
} id_list;

/* What a pane needs once an entry of it has been removed; from the pool. */
typedef struct pane_removals {
    uint32_t free[PANE_CLASSES]; /* first id of each list; 0: none */
    id_list removed;             /* in this batch, made by earlier ones: undo puts them back */
    id_list deleted;             /* in this batch, made by it too */
    id_list reused;              /* made in this batch, in memory from a list */
} pane_removals;

typedef struct pane_slab {
    char *data;    /* from the pool; owned */
    uint32_t used; /* units of 8 bytes */
    uint32_t room; /* units of 8 bytes; beyond 2^18 for an entry with a slab of its own */
} pane_slab;

typedef struct pane {
    int64_t start;       /* Unix ms */
    uint32_t generation; /* of several of one start, see table_pane_of */
    uint64_t *slots;     /* mask + 1 slots, from the pool; owned */
    uint32_t mask;       /* slots - 1 */
    uint32_t limit;      /* entries at which the index grows */
    uint32_t count;      /* entries that are not deleted */
    uint32_t expected;   /* entries it will probably get, from its neighbours; 0: not known */
    pane_slab *slabs;    /* [0] is not used; owned */
    uint32_t slab_count; /* with [0] */
    uint32_t slab_room;
    size_t slab_bytes; /* of all slabs */
    uint64_t made;     /* epoch of the batch that made it */
    uint64_t batch;    /* epoch of the batch that touched it last: dirty and mark belong to it */
    entry **dirty;     /* entries touched in that batch; from the pool; owned */
    uint32_t dirty_count;
    uint32_t dirty_room;
    uint32_t mark_count;        /* `count` when the batch first touched it */
    uint32_t mark_slabs;        /* slab_count then */
    uint32_t mark_used;         /* units used of the last slab then */
    bool dropped;               /* waits for commit */
    bool is_spilled, is_cached; /* spill.h, and the batch that touched it last: */
    uint64_t touched;
    pane_removals *removals; /* NULL: nothing was ever removed; owned */
} pane;

/* Make an empty pane. `expected`: entries it will probably get. */
pane *pane_new(slab_pool *pool, int64_t start, uint32_t expected);
void pane_free(slab_pool *pool, pane *p);
/* Grow the index for `more` entries. */
void pane_reserve(slab_pool *pool, pane *p, uint32_t more);

/* First touch in a batch: remember where its new entries begin. */
void pane_begin(pane *p, uint64_t batch);

/* The batch is kept: give up the dirty list; memory of what was removed can be used again. */
void pane_commit(slab_pool *pool, pane *p);

/* The batch is not: give up the dirty list, take out the entries made since pane_begin, put back
 * those removed. States are not looked at. */
void pane_undo(slab_pool *pool, pane *p);

/* Slow path of pane_push_dirty. */
void pane_grow_dirty(slab_pool *pool, pane *p);

/* Put an entry on the dirty list. */
static inline void pane_push_dirty(slab_pool *pool, pane *p, entry *e) {
    if (p->dirty_count == p->dirty_room) pane_grow_dirty(pool, p);
    p->dirty[p->dirty_count++] = e;
}

/* Make an entry for a key that is not there, in the slot `at` that pane_seek gave for it. The state
 * is not filled in. */
entry *pane_insert(slab_pool *pool, pane *p, uint32_t at, uint64_t hash, const char *key,
                   uint32_t key_len, uint32_t state_size);

/* Take an entry made in this batch out of index and dirty list. */
void pane_delete(slab_pool *pool, pane *p, entry *e);

/* Take an entry out of the index. `is_new`: this batch made it. It may stay on the dirty list. */
void pane_remove(slab_pool *pool, pane *p, entry *e, bool is_new);

/* Take a dirty entry off the dirty list. O(dirty entries). */
void pane_clean(pane *p, const entry *e);

static inline entry *pane_entry(const pane *p, uint32_t id) {
    uint32_t place = id & ((1u << PANE_PLACE_BITS) - 1);
    return (entry *)(p->slabs[id >> PANE_PLACE_BITS].data + ((size_t)place << 3));
}

static inline uint64_t pane_load(const char *at) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}
