/* DESIGN. The most frequent values: Space-Saving (Metwally, Agrawal, El Abbadi 2005): so many
 * counters; a value without one takes over that of the smallest count, which is its error then. A
 * count is never below the true one, and above it by at most its error, which is at most n /
 * capacity. Merged as mergeable summaries are (Agarwal et al. 2012; the bound for this form:
 * Cafaro, Pulimeno, Tempesta 2016): counts of one value add up, a value that the other summary
 * does not hold gets its smallest count, if it is full, as count and error; the largest counters
 * stay. The first FEW values are kept as they come and counted later: most keys see no more.
 *
 *   OFFSET     SIZE     WHAT
 *   0          4        entries; 0: values as they came
 *   4          4        room for entries
 *   8          4        bytes of the pool, or of the values
 *   12         4        values as they came; with entries: bytes of the pool that are in use
 *   16         32 * r   entries
 *   16+32*r    ..       pool: bytes of the longer values; or the values, each behind its length, 7
 *                     bits a byte, all but the last one above 127
 */
#include <stdlib.h>

#include "runtime/base/mem.h"
#include "runtime/sketch/value.h"

enum { FEW = 16,
       FIRST_ROOM = 32 };

typedef struct counter {
    value value;
    uint64_t count;
    uint64_t error;
} counter;

typedef struct top {
    uint32_t count;
    uint32_t room;
    uint32_t pool_bytes;
    uint32_t few_or_used;
    counter counters[];
} top;

static char *pool_of(const top *t) {
    return (char *)(uintptr_t)(t->counters + t->room);
}

static uint32_t top_len(uint32_t room, uint32_t pool_bytes) {
    return (uint32_t)(sizeof(top) + room * sizeof(counter)) + pool_bytes;
}

/* Room for one more counter. */
static top *grow_counters(const memory *m, sl_part *part, uint32_t capacity) {
    top *t = (top *)part->data;
    if (t->count < t->room) return t;
    uint32_t room = t->room ? 2 * t->room : FIRST_ROOM;
    if (room > capacity) room = capacity;
    t = (top *)memory_edit(m, part, top_len(room, t->pool_bytes));
    char *from = pool_of(t);
    t->room = room;
    memmove(pool_of(t), from, t->pool_bytes);
    return t;
}

static int compare_places(const void *a, const void *b) {
    const value *x = *(const value *const *)a, *y = *(const value *const *)b;
    return (x->at > y->at) - (x->at < y->at);
}

/* Close the gaps that values left in the pool, once they are half of it. */
static void tidy_pool(top *t) {
    if (t->few_or_used > t->pool_bytes / 2) return;
    value **values = mem_alloc(t->count * sizeof *values);
    uint32_t count = 0, end = 0;
    for (uint32_t i = 0; i < t->count; i++)
        if (value_pooled(&t->counters[i].value)) values[count++] = &t->counters[i].value;
    qsort(values, count, sizeof *values, compare_places);
    for (uint32_t i = 0; i < count; i++) {
        memmove(pool_of(t) + end, pool_of(t) + values[i]->at, values[i]->len);
        values[i]->at = end;
        end += values[i]->len;
    }
    t->pool_bytes = end;
    mem_free(values);
}

/* Put the value into counter `i`, which is writable. */
static top *put_value(const memory *m, sl_part *part, uint32_t i, value v, const char *data) {
    top *t = (top *)part->data;
    uint32_t more = value_pooled(&v);
    t->few_or_used -= value_pooled(&t->counters[i].value);
    t->counters[i].value.len = 0;
    if (more) {
        tidy_pool(t);
        t = (top *)memory_edit(m, part, top_len(t->room, t->pool_bytes + more));
        v.at = t->pool_bytes;
        memcpy(pool_of(t) + v.at, data, more);
        t->pool_bytes += more;
        t->few_or_used += more;
    }
    t->counters[i].value = v;
    return t;
}

static counter *find(const top *t, const value *v, const char *data) {
    const char *pool = pool_of(t);
    for (uint32_t i = 0; i < t->count; i++) {
        const counter *c = &t->counters[i];
        if (value_is(&c->value, pool, v, data)) return (counter *)(uintptr_t)c;
    }
    return NULL;
}

/* The counter to be taken over: of the smallest count, the first. */
static uint32_t smallest(const top *t) {
    uint32_t least = 0;
    for (uint32_t i = 1; i < t->count; i++)
        if (t->counters[i].count < t->counters[least].count) least = i;
    return least;
}

static void count_value(const memory *m, sl_part *part, uint32_t capacity, const char *data,
                        uint32_t len) {
    value v = value_of(data, len);
    top *t = (top *)memory_edit(m, part, part->len);
    counter *c = find(t, &v, data);
    if (c) {
        c->count++;
        return;
    }
    uint64_t error = 0;
    uint32_t i = t->count;
    if (i == capacity) {
        i = smallest(t);
        error = t->counters[i].count;
    } else {
        t = grow_counters(m, part, capacity);
        t->counters[i].value = (value){ 0 };
        t->count++;
    }
    t = put_value(m, part, i, v, data);
    t->counters[i].count = error + 1;
    t->counters[i].error = error;
}

/* The length in front of a value that is not counted yet. */
static const char *get_len(const char *at, uint32_t *len) {
    uint32_t shift = 0;
    *len = 0;
    for (; (uint8_t)*at > 127; at++, shift += 7) *len |= ((uint32_t)*at & 127) << shift;
    *len |= (uint32_t)(uint8_t)*at << shift;
    return at + 1;
}

static char *put_len(char *at, uint32_t len) {
    for (; len > 127; len >>= 7) *at++ = (char)(len | 128);
    *at = (char)len;
    return at + 1;
}

/* From values as they came to counters. */
static void make_counters(const memory *m, sl_part *part, uint32_t capacity) {
    const top *old = (const top *)part->data;
    uint32_t bytes = old->pool_bytes;
    char *values = mem_alloc(bytes);
    memcpy(values, pool_of(old), bytes);
    top *t = (top *)memory_edit(m, part, top_len(0, 0));
    memset(t, 0, sizeof *t);
    uint32_t len;
    for (const char *at = values; at < values + bytes; at += len) {
        at = get_len(at, &len);
        count_value(m, part, capacity, at, len);
    }
    mem_free(values);
}

static bool has_counters(const sl_part *part) {
    return ((const top *)part->data)->count > 0;
}

static void add(const memory *m, sl_part *part, uint32_t capacity, const char *data,
                uint32_t len) {
    const top *old = (const top *)part->data;
    if (old && !old->count && old->few_or_used == FEW) make_counters(m, part, capacity);
    if (old && has_counters(part)) {
        count_value(m, part, capacity, data, len);
        return;
    }
    uint32_t bytes = old ? old->pool_bytes : 0;
    char length[5];
    uint32_t length_len = (uint32_t)(put_len(length, len) - length), more = length_len + len;
    top *t = (top *)memory_edit(m, part, top_len(0, bytes + more));
    if (!old) memset(t, 0, sizeof *t);
    memcpy(pool_of(t) + bytes, length, length_len);
    if (len) memcpy(pool_of(t) + bytes + length_len, data, len);
    t->pool_bytes = bytes + more;
    t->few_or_used++;
}

LEAF void sl_top_add(void *table, sl_part *part, uint32_t capacity, const char *data,
                     uint32_t len) {
    add(&(memory){ .table = table }, part, capacity, data, len);
}

/* How much a value may have counted that the summary does not hold. */
static uint64_t missed(const top *t, uint32_t capacity) {
    return t->count < capacity ? 0 : t->counters[smallest(t)].count;
}

/* One of the counters that a merge chooses from. */
typedef struct candidate {
    counter counter;
    const char *pool;
} candidate;

/* Largest counts first; equal ones by their bytes, so that the order does not matter. */
static int compare_candidates(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    if (x->counter.count != y->counter.count)
        return x->counter.count < y->counter.count ? 1 : -1;
    return value_compare(&x->counter.value, x->pool, &y->counter.value, y->pool, SL_STRING);
}

/* Counters of `t`, with what `other` knows of the same values; `only_new`: but for these. */
static uint32_t add_candidates(candidate *into, const top *t, const top *other, uint64_t missed_by,
                               bool only_new) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        candidate c = { .counter = t->counters[i], .pool = pool_of(t) };
        const counter *same = find(other, &c.counter.value, value_bytes(&c.counter.value, c.pool));
        if (same && only_new) continue;
        c.counter.count += same ? same->count : missed_by;
        c.counter.error += same ? same->error : missed_by;
        into[count++] = c;
    }
    return count;
}

static void merge_counters(arena *text, sl_part *a, const top *y, uint32_t capacity) {
    const memory m = { .arena = text };
    const top *x = (const top *)a->data;
    uint64_t missed_x = missed(x, capacity), missed_y = missed(y, capacity);
    candidate *all = mem_alloc((x->count + y->count) * sizeof *all);
    uint32_t count = add_candidates(all, x, y, missed_y, false);
    count += add_candidates(all + count, y, x, missed_x, true);
    qsort(all, count, sizeof *all, compare_candidates);
    if (count > capacity) count = capacity;
    sl_part merged = { 0 };
    top *t = (top *)memory_edit(&m, &merged, top_len(count, 0));
    memset(t, 0, sizeof *t);
    t->room = count;
    for (uint32_t i = 0; i < count; i++) {
        t->counters[i] = all[i].counter;
        t->counters[i].value = (value){ 0 };
        t->count = i + 1;
        value v = all[i].counter.value;
        t = put_value(&m, &merged, i, v, value_bytes(&all[i].counter.value, all[i].pool));
    }
    mem_free(all);
    *a = merged;
}

LEAF void sl_top_merge(void *text, sl_part *a, const sl_part *b, uint32_t capacity) {
    const memory m = { .arena = text };
    if (memory_borrow(a, b)) return;
    const top *from = (const top *)b->data;
    if (!from->count) {
        const char *values = pool_of(from);
        uint32_t len;
        for (const char *at = values; at < values + from->pool_bytes; at += len) {
            at = get_len(at, &len);
            add(&m, a, capacity, at, len);
        }
        return;
    }
    if (!has_counters(a)) make_counters(&m, a, capacity);
    merge_counters(text, a, from, capacity);
}

/* The largest of `t`, those that stand first, and equal ones in the order of their values. */
static int compare_counters(const void *a, const void *b, void *of) {
    const counter *x = a, *y = b;
    const top *t = ((void **)of)[0];
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    if (x->error != y->error) return x->error > y->error ? 1 : -1;
    int32_t type = *(const int32_t *)((void **)of)[1];
    return value_compare(&x->value, pool_of(t), &y->value, pool_of(t), type);
}

LEAF void sl_top_give(void *text, const sl_part *part, uint32_t count, uint32_t capacity,
                      int32_t type, sl_string *into) {
    const memory m = { .arena = text };
    sl_part copy = *part;
    copy.epoch = 0; /* merged bytes, too, are copied: equal sketches give several results */
    if (!has_counters(&copy)) make_counters(&m, &copy, capacity);
    top *t = (top *)memory_edit(&m, &copy, copy.len);
    qsort_r(t->counters, t->count, sizeof *t->counters, compare_counters, (void *[]){ t, &type });
    if (count > t->count) count = t->count;
    size_t len = 4;
    for (uint32_t i = 0; i < count; i++)
        len += 2 + value_block_len(&t->counters[i].value, type) + 16;
    char *at = arena_take(text, len, 8);
    *into = (sl_string){ .data = at, .len = (uint32_t)len };
    memcpy(at, &count, 4);
    at += 4;
    for (uint32_t i = 0; i < count; i++) {
        const counter *c = &t->counters[i];
        *at++ = 0; /* the struct is not null, */
        *at++ = 0; /* none of its fields is */
        at = value_put(at, &c->value, pool_of(t), type);
        memcpy(at, &c->count, 8);
        memcpy(at + 8, &c->error, 8);
        at += 16;
    }
}
