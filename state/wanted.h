#pragma once
/* A group that is looked for in panes that lie outside of memory. Lists of them are sorted by
 * order, key, and have each once. */
#include <stdint.h>

typedef struct wanted {
    uint64_t order;  /* shard.h */
    const char *key; /* borrowed */
    uint32_t key_len;
    uint32_t from; /* the caller's */
} wanted;
