#pragma once
/* Which orders (shard.h) a segment may have: about one in a hundred that it has not passes. Each
 * cache line of bits stands for an equal range of orders, so that who goes through it in order, as
 * the writer and sorted look-ups do, goes through memory in order (Putze, Sanders, Singler 2007,
 * "Cache-, Hash- and Space-Efficient Bloom Filters"). Orders are hashes: they are spread. */
#include <stdbool.h>
#include <stdint.h>

enum {
    FILTER_KEY_BITS = 11, /* of memory for each */
    FILTER_PROBES = 6,
    FILTER_WORDS = 8, /* of a line: 512 bits */
    FILTER_LINE_BYTES = 64,
    FILTER_FOLDS = 8, /* lines are a multiple of this, where there are as many */
};

/* Lines for up to `count` orders. */
static inline uint64_t filter_lines(uint64_t count) {
    uint64_t lines = (count * FILTER_KEY_BITS + 511) / 512;
    return lines < FILTER_FOLDS ? lines : (lines + FILTER_FOLDS - 1) / FILTER_FOLDS * FILTER_FOLDS;
}

static inline uint64_t filter_line(uint64_t lines, uint64_t order) {
    return (uint64_t)((unsigned __int128)order * lines >> 64);
}

/* Probe `i` is bits [10 + 9 i, 19 + 9 i) of the product. */
static inline uint64_t filter_spread(uint64_t order) { return order * 0x9e3779b97f4a7c15u; }

static inline void filter_add(uint64_t *words, uint64_t lines, uint64_t order) {
    uint64_t *line = words + filter_line(lines, order) * FILTER_WORDS;
    uint64_t spread = filter_spread(order) >> 10;
    for (int i = 0; i < FILTER_PROBES; i++, spread >>= 9)
        line[spread >> 6 & 7] |= (uint64_t)1 << (spread & 63);
}

static inline bool filter_may_have(const uint64_t *words, uint64_t lines, uint64_t order) {
    const uint64_t *line = words + filter_line(lines, order) * FILTER_WORDS;
    uint64_t spread = filter_spread(order) >> 10, all = 1;
    for (int i = 0; i < FILTER_PROBES; i++, spread >>= 9)
        all &= line[spread >> 6 & 7] >> (spread & 63);
    return all & 1;
}

/* Make it smaller if it was made for many more than the `count` that came; the lines it has now. */
static inline uint64_t filter_fold(uint64_t *words, uint64_t lines, uint64_t count) {
    while (lines % 2 == 0 && lines / 2 >= filter_lines(count)) {
        lines /= 2;
        for (uint64_t i = 0; i < lines * FILTER_WORDS; i++) {
            uint64_t line = i / FILTER_WORDS, word = i % FILTER_WORDS;
            words[i] = words[2 * line * FILTER_WORDS + word] |
                       words[(2 * line + 1) * FILTER_WORDS + word];
        }
    }
    return lines;
}
