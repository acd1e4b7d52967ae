/* Blocks of variable-size parts: in place or not, undo of steps and batches, nothing leaked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/mem.h"
#include "state/part.h"
#include "state/table.h"

typedef struct fixture {
    slab_pool pool;
    part_store store;
} fixture;

static void fixture_init(fixture *f) {
    slab_pool_init(&f->pool);
    part_store_init(&f->store, &f->pool);
}

static void fixture_done(fixture *f) {
    part_store_done(&f->store);
    slab_pool_done(&f->pool);
}

static void set_text(fixture *f, sl_part *part, const char *text) {
    part_set(&f->store, part, text, (uint32_t)strlen(text));
}

static void assert_text(const sl_part *part, const char *text) {
    assert_int_equal(part->len, strlen(text));
    assert_memory_equal(part->data, text, part->len);
}

static void a_block_of_this_step_is_written_in_place(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    sl_part part = { 0 };
    part_begin(&f.store);
    set_text(&f, &part, "abc");
    const char *data = part.data;
    set_text(&f, &part, "0123456789abcdef");
    assert_ptr_equal(part.data, data);
    assert_text(&part, "0123456789abcdef");
    set_text(&f, &part, "longer than the sixteen bytes of the smallest block");
    assert_int_equal(f.store.block_count, 1); /* the small one is free again */
    part_free(&f.store, &part);
    part_commit(&f.store);
    fixture_done(&f);
}

static void a_block_of_an_earlier_batch_is_never_written(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    sl_part part = { 0 };
    part_begin(&f.store);
    set_text(&f, &part, "before");
    part_commit(&f.store);

    part_begin(&f.store);
    sl_part saved = part;
    set_text(&f, &part, "after");
    assert_ptr_not_equal(part.data, saved.data);
    assert_text(&saved, "before");
    assert_int_equal(f.store.block_count, 2);
    part_undo(&f.store);
    part = saved;
    assert_text(&part, "before");
    assert_int_equal(f.store.block_count, 1);

    part_begin(&f.store);
    set_text(&f, &part, "after");
    part_commit(&f.store);
    assert_text(&part, "after");
    assert_int_equal(f.store.block_count, 1);
    part_free(&f.store, &part);
    fixture_done(&f);
}

static void a_step_can_be_put_back_inside_a_batch(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    sl_part part = { 0 };
    part_begin(&f.store);
    set_text(&f, &part, "batch 1");
    part_commit(&f.store);
    sl_part committed = part;

    part_begin(&f.store);
    set_text(&f, &part, "step 1");
    part_next(&f.store);
    sl_part saved = part;
    set_text(&f, &part, "step 2");
    part_step_undo(&f.store);
    part = saved;
    assert_text(&part, "step 1");
    assert_int_equal(f.store.block_count, 2);
    set_text(&f, &part, "step 2 again");
    part_next(&f.store); /* nobody can go back to step 1 now */
    assert_int_equal(f.store.block_count, 2);
    assert_text(&part, "step 2 again");
    part_undo(&f.store);
    assert_text(&committed, "batch 1");
    assert_int_equal(f.store.block_count, 1);
    part_free(&f.store, &committed);
    fixture_done(&f);
}

static void an_edit_copies_once_a_step_and_is_undone(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    sl_part part = { 0 };
    part_begin(&f.store);
    memcpy(part_edit(&f.store, &part, 4), "abcd", 4);
    part_commit(&f.store);

    part_begin(&f.store);
    sl_part saved = part;
    char *data = part_edit(&f.store, &part, 6);
    assert_ptr_not_equal(data, saved.data);
    memcpy(data, "ABcdEF", 6);
    assert_ptr_equal(part_edit(&f.store, &part, 7), data); /* there is room */
    assert_ptr_equal(part_edit(&f.store, &part, 2), data);
    assert_text(&part, "AB");
    assert_text(&saved, "abcd");
    assert_int_equal(f.store.block_count, 2);
    part_undo(&f.store);
    assert_int_equal(f.store.block_count, 1);
    part_free(&f.store, &saved);
    fixture_done(&f);
}

static void append(fixture *f, sl_part *part, const char *text) {
    memcpy(part_append(&f->store, part, (uint32_t)strlen(text)), text, strlen(text));
}

static void an_append_leaves_what_is_there_in_place(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    sl_part part = { 0 };
    part_begin(&f.store);
    append(&f, &part, "abc");
    part_commit(&f.store);

    part_begin(&f.store);
    sl_part saved = part;
    append(&f, &part, "def");
    assert_ptr_equal(part.data, saved.data); /* a block of the batch before */
    assert_text(&part, "abcdef");
    part_undo(&f.store);
    part = saved;
    assert_text(&part, "abc");

    part_begin(&f.store);
    for (int i = 0; i < 1000; i++) append(&f, &part, "0123456789");
    assert_text(&saved, "abc");
    assert_int_equal(part.len, 10003);
    assert_memory_equal(part.data, "abc01234567890", 14);
    part_commit(&f.store);
    assert_int_equal(f.store.block_count, 1);
    part_begin(&f.store);
    set_text(&f, &part, "new");
    part_commit(&f.store);
    part_free(&f.store, &part);
    fixture_done(&f);
}

static void many_steps_of_a_batch_hold_few_blocks(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    sl_part part = { 0 };
    part_begin(&f.store);
    for (int i = 0; i < 1000; i++) {
        set_text(&f, &part, "a value of each vector");
        assert_true(f.store.block_count <= 2);
        part_next(&f.store);
    }
    part_free(&f.store, &part);
    part_commit(&f.store);
    fixture_done(&f);
}

static void a_part_can_be_none_empty_or_a_piece_of_itself(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    sl_part part = { 0 };
    part_begin(&f.store);
    part_set(&f.store, &part, "", 0);
    assert_non_null(part.data);
    assert_int_equal(part.len, 0);
    set_text(&f, &part, "0123456789");
    part_set(&f.store, &part, part.data + 2, 5);
    assert_text(&part, "23456");
    part_commit(&f.store);
    part_begin(&f.store);
    part_set(&f.store, &part, part.data + 1, 3);
    assert_text(&part, "345");
    part_set(&f.store, &part, NULL, 0);
    assert_null(part.data);
    part_commit(&f.store);
    assert_int_equal(f.store.block_count, 0);
    fixture_done(&f);
}

static void blocks_of_all_sizes_hold_what_they_promise(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    enum { COUNT = 400 };
    sl_part parts[COUNT] = { { 0 } };
    char *bytes = mem_alloc(3 << 20);
    part_begin(&f.store);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t len = i < 200 ? i : i < 390 ? i * i
                                             : (i - 389) * 290000;
        memset(bytes, (int)i, len);
        part_set(&f.store, &parts[i], bytes, len);
        assert_true(parts[i].room >= len);
        memset(parts[i].data + len, 0xff, parts[i].room - len);
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        memset(bytes, (int)i, parts[i].len);
        assert_memory_equal(parts[i].data, bytes, parts[i].len);
    }
    for (uint32_t i = 0; i < COUNT; i++) part_free(&f.store, &parts[i]);
    part_commit(&f.store);
    assert_int_equal(f.store.block_count, 0);
    mem_free(bytes);
    fixture_done(&f);
}

/* A part and what it should hold. */
typedef struct model {
    char bytes[300];
    uint32_t len;
    int is_none;
} model;

enum { PARTS = 50 };

typedef struct model_all {
    sl_part parts[PARTS];
    model models[PARTS];
} model_all;

static void check_models(const fixture *f, const model_all *all, size_t beside) {
    size_t blocks = 0;
    for (uint32_t i = 0; i < PARTS; i++) {
        const model *m = &all->models[i];
        const sl_part *part = &all->parts[i];
        assert_int_equal(part->data == NULL, m->is_none);
        if (m->is_none) continue;
        blocks++;
        assert_int_equal(part->len, m->len);
        assert_memory_equal(part->data, m->bytes, m->len);
    }
    assert_true(f->store.block_count <= blocks + beside);
}

static void set_random(fixture *f, model_all *all) {
    uint32_t i = (uint32_t)rand() % PARTS;
    model *m = &all->models[i];
    m->is_none = rand() % 10 == 0;
    m->len = m->is_none ? 0 : (uint32_t)rand() % 300;
    for (uint32_t k = 0; k < m->len; k++) m->bytes[k] = (char)rand();
    part_set(&f->store, &all->parts[i], m->is_none ? NULL : m->bytes, m->len);
}

/* One batch of steps, each kept or put back, then committed or undone. */
static void random_batch(fixture *f, model_all *all) {
    model_all before = *all;
    part_begin(&f->store);
    for (int steps = rand() % 5; steps >= 0; steps--) {
        model_all saved = *all;
        for (int sets = rand() % 30; sets > 0; sets--) set_random(f, all);
        if (rand() % 3 == 0) {
            part_step_undo(&f->store);
            *all = saved;
        }
        check_models(f, all, SIZE_MAX / 2);
        part_next(&f->store);
        check_models(f, all, PARTS); /* at most the blocks from before the batch beside */
    }
    if (rand() % 3 == 0) {
        part_undo(&f->store);
        *all = before;
    } else {
        part_commit(&f->store);
    }
    check_models(f, all, 0);
}

static void random_batches_agree_with_a_model(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    model_all *all = mem_zalloc(1, sizeof *all);
    for (uint32_t i = 0; i < PARTS; i++) all->models[i].is_none = 1;
    srand(7);
    for (int i = 0; i < 3000; i++) random_batch(&f, all);
    for (uint32_t i = 0; i < PARTS; i++) part_free(&f.store, &all->parts[i]);
    assert_int_equal(f.store.block_count, 0);
    mem_free(all);
    fixture_done(&f);
}

/* A state with a part in the middle, as the plan of a pipeline would say it. */
typedef struct text_state {
    int64_t seen;
    sl_part text;
} text_state;

static void evicting_a_pane_frees_its_parts_at_commit(void **state) {
    (void)state;
    const text_state init = { 0 };
    const uint32_t offsets[] = { offsetof(text_state, text) };
    const table_config config = {
        .state_size = sizeof init,
        .state_init = &init,
        .part_count = 1,
        .part_offsets = offsets,
    };
    table *t = table_new(&config);
    table_epoch_begin(t);
    pane *p = table_pane(t, 0);
    for (uint64_t i = 0; i < 1000; i++) {
        text_state *s = entry_state(table_touch(t, p, i << 40, (char *)&i, sizeof i));
        sl_part_set(t, &s->text, (char *)&i, sizeof i);
    }
    table_commit(t);
    assert_int_equal(table_part_count(t), 1000);
    table_epoch_begin(t);
    table_drop_pane(t, p);
    table_undo(t);
    assert_int_equal(table_part_count(t), 1000);
    uint64_t key = 77;
    const entry *e = table_find(table_find_pane(t, 0), key << 40, (char *)&key, sizeof key);
    const text_state *s = entry_state(e);
    assert_memory_equal(s->text.data, &key, 8);
    table_epoch_begin(t);
    table_drop_pane(t, p);
    assert_int_equal(table_part_count(t), 1000);
    table_commit(t);
    assert_int_equal(table_part_count(t), 0);
    table_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_of_this_step_is_written_in_place),
        cmocka_unit_test(a_block_of_an_earlier_batch_is_never_written),
        cmocka_unit_test(a_step_can_be_put_back_inside_a_batch),
        cmocka_unit_test(an_edit_copies_once_a_step_and_is_undone),
        cmocka_unit_test(an_append_leaves_what_is_there_in_place),
        cmocka_unit_test(many_steps_of_a_batch_hold_few_blocks),
        cmocka_unit_test(a_part_can_be_none_empty_or_a_piece_of_itself),
        cmocka_unit_test(blocks_of_all_sizes_hold_what_they_promise),
        cmocka_unit_test(random_batches_agree_with_a_model),
        cmocka_unit_test(evicting_a_pane_frees_its_parts_at_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
