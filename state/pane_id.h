#pragma once
/* Which pane something is of, and lists sorted by that: of changes (gather.h), of segments
 * (base_meta.h). */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pane_id {
    uint32_t number, generation; /* of its table in the base, from 1; of several of one start */
    int64_t start;               /* Unix ms */
} pane_id;

static inline int pane_id_compare(const pane_id *a, const pane_id *b) {
    if (a->number != b->number) return a->number < b->number ? -1 : 1;
    if (a->start != b->start) return a->start < b->start ? -1 : 1;
    return (a->generation > b->generation) - (a->generation < b->generation);
}

/* The first of `count` items of `size` bytes that is not before `id`; the first member of each is
 * its pane_id. */
static inline uint32_t pane_id_place(const void *items, uint32_t count, size_t size,
                                     const pane_id *id) {
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (pane_id_compare((const void *)((const char *)items + middle * size), id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
