#pragma once
/* Values of any type in lists of entries of one size: up to 8 bytes in the entry itself, longer
 * ones in a pool behind the entries. thread: worker. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/sketch/memory.h"

typedef struct value {
    uint64_t word; /* len <= 8: the bytes, padded with zeros; longer: their hash */
    uint32_t len;
    uint32_t at; /* longer: offset in the pool */
} value;

static inline value value_of(const char *data, uint32_t len) {
    value v = { .len = len };
    if (len > sizeof v.word)
        v.word = XXH3_64bits(data, len);
    else if (len)
        memcpy(&v.word, data, len);
    return v;
}

static inline const char *value_bytes(const value *v, const char *pool) {
    return v->len > sizeof v->word ? pool + v->at : (const char *)&v->word;
}

/* `data`: the bytes that `v` was made of. */
static inline bool value_is(const value *entry, const char *pool, const value *v,
                            const char *data) {
    if (entry->word != v->word || entry->len != v->len) return false;
    return v->len <= sizeof v->word || memcmp(pool + entry->at, data, v->len) == 0;
}

/* Bytes it takes in the pool. */
static inline uint32_t value_pooled(const value *v) {
    return v->len > sizeof v->word ? v->len : 0;
}

/* Strings and bytes stand in a block behind their length (nested.h). */
static inline bool value_has_length(int32_t type) {
    return type == SL_STRING || type == SL_BYTES;
}

/* Bytes in a block, and writing them; returns the end. */
static inline size_t value_block_len(const value *v, int32_t type) {
    return v->len + (value_has_length(type) ? 4u : 0u);
}

static inline char *value_put(char *at, const value *v, const char *pool, int32_t type) {
    if (value_has_length(type)) {
        memcpy(at, &v->len, 4);
        at += 4;
    }
    memcpy(at, value_bytes(v, pool), v->len);
    return at + v->len;
}

/* Order of two values of one type: numbers by size, others by their bytes. */
int value_compare(const value *a, const char *pool_a, const value *b, const char *pool_b,
                  int32_t type);
