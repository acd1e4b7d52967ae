/* ns a row of table_touch_many, in vectors of 2048 rows: `bench_table [MILLION ROWS]`.
 * Every line is the best and the median of several batches. Not part of the test run. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/base/mem.h"
#include "state/spill.h"
#include "state/table.h"

enum { VECTOR = 2048,
       BATCHES = 15 };

typedef struct sample {
    double count, sum, max;
} sample;

typedef struct rows {
    uint32_t count;
    uint64_t *hashes;
    const char **keys;
    uint32_t *key_lens;
    pane **panes;
    void **states;
    char *bytes; /* 16 a row */
} rows;

static uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void rows_init(rows *r, uint32_t count) {
    r->count = count;
    r->hashes = mem_alloc(count * sizeof *r->hashes);
    r->keys = mem_alloc(count * sizeof *r->keys);
    r->key_lens = mem_alloc(count * sizeof *r->key_lens);
    r->panes = mem_alloc(count * sizeof *r->panes);
    r->states = mem_alloc(count * sizeof *r->states);
    r->bytes = mem_alloc((size_t)count * 16);
}

static void rows_done(rows *r) {
    mem_free(r->hashes);
    mem_free(r->keys);
    mem_free(r->key_lens);
    mem_free(r->panes);
    mem_free(r->states);
    mem_free(r->bytes);
}

/* Rows with random keys "user_N" out of `key_count`; 0: each row its own key. */
static void rows_fill(rows *r, uint32_t key_count, uint64_t seed) {
    for (uint32_t i = 0; i < r->count; i++) {
        uint64_t number = key_count ? mix(seed + i) % key_count : i;
        char *key = r->bytes + (size_t)i * 16;
        r->key_lens[i] = (uint32_t)snprintf(key, 16, "user_%u", (unsigned)number);
        r->keys[i] = key;
        r->hashes[i] = mix(number);
    }
}

/* Touch all rows of a batch; with `fold` also add to the states. Gives ns a row. */
static double run(table *t, rows *r, pane *p, int fold) {
    for (uint32_t i = 0; i < r->count; i++) r->panes[i] = p;
    double begin = now_ns();
    for (uint32_t at = 0; at < r->count; at += VECTOR) {
        uint32_t count = r->count - at < VECTOR ? r->count - at : VECTOR;
        table_touch_many(t, count, r->panes + at, r->hashes + at, r->keys + at, r->key_lens + at,
                         r->states + at);
        for (uint32_t i = at; fold && i < at + count; i++) {
            sample *s = r->states[i];
            s->count++;
            s->sum += i;
            if (s->max < i) s->max = i;
        }
    }
    return (now_ns() - begin) / r->count;
}

static int by_size(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static void print(const char *what, double *ns, double *commit_ns) {
    qsort(ns, BATCHES, sizeof *ns, by_size);
    qsort(commit_ns, BATCHES, sizeof *commit_ns, by_size);
    printf("%-44s %6.1f / %6.1f ns a row, commit %6.2f\n", what, ns[0], ns[BATCHES / 2],
           commit_ns[BATCHES / 2]);
}

static table *bench_table_new(void) {
    static const sample init = { .max = -1 };
    const table_config config = { .state_size = sizeof init, .state_init = &init };
    return table_new(&config);
}

/* Batches over keys that are there, all in one pane. */
static void bench_hits(const char *what, uint32_t row_count, uint32_t key_count, int fold) {
    rows r, all;
    rows_init(&r, row_count);
    rows_init(&all, key_count);
    table *t = bench_table_new();
    rows_fill(&all, 0, 0);
    table_epoch_begin(t);
    run(t, &all, table_pane(t, 0), 0);
    table_commit(t);
    double ns[BATCHES], commit_ns[BATCHES];
    for (uint32_t i = 0; i < BATCHES; i++) {
        rows_fill(&r, key_count, (uint64_t)i << 32);
        table_epoch_begin(t);
        ns[i] = run(t, &r, table_pane(t, 0), fold);
        double begin = now_ns();
        table_commit(t);
        commit_ns[i] = (now_ns() - begin) / row_count;
    }
    print(what, ns, commit_ns);
    table_free(t);
    rows_done(&all);
    rows_done(&r);
}

/* Batches that each fill a pane of their own with new keys and drop the one before. */
static void bench_inserts(const char *what, uint32_t row_count) {
    rows r;
    rows_init(&r, row_count);
    table *t = bench_table_new();
    rows_fill(&r, 0, 0);
    double ns[BATCHES], commit_ns[BATCHES];
    for (int64_t i = 0; i < BATCHES; i++) {
        table_epoch_begin(t);
        pane *before = table_find_pane(t, i - 1);
        ns[i] = run(t, &r, table_pane(t, i), 0);
        if (before) table_drop_pane(t, before);
        double begin = now_ns();
        table_commit(t);
        commit_ns[i] = (now_ns() - begin) / row_count;
    }
    print(what, ns, commit_ns);
    printf("%-44s %6.1f bytes an entry held\n", "", (double)table_held_bytes(t) / row_count);
    table_free(t);
    rows_done(&r);
}

/* What a live key takes, in a pane that grew to `count` of them. */
static void bench_bytes(uint32_t count, uint32_t state_size, uint32_t key_len) {
    static const char zeros[64];
    enum { BATCH = 100000 };
    table *t = table_new(&(table_config){ .state_size = state_size, .state_init = zeros });
    for (uint32_t i = 0; i < count; i++) {
        char key[64];
        snprintf(key, sizeof key, "%032u", i);
        if (i % BATCH == 0) table_epoch_begin(t);
        table_touch(t, table_pane(t, 0), mix(i), key + 32 - key_len, key_len);
        if (i % BATCH == BATCH - 1 || i == count - 1) table_commit(t);
    }
    printf("%8u keys of %u bytes, states of %u: %6.1f bytes a key\n", count, key_len, state_size,
           (double)table_used_bytes(t) / count);
    table_free(t);
}

int main(int argc, char **argv) {
    uint32_t rows_count = (uint32_t)(1000000 * (argc > 1 ? atof(argv[1]) : 1));
    bench_hits("8 keys", rows_count, 8, 0);
    bench_hits("8 keys, with a fold", rows_count, 8, 1);
    bench_hits("10k keys", rows_count, 10000, 0);
    bench_hits("1M random keys", rows_count, 1000000, 0);
    bench_hits("1M random keys, with a fold", rows_count, 1000000, 1);
    bench_hits("1M random keys, batches of 10k rows", 10000, 1000000, 0);
    bench_inserts("new keys, a pane a batch", rows_count);
    bench_inserts("new keys, a pane a batch of 10k rows", 10000);
    static const uint32_t counts[] = { 1000, 786433, 1000000, 10000000 };
    for (uint32_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        bench_bytes(counts[i], 24, 16);
        bench_bytes(counts[i], 48, 16);
        bench_bytes(counts[i], 48, 17);
    }
    return 0;
}
