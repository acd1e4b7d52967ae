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

/* The same of the states of groups, most of which have 32 to 64 bytes. */
static inline void copy_state(void *to, const void *from, size_t size) {
    char first[32], last[32];
    if (size - 32 > 32) {
        copy_text(to, from, size);
        return;
    }
    memcpy(first, from, sizeof first);
    memcpy(last, (const char *)from + size - sizeof last, sizeof last);
    memcpy(to, first, sizeof first);
    memcpy((char *)to + size - sizeof last, last, sizeof last);
}
