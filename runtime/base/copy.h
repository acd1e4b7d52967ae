#pragma once
/* Copies of short texts, most of which have 8 to 32 bytes: a call of memcpy costs as much as ten of
 * them. thread: any. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Copy `len` bytes, which do not overlap with `to`; `from` may be NULL for 0. */
static inline void copy_text(char *to, const char *from, size_t len) {
    if (len - 8 <= 8) {
        uint64_t first, last;
        memcpy(&first, from, sizeof first);
        memcpy(&last, from + len - 8, sizeof last);
        memcpy(to, &first, sizeof first);
        memcpy(to + len - 8, &last, sizeof last);
    } else if (len - 16 <= 16) {
        char first[16], last[16];
        memcpy(first, from, sizeof first);
        memcpy(last, from + len - 16, sizeof last);
        memcpy(to, first, sizeof first);
        memcpy(to + len - 16, last, sizeof last);
    } else if (len) {
        memcpy(to, from, len);
    }
}
