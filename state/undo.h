#pragma once
/* What a batch touched, and the bytes from before. Touches are numbered through all batches: the
 * number is the entry's mark, so that four bytes of it say whether this batch has touched it, and
 * where its old bytes are.
 *
 *   entry.mark ── minus `first` ──▶ olds[] ──▶ [entry *][state's bytes from before]
 *                                     └─ NULL: made in this batch, or forgotten
 *
 * One owner: the table. thread: worker. */
#include <assert.h>

#include "runtime/base/arena.h"
#include "state/entry.h"
#include "state/slab.h"

typedef struct undo {
    slab_pool *pool;     /* borrowed */
    uint32_t state_size; /* bytes */
    uint32_t first;      /* mark of the batch's first touch */
    uint32_t count;      /* touches of the batch */
    uint32_t room;
    void **olds; /* by number in the batch; from the pool; owned */
    arena bytes; /* of `olds`; dies with the batch */
} undo;

void undo_init(undo *u, slab_pool *pool, uint32_t state_size);
void undo_done(undo *u);

/* Whether the numbers are used up; then every entry must get mark 0 (never touched), and undo_renew
 * is called. Between batches. */
bool undo_is_worn(const undo *u);
void undo_renew(undo *u);

/* Slow path of undo_mark. */
void undo_grow(undo *u);

/* An entry is touched first: `old` is what undo_save gave, NULL for a new one. */
static inline void undo_mark(undo *u, entry *e, void *old) {
    if (u->count == u->room) undo_grow(u);
    e->mark = u->first + u->count;
    assert(e->mark >= u->first && e->mark != ENTRY_REMOVED);
    u->olds[u->count++] = old;
}

/* Save the state of an entry. */
void *undo_save(undo *u, const entry *e);

/* Put all that was saved back. The batch goes on. */
void undo_back(const undo *u);

/* The batch is over. */
void undo_end(undo *u);

size_t undo_held_bytes(const undo *u);

/* Where an entry stands in the batch; `count` or more: it was not touched in it. */
static inline uint32_t undo_number(const undo *u, const entry *e) {
    return e->mark - u->first;
}

static inline bool undo_has(const undo *u, const entry *e) {
    return undo_number(u, e) < u->count;
}

/* The state from before the batch; NULL: made in it. */
static inline const void *undo_before(const undo *u, const entry *e) {
    return undo_has(u, e) ? u->olds[undo_number(u, e)] : entry_state(e);
}

/* The entry counts as not touched: the next touch saves its bytes again, undo_back leaves it. */
static inline void undo_forget(undo *u, entry *e) {
    u->olds[undo_number(u, e)] = NULL;
    e->mark = 0;
}
