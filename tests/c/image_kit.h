#pragma once
/* What the tests of stored state share: a table of known make, filled and compared. */
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/base/mem.h"
#include "state/image.h"
#include "state/table_inside.h"

typedef struct kit_state {
    int64_t count;
    sl_part text;
    double sum;
    sl_part sketch;
} kit_state;

static inline table *kit_table(void) {
    static const kit_state init = { .sum = 0.5 };
    static const uint32_t offsets[] = { offsetof(kit_state, text), offsetof(kit_state, sketch) };
    return table_new(&(table_config){ .state_size = sizeof init,
                                      .state_init = &init,
                                      .part_count = 2,
                                      .part_offsets = offsets });
}

static inline image_head kit_head(bool is_full) {
    return (image_head){ .is_full = is_full,
                         .batch = 42,
                         .parent = is_full ? "" : "S1 g 41 1 ..",
                         .created_ms = 1700000000000,
                         .script_hash = 0x0123456789abcdef,
                         .shape = "{\"a\":1}",
                         .pipeline = "orders",
                         .cluster = "" };
}

static inline entry *kit_touch(table *t, pane *p, const char *key) {
    return table_touch(t, p, XXH3_64bits(key, strlen(key)), key, (uint32_t)strlen(key));
}

static inline entry *kit_find(const table *t, int64_t start, const char *key) {
    pane *p = table_find_pane(t, start);
    return p ? table_find(p, XXH3_64bits(key, strlen(key)), key, (uint32_t)strlen(key)) : NULL;
}

/* Give group `key` a count, and parts where there are texts. */
static inline void kit_set(table *t, int64_t start, const char *key, int64_t count,
                           const char *text, const char *sketch) {
    kit_state *s = entry_state(kit_touch(t, table_pane(t, start), key));
    s->count = count;
    sl_part_set(t, &s->text, text, text ? (uint32_t)strlen(text) : 0);
    sl_part_set(t, &s->sketch, sketch, sketch ? (uint32_t)strlen(sketch) : 0);
}

/* The only part of an image, as bytes of one's own. */
static inline buf kit_bytes(const image *m) {
    buf copy = { 0 };
    const buf *part = image_part(m, 0);
    buf_put(&copy, part->data, part->len);
    return copy;
}

/* What a batch changed (all: everything), as an object of one part. The table is in a batch. */
static inline buf kit_save(const table *t, bool all) {
    image_head head = kit_head(all);
    image *m = image_new(&head);
    image_put_table(m, "aggregate a", t, all);
    image_finish(m);
    buf bytes = kit_bytes(m);
    image_free(m);
    return bytes;
}

/* Load all sections of an object (taken) into `t`. */
static inline err *kit_load(table *t, buf *bytes, const layout_map *map, const image_share *share) {
    image_reader *r;
    image_view view;
    err *e = image_open("object", bytes, &r);
    if (e) return e;
    table_epoch_begin(t);
    while (!e && image_next(r, &view))
        if (view.kind == IMAGE_TABLE) e = image_load_table(&view, t, map, share);
    (e ? table_undo : table_commit)(t);
    image_reader_free(r);
    return e;
}

static inline image_share kit_whole(void) {
    return (image_share){ .shard_mask = 63, .worker = 0, .workers = 1 };
}
