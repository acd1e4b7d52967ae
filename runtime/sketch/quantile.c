/* DESIGN. Quantiles: the values themselves while they are few, then DDSketch (Masson, Rim, Lee
 * 2019, VLDB 12(12)): a value x counts in bucket ceil(log(|x|) / log(GAMMA)) of its sign, whose
 * middle is within ACCURACY of all that it holds. 16 neighbouring buckets are a chunk; of the
 * chunks that have counted something, the MOST_CHUNKS with the largest magnitudes are kept
 * (positive before negative), what lay in others counts as small and comes out as 0, held to [min,
 * max]. So the bound holds for all values down to a factor of 130,000 below the largest (signs
 * mixed: the room is shared), further if there are gaps. Which chunks are kept follows from the
 * set of those ever needed, so the sketch does not depend on the order of values or of merges.
 *
 *   OFFSET  SIZE       WHAT
 *   0       1          width: 0 values, else bytes of a count: 1, 2, 4, 8
 *   2       2          count of values, or of chunks
 *   values:
 *   8       8 * n      as they came
 *   chunks:
 *   8       8          values that count as small, zeros too
 *   16      16         min, max
 *   32      80         ids of the chunks, ascending: 2 * (bucket / 16 + CHUNK_ZERO) + (x > 0)
 *   112     16*w*n     their counts
 *
 * 2,480 bytes at most, while no bucket holds 2^32 values. */
#include <math.h>
#include <stdlib.h>

#include "runtime/sketch/memory.h"

enum {
    FEW = 16,
    CHUNK = 16,
    MOST_CHUNKS = 37,
    CHUNK_ZERO = 2400, /* every double lies in chunks -2400 .. 2400 */
    LAST_BUCKET = 35490,
};

#define ACCURACY 0.01
#define GAMMA ((1 + ACCURACY) / (1 - ACCURACY))
#define LOG_GAMMA 0.020000666706669524 /* log(GAMMA) */

typedef struct sketch {
    uint8_t width;
    uint8_t unused;
    uint16_t count;
    uint32_t unused_too;
    union {
        double values[FEW];
        struct {
            uint64_t small;
            double min, max;
            uint16_t ids[40];
            uint8_t counts[]; /* aligned to `width` */
        };
    };
} sketch;

enum { VALUES_AT = offsetof(sketch, values),
       COUNTS_AT = offsetof(sketch, counts) };

static uint32_t chunks_len(uint32_t count, uint32_t width) {
    return COUNTS_AT + count * CHUNK * width;
}

static uint64_t get_count(const sketch *s, uint32_t at) {
    switch (s->width) {
    case 1: return s->counts[at];
    case 2: return ((const uint16_t *)s->counts)[at];
    case 4: return ((const uint32_t *)s->counts)[at];
    default: return ((const uint64_t *)s->counts)[at];
    }
}

static void put_count(sketch *s, uint32_t at, uint64_t count) {
    switch (s->width) {
    case 1: s->counts[at] = (uint8_t)count; break;
    case 2: ((uint16_t *)s->counts)[at] = (uint16_t)count; break;
    case 4: ((uint32_t *)s->counts)[at] = (uint32_t)count; break;
    default: ((uint64_t *)s->counts)[at] = count; break;
    }
}

/* Add to one count; wider counts when it does not fit. */
static void raise_count(const memory *m, sl_part *part, uint32_t at, uint64_t by) {
    sketch *s = (sketch *)memory_edit(m, part, part->len);
    uint64_t sum = get_count(s, at) + by;
    while (s->width < 8 && sum >> (8 * s->width)) {
        s = (sketch *)memory_edit(m, part, chunks_len(s->count, 2u * s->width));
        uint8_t narrow = s->width, wide = (uint8_t)(2 * narrow);
        for (uint32_t i = s->count * CHUNK; i-- > 0;) {
            s->width = narrow;
            uint64_t count = get_count(s, i);
            s->width = wide;
            put_count(s, i, count);
        }
        s->width = wide;
    }
    put_count(s, at, sum);
}

/* Index of the first chunk whose id is not below `id`. */
static uint32_t position(const sketch *s, uint32_t id) {
    uint32_t low = 0, count = s->count;
    while (count) {
        uint32_t half = count / 2;
        bool above = s->ids[low + half] < id;
        low = above ? low + half + 1 : low;
        count = above ? count - half - 1 : half;
    }
    return low;
}

/* Give the counts of the smallest chunk up. */
static void drop_chunk(sketch *s) {
    for (uint32_t i = 0; i < CHUNK; i++) s->small += get_count(s, i);
    s->count--;
    memmove(s->ids, s->ids + 1, s->count * sizeof *s->ids);
    memmove(s->counts, s->counts + CHUNK * s->width, (size_t)s->count * CHUNK * s->width);
}

static void insert_chunk(const memory *m, sl_part *part, uint32_t at, uint32_t id) {
    const sketch *old = (const sketch *)part->data;
    sketch *s = (sketch *)memory_edit(m, part, chunks_len(old->count + 1u, old->width));
    size_t size = (size_t)CHUNK * s->width;
    memmove(&s->ids[at + 1], &s->ids[at], (s->count - at) * sizeof *s->ids);
    memmove(s->counts + (at + 1) * size, s->counts + at * size, (s->count - at) * size);
    memset(s->counts + at * size, 0, size);
    s->ids[at] = (uint16_t)id;
    s->count++;
}

/* Count `by` values of chunk `id`, the bucket `in` it. */
static void count_in(const memory *m, sl_part *part, uint32_t id, uint32_t in, uint64_t by) {
    const sketch *s = (const sketch *)part->data;
    uint32_t at = position(s, id);
    if (at == s->count || s->ids[at] != id) {
        bool is_full = s->count == MOST_CHUNKS;
        if (is_full) {
            sketch *full = (sketch *)memory_edit(m, part, part->len);
            if (at == 0) {
                full->small += by;
                return;
            }
            drop_chunk(full);
            at--;
            part->len = chunks_len(full->count, full->width);
        }
        insert_chunk(m, part, at, id);
    }
    raise_count(m, part, at * CHUNK + in, by);
}

/* The bucket of |x|. */
static int32_t bucket_of(double x) {
    double bucket = ceil(log(fabs(x)) / LOG_GAMMA);
    return bucket < LAST_BUCKET ? (int32_t)bucket : LAST_BUCKET;
}

static void count_value(const memory *m, sl_part *part, double x) {
    sketch *s = (sketch *)memory_edit(m, part, part->len);
    if (x < s->min) s->min = x;
    if (x > s->max) s->max = x;
    if (x == 0) {
        s->small++;
        return;
    }
    int32_t bucket = bucket_of(x) + CHUNK * CHUNK_ZERO;
    uint32_t id = 2 * ((uint32_t)bucket / CHUNK) + (x > 0);
    count_in(m, part, id, (uint32_t)bucket % CHUNK, 1);
}

/* From values to chunks. */
static void make_chunks(const memory *m, sl_part *part) {
    double values[FEW];
    uint32_t count = ((const sketch *)part->data)->count;
    memcpy(values, ((const sketch *)part->data)->values, count * sizeof *values);
    sketch *s = (sketch *)memory_edit(m, part, COUNTS_AT);
    memset(s, 0, COUNTS_AT);
    s->width = 1;
    s->min = INFINITY;
    s->max = -INFINITY;
    for (uint32_t i = 0; i < count; i++) count_value(m, part, values[i]);
}

static void add_value(const memory *m, sl_part *part, double x) {
    const sketch *old = (const sketch *)part->data;
    if (old && (old->width || old->count == FEW)) {
        if (!old->width) make_chunks(m, part);
        count_value(m, part, x);
        return;
    }
    uint32_t count = old ? old->count : 0;
    sketch *s = (sketch *)memory_edit(m, part, VALUES_AT + (count + 1) * 8);
    if (!count) memset(s, 0, VALUES_AT);
    s->values[count] = x;
    s->count = (uint16_t)(count + 1);
}

LEAF void sl_quantile_add(void *table, sl_part *part, double x) {
    if (x == x) add_value(&(memory){ .table = table }, part, x);
}

LEAF void sl_quantile_merge(void *text, sl_part *a, const sl_part *b) {
    const memory m = { .arena = text };
    if (memory_borrow(a, b)) return;
    const sketch *from = (const sketch *)b->data;
    if (!from->width) {
        for (uint32_t i = 0; i < from->count; i++) add_value(&m, a, from->values[i]);
        return;
    }
    if (!((const sketch *)a->data)->width) make_chunks(&m, a);
    sketch *s = (sketch *)memory_edit(&m, a, a->len);
    s->small += from->small;
    if (from->min < s->min) s->min = from->min;
    if (from->max > s->max) s->max = from->max;
    for (uint32_t i = 0; i < (uint32_t)from->count * CHUNK; i++) {
        uint64_t count = get_count(from, i);
        if (count) count_in(&m, a, from->ids[i / CHUNK], i % CHUNK, count);
    }
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double of_values(const sketch *s, double q) {
    double values[FEW];
    memcpy(values, s->values, s->count * sizeof *values);
    qsort(values, s->count, sizeof *values, compare);
    return values[(uint32_t)(q * (s->count - 1))];
}

/* The middle of a bucket: as far, relatively, from both ends. */
static double value_of(const sketch *s, uint32_t at) {
    uint32_t id = s->ids[at / CHUNK];
    int32_t bucket = (int32_t)(id / 2 * CHUNK + at % CHUNK) - CHUNK * CHUNK_ZERO;
    double x = exp(bucket * LOG_GAMMA) * (2 / (GAMMA + 1));
    return id & 1 ? x : -x;
}

/* The first value whose rank is `rank` or more, from the smallest on: negative ones from the
 * largest magnitude down, small ones, positive ones. */
static double of_rank(const sketch *s, uint64_t rank) {
    uint64_t seen = 0;
    for (uint32_t at = s->count * CHUNK; at-- > 0;) {
        if (s->ids[at / CHUNK] & 1) continue;
        seen += get_count(s, at);
        if (seen > rank) return value_of(s, at);
    }
    seen += s->small;
    if (seen > rank) return 0;
    for (uint32_t at = 0; at < s->count * CHUNK; at++) {
        if (!(s->ids[at / CHUNK] & 1)) continue;
        seen += get_count(s, at);
        if (seen > rank) return value_of(s, at);
    }
    return s->max;
}

LEAF double sl_quantile_value(const sl_part *part, double q) {
    const sketch *s = (const sketch *)part->data;
    if (!s->width) return of_values(s, q);
    uint64_t count = s->small;
    for (uint32_t at = 0; at < s->count * CHUNK; at++) count += get_count(s, at);
    uint64_t rank = (uint64_t)(q * (double)(count - 1));
    if (rank == 0) return s->min;
    if (rank >= count - 1) return s->max;
    double x = of_rank(s, rank);
    return x < s->min ? s->min : x > s->max ? s->max
                                            : x;
}
