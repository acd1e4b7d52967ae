/* Panes that are in the base and not in memory: what stands in their places, and how entries come
 * back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "state/spill.h"
#include "tests/c/table_kit.h"

static table *filled(void) {
    table *t = kit_table();
    table_stamp(t, 7);
    table_epoch_begin(t);
    kit_set(t, 0, "a", 1, "text of a", NULL);
    kit_set(t, 0, "b", 2, NULL, "sketch");
    kit_set(t, 60, "a", 3, NULL, NULL);
    table_commit(t);
    return t;
}

static void rows_for_a_spilled_pane_begin_a_generation(void **state) {
    (void)state;
    uint32_t count;
    table *t = filled();
    assert_int_equal(pane_touched(table_find_pane(t, 0)), 7);
    table_spill_pane(t, table_find_pane(t, 0));
    assert_int_equal(table_part_count(t), 0);
    table_epoch_begin(t);
    assert_null(kit_find(t, 0, "a"));
    kit_set(t, 0, "a", 10, NULL, NULL);
    table_undo(t);
    table_panes(t, &count);
    assert_int_equal(count, 2); /* the generation is gone, the spilled pane is not */
    table_epoch_begin(t);
    kit_set(t, 0, "a", 10, NULL, NULL);
    table_commit(t);
    pane *const *panes = table_panes(t, &count);
    assert_int_equal(count, 3);
    assert_true(pane_is_spilled(panes[0]) && !pane_is_spilled(panes[1]));
    assert_int_equal(pane_generation(panes[1]), 1);
    assert_int_equal(pane_start(panes[1]), 0);
    assert_int_equal(pane_count(panes[1]), 1);
    table_spill_pane(t, panes[1]);
    table_epoch_begin(t);
    kit_set(t, 0, "c", 1, NULL, NULL);
    assert_int_equal(pane_generation(table_find_pane(t, 0)), 2);
    table_commit(t);
    table_free(t);
}

static void spilled_panes_are_written_and_read(void **state) {
    (void)state;
    buf bytes = { 0 };
    int64_t start;
    uint32_t generation;
    table *t = filled();
    assert_int_equal(spill_write(t, &bytes), 0);
    table_spill_pane(t, table_find_pane(t, 60));
    table_add_spilled(t, -60, 3);
    assert_int_equal(spill_write(t, &bytes), 2);
    assert_true(spill_read(bytes.data, bytes.len, 0, &start, &generation));
    assert_int_equal(start, -60);
    assert_int_equal(generation, 3);
    assert_true(spill_read(bytes.data, bytes.len, 1, &start, &generation));
    assert_int_equal(start, 60);
    assert_int_equal(generation, 0);
    assert_false(spill_read(bytes.data, bytes.len, 2, &start, &generation));
    buf_done(&bytes);
    table_free(t);
}

static void see_going(bool is_cached) {
    image_reader *r;
    image_view view;
    saved_table section;
    saved_pane saved;
    table *t = filled();
    (is_cached ? table_cache_pane : table_spill_pane)(t, table_find_pane(t, 0));
    table_epoch_begin(t);
    table_drop_pane(t, table_find_pane(t, 0));
    buf bytes = kit_save(t, false);
    table_undo(t);
    assert_int_equal(pane_is_spilled(table_find_pane(t, 0)), !is_cached);
    assert_int_equal(pane_is_cached(table_find_pane(t, 0)), is_cached);
    assert_null(image_open("delta", &bytes, &r));
    assert_true(image_next(r, &view));
    assert_null(saved_table_open(&view, &section));
    assert_true(saved_table_pane(&section, &saved));
    assert_true(saved.is_dropped); /* the base is told */
    assert_int_equal(saved.start, 0);
    image_reader_free(r);
    table_free(t);
}

static void a_spilled_pane_goes_like_any_other(void **state) {
    (void)state;
    see_going(false);
    see_going(true);
}

/* What fetch.c does: an entry comes back as the base has it. */
static entry *bring_back(table *t, pane *p, const char *key, int64_t count, const char *text) {
    uint32_t from;
    pane_dirty(p, &from);
    kit_set(t, pane_start(p), key, count, text, NULL);
    table_settle(t, p, from);
    return kit_find(t, pane_start(p), key);
}

static void what_comes_back_was_not_touched(void **state) {
    (void)state;
    uint32_t dirty;
    table *t = filled();
    pane *p = table_find_pane(t, 0);
    table_cache_pane(t, p);
    p = table_find_pane(t, 0);
    assert_true(pane_is_cached(p));
    table_epoch_begin(t);
    entry *e = bring_back(t, p, "a", 1, "text of a");
    pane_dirty(p, &dirty);
    assert_int_equal(dirty, 0);
    assert_ptr_equal(table_state_before(t, e), entry_state(e));
    table_undo(t);
    assert_null(kit_find(t, 0, "a")); /* it is in the base still */
    assert_int_equal(table_part_count(t), 0);
    assert_true(pane_is_cached(table_find_pane(t, 0)));
    table_epoch_begin(t);
    bring_back(t, p, "a", 1, "text of a");
    table_commit(t);
    assert_int_equal(((kit_state *)entry_state(kit_find(t, 0, "a")))->count, 1);
    table_free(t);
}

/* What sweep.c does: it is stored as removed, and an undo leaves no trace of it. */
static void what_came_back_can_be_removed(void **state) {
    (void)state;
    image_reader *r;
    image_view view;
    saved_table section;
    saved_pane saved;
    saved_entry one;
    table *t = filled();
    table_cache_pane(t, table_find_pane(t, 0));
    pane *p = table_find_pane(t, 0);
    for (int commits = 0; commits < 2; commits++) {
        table_epoch_begin(t);
        table_remove_settled(t, p, bring_back(t, p, "a", 1, "text of a"));
        assert_null(kit_find(t, 0, "a"));
        buf bytes = kit_save(t, false);
        (commits ? table_commit : table_undo)(t);
        assert_int_equal(pane_count(p), 0);
        assert_int_equal(table_part_count(t), 0);
        assert_null(image_open("delta", &bytes, &r));
        assert_true(image_next(r, &view));
        assert_null(saved_table_open(&view, &section));
        assert_true(saved_table_pane(&section, &saved));
        assert_true(saved_table_entry(&section, &one));
        assert_true(one.is_removed);
        image_reader_free(r);
    }
    table_free(t);
}

/* Its parts are never written in place by the rows that follow: what it was must stay what it was.
 */
static void what_it_was_is_known_while_it_changes(void **state) {
    (void)state;
    table *t = filled();
    table_cache_pane(t, table_find_pane(t, 0));
    table_epoch_begin(t);
    pane *p = table_find_pane(t, 0);
    bring_back(t, p, "a", 1, "text of a");
    kit_set(t, 0, "a", 2, "TEXT OF A", NULL);
    entry *e = kit_find(t, 0, "a");
    const kit_state *before = table_state_before(t, e);
    assert_int_equal(before->count, 1);
    assert_memory_equal(before->text.data, "text of a", 9);
    buf bytes = kit_save(t, false);
    table_commit(t);
    table *copy = kit_table();
    image_share whole = kit_whole();
    assert_null(kit_load(copy, &bytes, NULL, &whole));
    const kit_state *now = entry_state(kit_find(copy, 0, "a"));
    assert_int_equal(now->count, 2);
    assert_memory_equal(now->text.data, "TEXT OF A", 9);
    table_free(copy);
    table_free(t);
}

static void what_is_kept_for_reuse_can_be_given_back(void **state) {
    (void)state;
    table *t = kit_table();
    table_epoch_begin(t);
    for (uint32_t i = 0; i < 50000; i++) {
        char key[16];
        snprintf(key, sizeof key, "%u", i);
        kit_set(t, 0, key, i, NULL, NULL);
    }
    table_commit(t);
    size_t full = table_used_bytes(t);
    table_spill_pane(t, table_find_pane(t, 0));
    assert_true(table_used_bytes(t) < full / 20);
    table_trim(t);
    assert_true(table_held_bytes(t) < full / 10);
    table_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_for_a_spilled_pane_begin_a_generation),
        cmocka_unit_test(spilled_panes_are_written_and_read),
        cmocka_unit_test(a_spilled_pane_goes_like_any_other),
        cmocka_unit_test(what_comes_back_was_not_touched),
        cmocka_unit_test(what_came_back_can_be_removed),
        cmocka_unit_test(what_it_was_is_known_while_it_changes),
        cmocka_unit_test(what_is_kept_for_reuse_can_be_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
