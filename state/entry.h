#pragma once
/* One group of a pane: its key and its state. Made and moved nowhere but in state/; the address is
 * stable as long as the pane lives.
 *
 *   OFFSET         SIZE        WHAT
 *   0              16          struct entry
 *   16             state_size  the state
 *   16+state_size  0 or 8      length of the key, if it is too long for `short_len`
 *   8 * key_word   key length  the key, zero-padded to a multiple of 8
 *
 * Owned by the pane. thread: worker. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct entry {
    uint64_t hash;      /* of the key, as the caller gave it */
    uint32_t mark;      /* number of its last first touch (table.c); ENTRY_REMOVED: taken out */
    uint16_t short_len; /* of the key, bytes; ENTRY_LONG_KEY: see above. See entry_key_len */
    uint16_t key_word;  /* words of 8 bytes from the entry to its key */
} entry;

enum {
    ENTRY_LONG_KEY = UINT16_MAX,
    ENTRY_STATE_BYTES = (UINT16_MAX - 3) * 8, /* no state is longer */
};

#define ENTRY_REMOVED UINT32_MAX

/* The state: read it at any time, write it only after table_touch in the same batch. */
static inline void *entry_state(const entry *e) {
    return (void *)(uintptr_t)(e + 1);
}

/* The entry whose state this is. */
static inline entry *entry_of(const void *state) {
    return (entry *)(uintptr_t)state - 1;
}

/* The key: entry_key_len bytes, no NUL behind them; none is a key like any other. */
static inline const char *entry_key(const entry *e) {
    return (const char *)e + (size_t)e->key_word * 8;
}

static inline uint32_t entry_key_len(const entry *e) {
    uint32_t len = e->short_len;
    if (__builtin_expect(len == ENTRY_LONG_KEY, 0))
        memcpy(&len, entry_key(e) - sizeof(uint64_t), sizeof len);
    return len;
}

/* Whether the entry has been taken out of its pane: it can be read until commit or undo. */
static inline bool entry_is_removed(const entry *e) {
    return e->mark == ENTRY_REMOVED;
}
