#pragma once
/* Sorting items whose first member is their order (shard.h): a hash, so few digits from the top
 * leave a list nearly sorted, and insertion does the rest. What is alike stays as it came. Inline,
 * since the size of an item and the comparison are the caller's. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    SORT_DIGIT_BITS = 11,
    SORT_DIGITS = 1 << SORT_DIGIT_BITS,
    SORT_SPREAD_BITS = 2, /* beyond those that count them: few share all digits, and insertion has
                           * them near. 6 made a third pass of 65,536 items: some 10 ns each */
    SORT_SMALL = 48,
    SORT_MOST_BYTES = 64, /* an item */
};

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* < 0, 0, > 0; by order first. */
typedef int order_compare(const void *x, const void *y);

static inline uint64_t order_of(const void *item) {
    uint64_t order;
    memcpy(&order, item, sizeof order);
    return order;
}

ALWAYS_INLINE void order_insert(char *items, uint32_t count, size_t size, order_compare *compare) {
    char item[SORT_MOST_BYTES];
    for (uint32_t i = 1; i < count; i++) {
        char *at = items + i * size;
        if (order_of(at - size) < order_of(at) || compare(at - size, at) <= 0) continue;
        memcpy(item, at, size);
        for (; at > items && compare(item, at - size) < 0; at -= size) memcpy(at, at - size, size);
        memcpy(at, item, size);
    }
}

ALWAYS_INLINE void order_digit(const char *from, char *to, uint32_t count, size_t size,
                               uint32_t shift) {
    uint32_t starts[SORT_DIGITS] = { 0 }, sum = 0;
    for (uint32_t i = 0; i < count; i++)
        starts[order_of(from + i * size) >> shift & (SORT_DIGITS - 1)]++;
    for (uint32_t d = 0; d < SORT_DIGITS; d++) {
        uint32_t here = starts[d];
        starts[d] = sum;
        sum += here;
    }
    for (uint32_t i = 0; i < count; i++) {
        const char *item = from + i * size;
        memcpy(to + starts[order_of(item) >> shift & (SORT_DIGITS - 1)]++ * size, item, size);
    }
}

/* Sort `count` items of `size` bytes with as much room in `spare`; true: they are there now.
 * `known_bits`: top bits that all have in common. */
ALWAYS_INLINE bool order_sort(void *items, void *spare, uint32_t count, size_t size,
                              uint32_t known_bits, order_compare *compare) {
    char *at = items, *other = spare;
    if (count > SORT_SMALL) {
        uint32_t bits = 32 - (uint32_t)__builtin_clz(count) + SORT_SPREAD_BITS;
        uint32_t top = 64 - known_bits, passes = (bits + SORT_DIGIT_BITS - 1) / SORT_DIGIT_BITS;
        if (passes * SORT_DIGIT_BITS > top) passes = top / SORT_DIGIT_BITS;
        for (uint32_t pass = passes; pass > 0; pass--) {
            order_digit(at, other, count, size, top - pass * SORT_DIGIT_BITS);
            char *was = at;
            at = other;
            other = was;
        }
    }
    order_insert(at, count, size, compare);
    return at == spare;
}
