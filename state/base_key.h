#pragma once
/* Keys of the base, so that their bytes sort as what they stand for: a pane lies together, in it
 * the groups of a shard, and in those groups come in the order in which rows leave.
 *
 *   OFFSET  SIZE  WHAT
 *   0       2     number of the table, from 1; big-endian, like all that follows
 *   2       8     start of the pane, its sign flipped
 *   10      4     generation
 *   14      8     shard and hash (shard.h)
 *   22      ..    key
 *
 * Table 0 is what the base says of itself: 0 0 'm': where it stands; 0 0 's' kind name: sections of
 * the object it stands at that are no tables. */
#include <stdint.h>
#include <string.h>

#include "state/rocks.h"

enum {
    BASE_PANE_BYTES = 10,
    BASE_GENERATION_BYTES = 14,
    BASE_KEY_BYTES = 22,
};

static inline void base_key_put(char *at, uint64_t number, int bytes) {
    for (int i = bytes - 1; i >= 0; i--, number >>= 8) at[i] = (char)(number & 0xff);
}

static inline uint64_t base_key_get(const char *at, int bytes) {
    uint64_t number = 0;
    for (int i = 0; i < bytes; i++) number = number << 8 | (uint8_t)at[i];
    return number;
}

/* The first BASE_KEY_BYTES of a key. */
static inline void base_key_begin(char *at, uint32_t number, int64_t start, uint32_t generation,
                                  uint64_t order) {
    base_key_put(at, number, 2);
    base_key_put(at + 2, (uint64_t)start ^ 1ull << 63, 8);
    base_key_put(at + 10, generation, 4);
    base_key_put(at + 14, order, 8);
}

static inline uint32_t base_key_table(rocks_bytes key) {
    return (uint32_t)base_key_get(key.data, 2);
}

static inline int64_t base_key_start(rocks_bytes key) {
    return (int64_t)(base_key_get(key.data + 2, 8) ^ 1ull << 63);
}

static inline uint32_t base_key_generation(rocks_bytes key) {
    return (uint32_t)base_key_get(key.data + 10, 4);
}

static inline uint64_t base_key_order(rocks_bytes key) { return base_key_get(key.data + 14, 8); }
