#pragma once
/* One group of a pane: its key and its state. Made and moved nowhere but in state/; the address is
 * stable as long as the pane lives.
 *
 *   OFFSET         SIZE        WHAT
 *   0              32          struct entry
 *   32             state_size  the state
 *   32+state_size  key_len     the key, zero-padded to a multiple of 8
 *
 * Owned by the pane. thread: worker. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct entry {
    uint64_t hash;       /* of the key, as the caller gave it */
    const void *old;     /* on a dirty list: state_size bytes from before the batch, NULL: made in
                          * it. Borrowed until commit or undo; elsewhere it says nothing */
    uint64_t batch;      /* epoch of the batch that touched it last; UINT64_MAX: removed */
    uint32_t key_len;    /* bytes; 0 is a key like any other */
    uint32_t key_offset; /* bytes from the entry to its key */
} entry;

/* The state: read it at any time, write it only after table_touch in the same batch. */
static inline void *entry_state(const entry *e) {
    return (void *)(uintptr_t)(e + 1);
}

/* The entry whose state this is. */
static inline entry *entry_of(const void *state) {
    return (entry *)(uintptr_t)state - 1;
}

/* The key: key_len bytes, no NUL behind them. */
static inline const char *entry_key(const entry *e) {
    return (const char *)e + e->key_offset;
}

/* Whether the entry has been taken out of its pane: it can be read until commit or undo. */
static inline bool entry_is_removed(const entry *e) {
    return e->batch == UINT64_MAX;
}
