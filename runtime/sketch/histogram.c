#include "runtime/sketch/memory.h"

LEAF uint32_t sl_histogram_place(const double *bounds, uint32_t count, double x) {
    uint32_t low = 0;
    while (count) {
        uint32_t half = count / 2;
        bool above = bounds[low + half] <= x;
        low = above ? low + half + 1 : low;
        count = above ? count - half - 1 : half;
    }
    return low;
}

LEAF void sl_histogram_give(void *text, const double *counts, uint32_t count, sl_string *into) {
    char *at = arena_take(text, 4 + (size_t)count * 9, 8);
    *into = (sl_string){ .data = at, .len = 4 + count * 9 };
    memcpy(at, &count, 4);
    at += 4;
    for (uint32_t i = 0; i < count; i++) {
        int64_t n = (int64_t)counts[i];
        *at++ = 0; /* not null */
        memcpy(at, &n, 8);
        at += 8;
    }
}
