/* Stored state: what is put is what is read, and what a batch did to a table is what its delta does
 * to a copy of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/c/table_kit.h"

static void load(table *t, buf bytes) {
    image_share whole = kit_whole();
    err *e = kit_load(t, &bytes, NULL, &whole);
    assert_null(e);
}

static void a_full_object_holds_every_entry(void **state) {
    (void)state;
    table *t = kit_table(), *copy = kit_table();
    table_epoch_begin(t);
    kit_set(t, 0, "a", 1, "x", NULL);
    kit_set(t, 0, "", 2, NULL, "");
    kit_set(t, -1000, "a longer key than a word", 3, "some text", "and a sketch");
    load(copy, kit_save(t, true));
    kit_assert_same(t, copy);
    table_commit(t);
    const kit_state *empty = entry_state(kit_find(copy, 0, ""));
    assert_non_null(empty->sketch.data); /* no bytes are not none */
    assert_null(empty->text.data);
    table_free(t);
    table_free(copy);
}

static void a_delta_holds_what_the_batch_changed(void **state) {
    (void)state;
    table *t = kit_table(), *copy = kit_table();
    table_epoch_begin(t);
    kit_set(t, 0, "a", 1, "x", NULL);
    kit_set(t, 0, "b", 1, "x", "y");
    kit_set(t, 10, "goes with its pane", 1, "x", NULL);
    kit_set(t, 20, "removed", 1, "x", NULL);
    kit_set(t, 20, "comes again", 1, "old", "old");
    load(copy, kit_save(t, true));
    table_commit(t);

    table_epoch_begin(t);
    kit_set(t, 0, "b", 2, "longer than it was", NULL);
    kit_set(t, 0, "new", 7, NULL, "z");
    table_drop_pane(t, table_pane(t, 10));
    pane *p = table_pane(t, 20);
    table_remove(t, p, kit_find(t, 20, "removed"));
    table_remove(t, p, kit_find(t, 20, "comes again"));
    kit_set(t, 20, "comes again", 5, NULL, NULL);
    load(copy, kit_save(t, false));
    kit_assert_same(t, copy);
    table_commit(t);
    assert_null(kit_find(copy, 20, "removed"));
    assert_null(table_find_pane(copy, 10));
    table_free(t);
    table_free(copy);
}

static uint32_t entries_in(buf bytes, uint32_t *removed, uint32_t *dropped) {
    image_reader *r;
    image_view view;
    uint32_t count = 0;
    *removed = *dropped = 0;
    assert_null(image_open("object", &bytes, &r));
    while (image_next(r, &view)) {
        saved_table s;
        saved_pane p;
        saved_entry e;
        assert_null(saved_table_open(&view, &s));
        while (saved_table_pane(&s, &p)) {
            *dropped += p.is_dropped;
            while (saved_table_entry(&s, &e)) {
                *removed += e.is_removed;
                count += !e.is_removed;
            }
        }
    }
    image_reader_free(r);
    return count;
}

static void what_leaves_no_trace_is_not_written(void **state) {
    (void)state;
    uint32_t removed, dropped;
    table *t = kit_table();
    table_epoch_begin(t);
    kit_set(t, 0, "touched only", 1, "x", NULL);
    table_commit(t);
    table_epoch_begin(t);
    kit_touch(t, table_pane(t, 0), "touched only");
    kit_set(t, 0, "made and removed", 1, "x", NULL);
    table_remove(t, table_pane(t, 0), kit_find(t, 0, "made and removed"));
    kit_set(t, 5, "made and dropped", 1, "x", NULL);
    table_drop_pane(t, table_pane(t, 5));
    assert_int_equal(entries_in(kit_save(t, false), &removed, &dropped), 0);
    assert_int_equal(removed, 0);
    assert_int_equal(dropped, 0);
    table_commit(t);
    table_free(t);
}

static void a_pane_that_comes_again_is_read_as_the_new_one(void **state) {
    (void)state;
    table *t = kit_table(), *copy = kit_table();
    table_epoch_begin(t);
    kit_set(t, 0, "old", 1, "x", NULL);
    load(copy, kit_save(t, true));
    table_commit(t);
    table_epoch_begin(t);
    table_drop_pane(t, table_pane(t, 0));
    kit_set(t, 0, "new", 1, "x", NULL);
    load(copy, kit_save(t, false));
    kit_assert_same(t, copy);
    assert_null(kit_find(copy, 0, "old"));
    table_commit(t);
    table_free(t);
    table_free(copy);
}

static void workers_share_what_one_has_saved(void **state) {
    (void)state;
    enum { WORKERS = 3,
           KEYS = 500 };
    table *t = kit_table(), *copies[WORKERS];
    char key[16];
    uint32_t found = 0;
    table_epoch_begin(t);
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "k%d", i);
        kit_set(t, i % 3, key, i, key, NULL);
    }
    buf bytes = kit_save(t, true);
    for (uint32_t w = 0; w < WORKERS; w++) {
        image_share share = { .shard_mask = 63, .worker = w, .workers = WORKERS };
        buf mine = { 0 };
        buf_put(&mine, bytes.data, bytes.len);
        copies[w] = kit_table();
        assert_null(kit_load(copies[w], &mine, NULL, &share));
    }
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "k%d", i);
        uint64_t shard = XXH3_64bits(key, strlen(key)) & 63;
        for (uint32_t w = 0; w < WORKERS; w++) {
            entry *e = kit_find(copies[w], i % 3, key);
            assert_int_equal(e != NULL, shard % WORKERS == w);
            found += e != NULL;
        }
    }
    assert_int_equal(found, KEYS);
    for (uint32_t w = 0; w < WORKERS; w++) table_free(copies[w]);
    buf_done(&bytes);
    table_commit(t);
    table_free(t);
}

static void generations_of_a_pane_stand_side_by_side(void **state) {
    (void)state;
    uint32_t count;
    table *t = kit_table();
    table_epoch_begin(t);
    pane *old = table_pane(t, 5), *other = table_pane(t, 4), *young = table_pane_of(t, 5, 1);
    assert_ptr_not_equal(old, young);
    assert_ptr_equal(table_pane(t, 5), young);
    assert_ptr_equal(table_pane_of(t, 5, 0), old);
    assert_ptr_equal(table_panes(t, &count)[0], other);
    assert_ptr_equal(table_panes(t, &count)[1], old);
    assert_int_equal(count, 3);
    table_drop_pane(t, young);
    assert_ptr_equal(table_pane(t, 5), old);
    table_undo(t);
    table_free(t);
}

static void a_large_object_has_parts(void **state) {
    (void)state;
    table *t = kit_table(), *copy = kit_table();
    char key[16];
    table_epoch_begin(t);
    for (int i = 0; i < 60000; i++) {
        snprintf(key, sizeof key, "k%d", i);
        kit_set(t, i % 2, key, i, i % 5 ? key : NULL, NULL);
    }
    image_head head = kit_head(true);
    image *m = image_new(&head);
    image_cut_at(m, 2 << 20);
    image_put_table(m, "aggregate a", t, true);
    image_finish(m);
    assert_true(image_part_count(m) >= 2);
    image_reader *r = NULL;
    for (uint32_t i = 0; i < image_part_count(m); i++) {
        buf part = { 0 };
        buf_put(&part, image_part(m, i)->data, image_part(m, i)->len);
        assert_null(i ? image_add_part(r, &part) : image_open("object", &part, &r));
    }
    assert_int_equal(image_part_total(r), image_part_count(m));
    image_view view;
    image_share whole = kit_whole();
    table_epoch_begin(copy);
    while (image_next(r, &view)) assert_null(image_load_table(&view, copy, NULL, &whole));
    table_commit(copy);
    kit_assert_same(t, copy);
    image_reader_free(r);
    image_free(m);
    table_commit(t);
    table_free(t);
    table_free(copy);
}

static void sections_of_other_kinds_come_back_as_they_were(void **state) {
    (void)state;
    image_reader *r;
    image_view view;
    image_head head = kit_head(false);
    image *m = image_new(&head);
    buf_put_text(image_begin(m, IMAGE_RECORD, "", 0), "{\"batch\":42}");
    image_end(m);
    image_begin(m, IMAGE_SINK, "out", 3);
    image_end(m);
    image_finish(m);
    buf bytes = kit_bytes(m);
    image_free(m);
    assert_null(image_open("object", &bytes, &r));
    const image_head *read = image_head_of(r);
    assert_false(read->is_full);
    assert_int_equal(read->batch, 42);
    assert_string_equal(read->parent, head.parent);
    assert_string_equal(read->shape, head.shape);
    assert_string_equal(read->pipeline, "orders");
    assert_string_equal(read->cluster, "");
    for (int again = 0; again < 2; again++) {
        assert_true(image_next(r, &view));
        assert_int_equal(view.kind, IMAGE_RECORD);
        assert_int_equal(view.len, 12);
        assert_memory_equal(view.bytes, "{\"batch\":42}", 12);
        assert_true(image_next(r, &view));
        assert_string_equal(view.name, "out");
        assert_int_equal(view.len, 0);
        assert_false(image_next(r, &view));
        image_rewind(r);
    }
    image_reader_free(r);
}

static void an_older_layout_is_put_where_the_newer_one_has_it(void **state) {
    (void)state;
    typedef struct newer_state {
        sl_part sketch;
        double added;
        int64_t count;
        sl_part fresh;
    } newer_state;
    static const newer_state init = { .added = 7.5 };
    static const uint32_t offsets[] = { offsetof(newer_state, fresh),
                                        offsetof(newer_state, sketch) };
    static const uint32_t from = offsetof(kit_state, count), to = offsetof(newer_state, count);
    static const uint32_t size = sizeof(int64_t);
    static const int32_t parts[] = { -1, 1 };
    const layout_map map = {
        .count = 1, .from = &from, .to = &to, .sizes = &size, .part_count = 2, .parts = parts
    };
    table *t = kit_table();
    table *newer = table_new(&(table_config){ .state_size = sizeof init,
                                              .state_init = &init,
                                              .part_count = 2,
                                              .part_offsets = offsets });
    table_epoch_begin(t);
    kit_set(t, 3, "a", 5, "this goes", "this stays");
    buf bytes = kit_save(t, true), again = { 0 };
    buf_put(&again, bytes.data, bytes.len);
    image_share whole = kit_whole();
    assert_null(kit_load(newer, &bytes, &map, &whole));
    const newer_state *s = entry_state(kit_find(newer, 3, "a"));
    assert_int_equal(s->count, 5);
    assert_true(s->added == 7.5);
    assert_null(s->fresh.data);
    assert_int_equal(s->sketch.len, 10);
    assert_memory_equal(s->sketch.data, "this stays", 10);
    err *e = kit_load(newer, &again, NULL, &whole);
    assert_non_null(e);
    assert_int_equal(e->code, ERR_REFUSED);
    err_free(e);
    table_commit(t);
    table_free(t);
    table_free(newer);
}

/* The sum of what was there before and what the map put is what a function makes of it; the third
 * one that it gets is refused. */
static err *add_up(void *arg, const pane *p, uint32_t count, const saved_entry *entries,
                   void *const *states) {
    uint32_t *seen = arg;
    assert_int_equal(pane_start(p), 3);
    for (uint32_t i = 0; i < count; i++) {
        kit_state old;
        memcpy(&old, entries[i].value, sizeof old);
        if (++*seen == 3) return err_new(ERR_REFUSED, "no more, at %c", *entries[i].key);
        *(int64_t *)states[i] += 100 * old.count;
    }
    return NULL;
}

static void what_a_map_leaves_to_a_function_is_done_behind_it(void **state) {
    (void)state;
    static const int64_t init = 7;
    static const int32_t parts[] = { -1, -1 };
    uint32_t seen = 0;
    const layout_map map = {
        .part_count = 2, .parts = parts, .fill = add_up, .fill_arg = &seen
    };
    table *t = kit_table();
    table *newer = table_new(&(table_config){ .state_size = sizeof init, .state_init = &init });
    table_epoch_begin(t);
    kit_set(t, 3, "a", 5, "goes", NULL);
    kit_set(t, 3, "b", 6, NULL, "goes");
    buf bytes = kit_save(t, true);
    image_share whole = kit_whole();
    assert_null(kit_load(newer, &bytes, &map, &whole));
    assert_int_equal(*(const int64_t *)entry_state(kit_find(newer, 3, "a")), 507);
    assert_int_equal(*(const int64_t *)entry_state(kit_find(newer, 3, "b")), 607);
    kit_set(t, 3, "c", 1, NULL, NULL);
    bytes = kit_save(t, true);
    err *e = kit_load(newer, &bytes, &map, &whole);
    assert_non_null(e);
    assert_int_equal(e->code, ERR_REFUSED);
    err_free(e);
    table_commit(t);
    table_free(t);
    table_free(newer);
}

/* Random batches on a table; a copy that only ever loads what they saved stays the same. */
static void random_batch(table *t, uint64_t *seed) {
    char key[16], text[32];
    for (int i = 0; i < 60; i++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        uint32_t roll = (uint32_t)(*seed >> 33);
        int64_t start = roll % 4 * 10;
        snprintf(key, sizeof key, "k%u", roll / 4 % 40);
        snprintf(text, sizeof text, "%.*s", (int)(roll % 30), "abcdefghijklmnopqrstuvwxyz0123");
        entry *e = kit_find(t, start, key);
        if (roll / 256 % 10 == 0 && e)
            table_remove(t, table_pane(t, start), e);
        else if (roll / 256 % 64 == 1 && table_find_pane(t, start))
            table_drop_pane(t, table_find_pane(t, start));
        else
            kit_set(t, start, key, roll, roll % 3 ? text : NULL, roll % 7 ? NULL : text);
    }
}

static void copies_that_load_every_delta_stay_the_same(void **state) {
    (void)state;
    uint64_t seed = 1;
    table *t = kit_table(), *copy = kit_table(), *late = kit_table();
    for (int batch = 0; batch < 300; batch++) {
        table_epoch_begin(t);
        random_batch(t, &seed);
        if (batch == 151) load(late, kit_save(t, true));
        if (batch % 7 == 3) { /* a batch that failed leaves nothing to load */
            table_undo(t);
            continue;
        }
        if (batch > 151) load(late, kit_save(t, false));
        load(copy, kit_save(t, false));
        table_commit(t);
        kit_assert_same(t, copy);
        if (batch > 151) kit_assert_same(t, late);
    }
    assert_int_equal(table_part_count(t), table_part_count(copy));
    table_free(t);
    table_free(copy);
    table_free(late);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_object_holds_every_entry),
        cmocka_unit_test(a_delta_holds_what_the_batch_changed),
        cmocka_unit_test(what_leaves_no_trace_is_not_written),
        cmocka_unit_test(a_pane_that_comes_again_is_read_as_the_new_one),
        cmocka_unit_test(workers_share_what_one_has_saved),
        cmocka_unit_test(generations_of_a_pane_stand_side_by_side),
        cmocka_unit_test(a_large_object_has_parts),
        cmocka_unit_test(an_older_layout_is_put_where_the_newer_one_has_it),
        cmocka_unit_test(what_a_map_leaves_to_a_function_is_done_behind_it),
        cmocka_unit_test(copies_that_load_every_delta_stay_the_same),
        cmocka_unit_test(sections_of_other_kinds_come_back_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
