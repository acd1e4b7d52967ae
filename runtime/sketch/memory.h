#pragma once
/* Where a part's bytes may be written: in the table (fold) or in the arena of an emission (merge).
 * A part whose bytes lie in an arena says so by its epoch, which no step has. thread: worker. */
#include <stdbool.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/shared/sketch.h"

#define EPOCH_ARENA UINT64_MAX

/* What may be called from Lua: found by name in the binary. */
#define LEAF __attribute__((visibility("default"), used))

typedef struct memory {
    void *table;  /* of the state; NULL: in the arena. Borrowed */
    arena *arena; /* borrowed */
} memory;

/* Make the part `len` bytes long and writable, keeping what it held; returns its bytes. */
static inline char *memory_edit(const memory *m, sl_part *part, uint32_t len) {
    if (m->table) return sl_part_edit(m->table, part, len);
    if (part->epoch == EPOCH_ARENA && len <= part->room) {
        part->len = len;
        return part->data;
    }
    uint32_t room = part->epoch == EPOCH_ARENA ? len + len / 2 : len;
    char *data = arena_take(m->arena, room, 8);
    uint32_t kept = part->len < len ? part->len : len;
    if (kept) memcpy(data, part->data, kept);
    *part = (sl_part){ .data = data, .len = len, .room = room, .epoch = EPOCH_ARENA };
    return data;
}

/* Merging into a state that has seen nothing: borrow what the other one holds. */
static inline bool memory_borrow(sl_part *a, const sl_part *b) {
    if (!b->data) return true;
    if (a->data) return false;
    *a = *b;
    a->epoch = 0; /* also of what lies in an arena: it may be another merge's */
    return true;
}
