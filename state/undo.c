#include "state/undo.h"

#include <string.h>

#include "runtime/base/copy.h"

enum {
    CHUNK = 64 << 10,
    KEEP = 64 << 20, /* bytes between batches */
    OLDS_FIRST = 64,
};

/* A batch touches no more than what is left then. */
#define WORN_AT (3u << 30)

void undo_init(undo *u, slab_pool *pool, uint32_t state_size) {
    *u = (undo){ .pool = pool, .state_size = state_size };
    undo_renew(u);
    arena_init(&u->bytes, CHUNK);
}

void undo_done(undo *u) {
    arena_done(&u->bytes);
}

bool undo_is_worn(const undo *u) {
    return u->first >= WORN_AT;
}

void undo_renew(undo *u) {
    u->first = 1;
}

static size_t olds_len(const undo *u) {
    return u->room * sizeof *u->olds;
}

void undo_grow(undo *u) {
    u->olds = slab_grow(u->pool, u->olds, olds_len(u), OLDS_FIRST * sizeof *u->olds);
    u->room = u->room ? 2 * u->room : OLDS_FIRST;
}

void *undo_save(undo *u, const entry *e) {
    char *owner = arena_take(&u->bytes, sizeof e + u->state_size, 8);
    memcpy(owner, &e, sizeof e);
    copy_state(owner + sizeof e, entry_state(e), u->state_size);
    return owner + sizeof e;
}

static entry *owner_of(const void *old) {
    entry *e;
    memcpy(&e, (const char *)old - sizeof e, sizeof e);
    return e;
}

void undo_back(const undo *u) {
    for (uint32_t i = 0; i < u->count; i++)
        if (u->olds[i]) memcpy(entry_state(owner_of(u->olds[i])), u->olds[i], u->state_size);
}

void undo_end(undo *u) {
    slab_put(u->pool, u->olds, olds_len(u));
    u->olds = NULL;
    u->first += u->count;
    u->count = u->room = 0;
    arena_reset(&u->bytes, KEEP);
}

size_t undo_held_bytes(const undo *u) {
    return arena_held(&u->bytes);
}
