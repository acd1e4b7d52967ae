#pragma once
/* What the tests of sketches share: a table that moves every part at each edit (so that whoever
 * keeps a pointer is caught), seeded numbers, and merges of random splits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "runtime/base/arena.h"
#include "runtime/base/mem.h"
#include "runtime/shared/sketch.h"

/* Never looked into: only that it is not NULL counts. */
static int table_there;
#define TABLE ((void *)&table_there)

char *sl_part_edit(void *table, sl_part *part, uint32_t len);

char *sl_part_edit(void *table, sl_part *part, uint32_t len) {
    assert_ptr_equal(table, TABLE);
    uint32_t room = len + len / 4;
    char *data = mem_alloc(room + 1);
    memset(data, 0xa5, room + 1);
    uint32_t kept = part->len < len ? part->len : len;
    if (kept) memcpy(data, part->data, kept);
    mem_free(part->data);
    *part = (sl_part){ .data = data, .len = len, .room = room, .epoch = 1 };
    return data;
}

char *sl_part_append(void *table, sl_part *part, uint32_t len);

char *sl_part_append(void *table, sl_part *part, uint32_t len) {
    uint32_t before = part->len;
    return sl_part_edit(table, part, before + len) + before;
}

static uint64_t random_next(uint64_t *seed) {
    uint64_t z = *seed += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* In (0, 1]. */
static double random_double(uint64_t *seed) {
    return (double)((random_next(seed) >> 11) + 1) * 0x1p-53;
}

static inline double random_normal(uint64_t *seed) {
    double u = random_double(seed), v = random_double(seed);
    return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

/* A rank from 1 to `most`, as often as 1 / rank^1.1 says. */
static inline uint32_t random_zipf(uint64_t *seed, uint32_t most) {
    for (;;) {
        double x = pow(random_double(seed), -1 / 0.1);
        if (x >= most) continue;
        return (uint32_t)x;
    }
}

static inline int compare_numbers(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
