#pragma once
/* What aggregates keep in a part of a state (vector.h): sketches, sets, lists. Leaf functions of
 * runtime/sketch, called by the drivers of fold and emission.
 *
 * A value is its bytes: numbers, dates and decimals as rows hold them, doubles after sl_canonical;
 * strings and bytes without a length; lists, maps and structs as their block (nested.h). Values are
 * equal if their bytes are.
 *   add    into a part of a state in `table`, after all user code of the row
 *   merge  `b` into `a`, which lies in a copy of a state; memory comes from `text`, the arena of
 *          the vector; nothing of the table is changed
 *   give   a result as the block of a list (nested.h), in memory of `text`
 * A part without data is one that has seen nothing. `type` is an sl_type. */
#include "runtime/shared/nested.h"
#include "runtime/shared/vector.h"

/* -0 becomes 0, any NaN the one that nested.h names. */
void sl_canonical(double *x);

/* A sum of decimals (wide.c) in two's complement. `sum`: 1: it has more than 38 digits. `mean`:
 * with `more_digits` behind the point, rounded half away from zero; `count` > 0. */
typedef struct sl_wide {
    uint64_t low, middle; /* words of a 192-bit integer in two's complement */
    int64_t high;         /* has the sign */
} sl_wide;

void sl_wide_add(sl_wide *sum, const sl_decimal *x);
void sl_wide_merge(sl_wide *a, const sl_wide *b);
int32_t sl_wide_sum(const sl_wide *sum, sl_decimal *into);
void sl_wide_mean(const sl_wide *sum, double count, uint32_t more_digits, sl_decimal *into);

/* HyperLogLog (hll.c): exact up to 190 values, then within 2.3 % (standard error). */
void sl_hll_add(void *table, sl_part *part, const char *data, uint32_t len);
void sl_hll_merge(void *text, sl_part *a, const sl_part *b);
double sl_hll_count(const sl_part *part);

/* Exact sets (set.c). One that holds `limit` values takes no other: `refuses` and merge give 1. */
int32_t sl_set_refuses(const sl_part *part, uint32_t limit, const char *data, uint32_t len);
void sl_set_add(void *table, sl_part *part, const char *data, uint32_t len);
int32_t sl_set_merge(void *text, sl_part *a, const sl_part *b, uint32_t limit);
uint32_t sl_set_count(const sl_part *part);

/* DDSketch (quantile.c): NaN is passed over. `value`: of rank floor(q * (n - 1)), exact while n is
 * at most 16, then within 1 % but for values far smaller than the largest; 0 <= q <= 1, n > 0. */
void sl_quantile_add(void *table, sl_part *part, double x);
void sl_quantile_merge(void *text, sl_part *a, const sl_part *b);
double sl_quantile_value(const sl_part *part, double q);

/* Space-saving (top.c) with `capacity` counters. */
void sl_top_add(void *table, sl_part *part, uint32_t capacity, const char *data, uint32_t len);
void sl_top_merge(void *text, sl_part *a, const sl_part *b, uint32_t capacity);
void sl_top_give(void *text, const sl_part *part, uint32_t count, uint32_t capacity, int32_t type,
                 sl_string *into);

/* The first `limit` values by (time, place, offset) (collect.c). */
void sl_collect_add(void *table, sl_part *part, uint32_t limit, int64_t time, double place,
                    int64_t offset, const char *data, uint32_t len);
void sl_collect_merge(void *text, sl_part *a, const sl_part *b, uint32_t limit);
void sl_collect_give(void *text, const sl_part *part, int32_t type, sl_string *into);

/* Histograms (histogram.c): the place of `x` among ascending bounds, 0 below the first, `count`
 * from the last on. */
uint32_t sl_histogram_place(const double *bounds, uint32_t count, double x);
void sl_histogram_give(void *text, const double *counts, uint32_t count, sl_string *into);

/* Rows for later (rows.c), of which `columns` are kept. `open`: in the order of (time, place,
 * offset), each unpacked into `row_size` bytes laid out as `columns` say there; text is borrowed
 * from the part. Gives an array of `row_count` rows; in front of each lies its place, a double. */
void sl_rows_append(void *table, sl_part *part, const void *row, double place,
                    const sl_column *columns, uint32_t count);
void sl_rows_merge(void *text, sl_part *a, const sl_part *b);
void **sl_rows_open(void *text, const sl_part *part, const sl_column *columns, uint32_t count,
                    uint32_t row_size, uint32_t null_words, uint32_t *row_count);
