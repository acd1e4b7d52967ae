#pragma once
/* The two ends of a text as words: of up to TEXT_ENDS bytes they are all of it, so that such texts
 * are compared and placed in a table without a loop. Texts that a pipeline groups by or checks
 * mostly are that short. thread: any. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { TEXT_ENDS = 16 };

typedef struct text_ends {
    uint64_t first, last;
} text_ends;

/* The ends of `len` bytes; longer texts: the first 8 and the last 8. */
static inline text_ends text_ends_of(const char *text, size_t len) {
    text_ends ends = { 0 };
    if (len >= 8) {
        memcpy(&ends.first, text, 8);
        memcpy(&ends.last, text + len - 8, 8);
    } else if (len >= 4) {
        memcpy(&ends.first, text, 4);
        memcpy(&ends.last, text + len - 4, 4);
    } else if (len) {
        memcpy(&ends.first, text, 1);
        memcpy((char *)&ends.first + 1, text + len / 2, 1);
        memcpy(&ends.last, text + len - 1, 1);
    }
    return ends;
}

static inline bool text_ends_same(const text_ends *a, const text_ends *b) {
    return !((a->first ^ b->first) | (a->last ^ b->last));
}

/* Some 32 bits that all of it has a part in; the upper ones are the better. */
static inline uint32_t text_ends_mix(const text_ends *ends) {
    uint64_t both = ends->first ^ (ends->last << 29 | ends->last >> 35);
    return (uint32_t)(both * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}
