#include "runtime/event/disorder.h"

#include <stdlib.h>

#include "runtime/base/mem.h"
#include "runtime/event/saturate.h"

static const int64_t NONE = INT64_MIN;

void disorder_init(disorder *d, bool by_max) { *d = (disorder){ .by_max = by_max }; }

void disorder_done(disorder *d) {
    for (uint32_t p = 0; p < d->partition_count; p++) {
        mem_free(d->partitions[p].records);
        mem_free(d->partitions[p].places);
    }
    mem_free(d->partitions);
    mem_free(d->before);
    mem_free(d->newest);
    *d = (disorder){ 0 };
}

uint32_t disorder_add(disorder *d, uint32_t p, disorder_record r) {
    while (d->partition_count <= p) {
        d->partitions = mem_realloc(d->partitions, (p + 1) * sizeof *d->partitions);
        d->partitions[d->partition_count++] = (disorder_partition){ 0 };
    }
    disorder_partition *of = &d->partitions[p];
    if (of->count == of->room) {
        of->room = of->room ? 2 * of->room : 1024;
        of->records = mem_realloc(of->records, of->room * sizeof *of->records);
    }
    of->records[of->count] = r;
    d->count++;
    return of->count++;
}

/* -- one order */

/* A partition while all are merged. */
typedef struct cursor {
    uint32_t at;        /* next record */
    int64_t arrived_ms; /* of it, never going back; used if all have times */
    int64_t high;       /* event time so far */
} cursor;

static bool has_times(const disorder *d) {
    for (uint32_t p = 0; p < d->partition_count; p++)
        for (uint32_t i = 0; i < d->partitions[p].count; i++)
            if (d->partitions[p].records[i].arrived_ms < 0) return false;
    return true;
}

/* A producer's clock that went back does not turn offsets around. */
static void turn_to(const disorder_partition *of, cursor *c) {
    if (c->at == of->count) return;
    int64_t arrived_ms = of->records[c->at].arrived_ms;
    if (arrived_ms > c->arrived_ms) c->arrived_ms = arrived_ms;
}

/* Whether partition `p` comes before `q`, which comes before it in the list. */
static bool is_before(const disorder *d, const cursor *all, uint32_t p, uint32_t q, bool by_time) {
    if (by_time) return all[p].arrived_ms < all[q].arrived_ms;
    return (uint64_t)(all[p].at + 1) * d->partitions[q].count <
           (uint64_t)(all[q].at + 1) * d->partitions[p].count;
}

static uint32_t next_partition(const disorder *d, const cursor *all, bool by_time) {
    uint32_t next = UINT32_MAX;
    for (uint32_t p = 0; p < d->partition_count; p++) {
        if (all[p].at == d->partitions[p].count) continue;
        if (next == UINT32_MAX || is_before(d, all, p, next, by_time)) next = p;
    }
    return next;
}

/* Partitions without a record say nothing: nobody waits for them. */
static int64_t meet(const disorder *d, const cursor *all, int64_t newest) {
    int64_t low = INT64_MAX;
    if (d->by_max) return newest;
    for (uint32_t p = 0; p < d->partition_count; p++)
        if (d->partitions[p].count && all[p].high < low) low = all[p].high;
    return low == INT64_MAX ? NONE : low;
}

void disorder_arrange(disorder *d) {
    bool by_time = has_times(d);
    int64_t newest = NONE, low = NONE;
    cursor *all = mem_zalloc(d->partition_count + 1u, sizeof *all);
    d->before = mem_alloc((d->count + 1u) * sizeof *d->before);
    d->newest = mem_alloc((d->count + 1u) * sizeof *d->newest);
    for (uint32_t p = 0; p < d->partition_count; p++) {
        disorder_partition *of = &d->partitions[p];
        of->places = mem_realloc(of->places, (of->count + 1u) * sizeof *of->places);
        all[p] = (cursor){ .arrived_ms = NONE, .high = NONE };
        turn_to(of, &all[p]);
    }
    for (uint32_t place = 0; place < d->count; place++) {
        uint32_t p = next_partition(d, all, by_time);
        const disorder_record *r = &d->partitions[p].records[all[p].at];
        d->partitions[p].places[all[p].at] = place;
        d->before[place] = low;
        d->newest[place] = newest;
        if (r->time_ms > newest) newest = r->time_ms;
        if (r->time_ms > all[p].high) {
            bool held = all[p].high <= low;
            all[p].high = r->time_ms;
            if (held || d->by_max) low = meet(d, all, newest);
        }
        all[p].at++;
        turn_to(&d->partitions[p], &all[p]);
    }
    d->before[d->count] = low;
    d->newest[d->count] = newest;
    mem_free(all);
}

uint32_t disorder_place(const disorder *d, uint32_t p, uint32_t number) {
    return d->partitions[p].places[number];
}

/* -- lists */

static int by_size(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

int64_t *disorder_of(const disorder *d, uint32_t p) {
    const disorder_partition *of = &d->partitions[p];
    int64_t *list = mem_alloc((of->count + 1u) * sizeof *list), high = NONE;
    for (uint32_t i = 0; i < of->count; i++) {
        int64_t time_ms = of->records[i].time_ms;
        if (time_ms > high) high = time_ms;
        list[i] = saturate_sub(high, time_ms);
    }
    qsort(list, of->count, sizeof *list, by_size);
    return list;
}

int64_t disorder_quantile(const int64_t *sorted, uint32_t count, double share) {
    if (!count) return 0;
    double at = share * count;
    uint32_t whole = (uint32_t)at;
    if ((double)whole < at) whole++;
    return sorted[whole ? whole - 1 : 0];
}

/* How many of a sorted list are less than `value`. */
static uint32_t count_below(const int64_t *sorted, uint32_t count, int64_t value) {
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (sorted[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* -- what is lost */

/* The least delay for which the row is in time, less one. */
static int64_t need_of(const disorder *d, const disorder_open *row) {
    int64_t before = d->before[row->place];
    if (before == NONE || row->close_ms == INT64_MAX) return NONE;
    return saturate_sub(before, row->close_ms);
}

int64_t *disorder_needs(const disorder *d, const disorder_open *rows, uint32_t count) {
    int64_t *needs = mem_alloc((count + 1u) * sizeof *needs);
    for (uint32_t i = 0; i < count; i++) needs[i] = need_of(d, &rows[i]);
    qsort(needs, count, sizeof *needs, by_size);
    return needs;
}

uint32_t disorder_lost(const int64_t *needs, uint32_t count, int64_t delay_ms) {
    return count - count_below(needs, count, delay_ms);
}

int64_t disorder_delay(const int64_t *needs, uint32_t count, uint32_t most) {
    if (most >= count) return 0;
    int64_t first = needs[count - 1 - most]; /* that may not be lost */
    return first < 0 ? 0 : saturate_add(first, 1);
}

/* -- what is open */

static int by_id(const void *a, const void *b) {
    const disorder_open *x = a, *y = b;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

uint32_t disorder_firsts(disorder_open *items, uint32_t count) {
    uint32_t kept = 0;
    qsort(items, count, sizeof *items, by_id);
    for (uint32_t i = 0; i < count; i++)
        if (!kept || items[kept - 1].id != items[i].id) items[kept++] = items[i];
    return kept;
}

static uint32_t find_peak(const int32_t *changes, uint32_t count) {
    int64_t now = 0, most = 0;
    for (uint32_t i = 0; i < count; i++) {
        now += changes[i];
        if (now > most) most = now;
    }
    return (uint32_t)most;
}

disorder_cost disorder_cost_of(const disorder *d, const disorder_open *items, uint32_t count,
                               int64_t delay_ms) {
    disorder_cost cost = { 0 };
    int32_t *changes = mem_zalloc(d->count + 2u, sizeof *changes);
    int64_t *waits = mem_alloc((count + 1u) * sizeof *waits);
    for (uint32_t i = 0; i < count; i++) {
        if (need_of(d, &items[i]) >= delay_ms) continue; /* all of it is lost */
        changes[items[i].place]++;
        if (items[i].close_ms == INT64_MAX) continue;
        int64_t wanted = saturate_add(items[i].close_ms, delay_ms);
        uint32_t at = count_below(d->before, d->count + 1, wanted);
        if (at > d->count) continue;
        changes[at]--;
        waits[cost.closed++] = saturate_sub(d->newest[at], items[i].end_ms);
    }
    qsort(waits, cost.closed, sizeof *waits, by_size);
    cost.peak = find_peak(changes, d->count + 1);
    cost.waited_ms = disorder_quantile(waits, cost.closed, 0.5);
    cost.waited_most = cost.closed ? waits[cost.closed - 1] : 0;
    mem_free(waits);
    mem_free(changes);
    return cost;
}
