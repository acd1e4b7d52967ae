/* ns an entry to put a table's changes into an image, and to load them: `bench_image [MILLIONS]`.
 * Keys of 16 bytes, every entry touched in random order. Best and median of several rounds. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/base/mem.h"
#include "state/image.h"

enum { VECTOR = 2048,
       ROUNDS = 9,
       KEY_BYTES = 16 };

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

static int by_size(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static void print(const char *what, uint32_t state_size, double *ns) {
    qsort(ns, ROUNDS, sizeof *ns, by_size);
    printf("state of %2u bytes: %-28s %6.1f / %6.1f ns an entry\n", state_size, what, ns[0],
           ns[ROUNDS / 2]);
}

static table *new_table(uint32_t state_size) {
    static const char zeros[64] = { 0 };
    return table_new(&(table_config){ .state_size = state_size, .state_init = zeros });
}

/* Touch the keys in another order for each seed, and change their states. */
static void touch(table *t, uint32_t count, uint32_t keys, uint64_t seed) {
    static pane *panes[VECTOR];
    static uint64_t hashes[VECTOR];
    static const char *names[VECTOR];
    static uint32_t lens[VECTOR];
    static void *states[VECTOR];
    static char bytes[VECTOR][KEY_BYTES];
    for (uint32_t at = 0; at < count; at += VECTOR) {
        uint32_t n = count - at < VECTOR ? count - at : VECTOR;
        for (uint32_t i = 0; i < n; i++) {
            uint64_t number = (uint64_t)(at + i) * (7919 + 10 * seed) % keys;
            uint64_t words[2] = { number, mix(number) };
            memcpy(bytes[i], words, KEY_BYTES);
            names[i] = bytes[i];
            lens[i] = KEY_BYTES;
            hashes[i] = mix(words[1]);
            panes[i] = table_pane(t, 0);
        }
        table_touch_many(t, n, panes, hashes, names, lens, states);
        for (uint32_t i = 0; i < n; i++) ++*(uint64_t *)states[i];
    }
}

static image *put(const table *t, bool all, double *ns, uint64_t *entries) {
    image_head head = { .is_full = all, .pipeline = "bench" };
    uint32_t panes, dirty = 0;
    pane *const *list = table_dirty_panes(t, &panes);
    if (panes) pane_dirty(list[0], &dirty);
    *entries = all ? pane_count(table_find_pane(t, 0)) : dirty;
    double begin = now_ns();
    image *m = image_new(&head);
    image_put_table(m, "aggregate a", t, all);
    image_finish(m);
    *ns = (now_ns() - begin) / (double)*entries;
    return m;
}

static void load(const image *m, table *t, uint64_t entries, double *open_ns, double *ns) {
    image_reader *r = NULL;
    image_view view;
    image_share whole = { .shard_mask = 63, .workers = 1 };
    buf *parts = mem_zalloc(image_part_count(m), sizeof *parts);
    for (uint32_t i = 0; i < image_part_count(m); i++)
        buf_put(&parts[i], image_part(m, i)->data, image_part(m, i)->len);
    double begin = now_ns();
    for (uint32_t i = 0; i < image_part_count(m); i++) {
        err *e = i ? image_add_part(r, &parts[i]) : image_open("bench", &parts[i], &r);
        if (e) abort();
    }
    double opened = now_ns();
    table_epoch_begin(t);
    while (image_next(r, &view))
        if (image_load_table(&view, t, NULL, &whole)) abort();
    table_commit(t);
    *open_ns = (opened - begin) / (double)entries;
    *ns = (now_ns() - opened) / (double)entries;
    image_reader_free(r);
    mem_free(parts);
}

static void bench(uint32_t count, uint32_t state_size) {
    double put_ns[ROUNDS], open_ns[ROUNDS], load_ns[ROUNDS], again_ns[ROUNDS], full_ns[ROUNDS];
    double unused;
    uint64_t entries = 0;
    table *t = new_table(state_size);
    table_epoch_begin(t);
    touch(t, count, count, 1);
    table_commit(t);
    size_t bytes = 0;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        table *copy = new_table(state_size);
        table_epoch_begin(t);
        touch(t, count, count, 2 + i);
        image *m = put(t, false, &put_ns[i], &entries);
        bytes = image_bytes(m);
        load(m, copy, entries, &open_ns[i], &load_ns[i]);
        load(m, copy, entries, &unused, &again_ns[i]);
        image_free(m);
        image_free(put(t, true, &full_ns[i], &entries));
        table_commit(t);
        table_free(copy);
    }
    print("put a delta", state_size, put_ns);
    print("put all", state_size, full_ns);
    print("open (checksums)", state_size, open_ns);
    print("load into an empty table", state_size, load_ns);
    print("load over what is there", state_size, again_ns);
    printf("state of %2u bytes: %.1f bytes an entry\n", state_size,
           (double)bytes / (double)entries);
    table_free(t);
}

int main(int argc, char **argv) {
    uint32_t count = (uint32_t)(1000000 * (argc > 1 ? atof(argv[1]) : 1));
    bench(count, 24);
    bench(count, 48);
    return 0;
}
