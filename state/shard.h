#pragma once
/* Shards are the low bits of a key's hash: rotated to the top they make one number that sorts by
 * (shard, hash), the order in which groups are stored outside of memory and rows leave. */
#include <stdint.h>

/* `shards`: a power of two. */
static inline uint64_t shard_order(uint64_t hash, uint32_t shards) {
    uint32_t bits = (uint32_t)__builtin_ctz(shards);
    return bits ? hash >> bits | hash << (64 - bits) : hash;
}

/* The hash of an order. */
static inline uint64_t shard_hash(uint64_t order, uint32_t shards) {
    uint32_t bits = (uint32_t)__builtin_ctz(shards);
    return bits ? order << bits | order >> (64 - bits) : order;
}
