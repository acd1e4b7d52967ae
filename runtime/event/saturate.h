#pragma once
/* Sums of times that stop at the ends of int64 in place of wrapping. thread: any. */
#include <stdint.h>

static inline int64_t saturate_add(int64_t a, int64_t b) {
    int64_t sum;
    if (!__builtin_add_overflow(a, b, &sum)) return sum;
    return a < 0 ? INT64_MIN : INT64_MAX;
}

static inline int64_t saturate_sub(int64_t a, int64_t b) {
    int64_t difference;
    if (!__builtin_sub_overflow(a, b, &difference)) return difference;
    return a < 0 ? INT64_MIN : INT64_MAX;
}

/* Bring a wide result back into int64. */
static inline int64_t saturate(__int128 wide) {
    if (wide < INT64_MIN) return INT64_MIN;
    return wide > INT64_MAX ? INT64_MAX : (int64_t)wide;
}
