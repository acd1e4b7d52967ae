/* Keys of groups, and the order in which the groups of a window leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/operator/groups.h"
#include "runtime/operator/key.h"

typedef struct test_row {
    sl_row head;
    sl_string a, b;
    double x;
    int32_t n;
    uint8_t flag;
} test_row;

static const sl_column COLUMNS[] = {
    { .offset = offsetof(test_row, a), .null_bit = 0, .type = SL_STRING },
    { .offset = offsetof(test_row, x), .null_bit = 1, .type = SL_DOUBLE },
    { .offset = offsetof(test_row, n), .null_bit = 2, .type = SL_INT32 },
    { .offset = offsetof(test_row, flag), .null_bit = 3, .type = SL_BOOL },
    { .offset = offsetof(test_row, b), .null_bit = 4, .type = SL_STRING },
};
enum { COLUMN_COUNT = 5 };

static sl_string text(const char *t) {
    return (sl_string){ .data = t, .len = (uint32_t)strlen(t) };
}

static test_row some_row(void) {
    return (test_row){ .a = text("ab"), .b = text("c"), .x = 1.5, .n = -7, .flag = 1 };
}

/* The key of `row` as a string of its own in `memory`. */
static sl_string key_of(arena *memory, const test_row *row, uint32_t count) {
    sl_string key = { 0 };
    key.data = key_make(memory, COLUMNS, count, &row->head, &key.len);
    return key;
}

static bool is_same(sl_string a, sl_string b) {
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static void a_key_is_read_back_as_it_was(void **state) {
    (void)state;
    arena memory;
    arena_init(&memory, 4096);
    for (uint64_t nulls = 0; nulls < 32; nulls++) {
        test_row row = some_row(), back = { .head.nulls = { ~nulls } };
        row.head.nulls[0] = nulls;
        sl_string key = key_of(&memory, &row, COLUMN_COUNT);
        key_read(key.data, key.len, COLUMNS, COLUMN_COUNT, &back.head);
        assert_int_equal(back.head.nulls[0] & 31, nulls);
        if (!(nulls & 1)) assert_true(is_same(back.a, row.a));
        if (!(nulls & 2)) assert_true(back.x >= 1.5 && back.x <= 1.5);
        if (!(nulls & 4)) assert_int_equal(back.n, -7);
        if (!(nulls & 8)) assert_int_equal(back.flag, 1);
        if (!(nulls & 16)) assert_true(is_same(back.b, row.b));
    }
    arena_done(&memory);
}

static void equal_groups_have_equal_keys_and_others_do_not(void **state) {
    (void)state;
    arena memory;
    arena_init(&memory, 4096);
    test_row row = some_row(), other = some_row();
    other.head.time_ms = 99; /* not part of it */
    assert_true(is_same(key_of(&memory, &row, 5), key_of(&memory, &other, 5)));
    row.x = 0.0;
    other.x = -0.0;
    assert_true(is_same(key_of(&memory, &row, 5), key_of(&memory, &other, 5)));
    other.x = 1e-300;
    assert_false(is_same(key_of(&memory, &row, 5), key_of(&memory, &other, 5)));
    other = row;
    other.a = text("a"), other.b = text("bc"); /* the same bytes, cut elsewhere */
    row.a = text("ab"), row.b = text("c");
    assert_false(is_same(key_of(&memory, &row, 5), key_of(&memory, &other, 5)));
    row.a = text(""), other.a = text(""), other.head.nulls[0] = 1; /* empty is not null */
    assert_false(is_same(key_of(&memory, &row, 1), key_of(&memory, &other, 1)));
    assert_int_equal(key_of(&memory, &row, 0).len, 0);
    arena_done(&memory);
}

/* Entries of `count` keys in panes 0 and 10; every third key stands in both. Hashes are chosen. */
static table *some_table(uint32_t count, uint64_t (*hash)(uint32_t)) {
    static const uint64_t zero = 0;
    table *t = table_new(&(table_config){ .state_size = 8, .state_init = &zero });
    table_epoch_begin(t);
    for (uint32_t i = 0; i < count; i++) {
        char key[16];
        uint32_t len = (uint32_t)snprintf(key, sizeof key, "k%u", i);
        table_touch(t, table_pane(t, i % 2 ? 0 : 10), hash(i), key, len);
        if (i % 3 == 0) table_touch(t, table_pane(t, i % 2 ? 10 : 0), hash(i), key, len);
    }
    return t;
}

static uint64_t spread(uint32_t i) { return (i + 1) * UINT64_C(0x9e3779b97f4a7c15); }
static uint64_t few(uint32_t i) { return i % 3; } /* whole hashes collide: the key decides */

static void check_order(uint64_t (*hash)(uint32_t), uint32_t count, bool dirty_only) {
    table *t = some_table(count, hash);
    uint32_t pane_number;
    pane *const *panes = table_panes(t, &pane_number);
    group_list list = { 0 };
    groups_list(&list, panes, pane_number, dirty_only, 64);
    assert_int_equal(list.count, count); /* each once */
    for (uint32_t i = 1; i < list.count; i++) {
        const group_item *a = &list.items[i - 1], *b = &list.items[i];
        assert_true(group_compare(a, b) < 0);
        uint64_t a_shard = a->entry->hash % 64, b_shard = b->entry->hash % 64;
        assert_true(a_shard <= b_shard);
        if (a_shard == b_shard) assert_true(a->entry->hash <= b->entry->hash);
    }
    groups_done(&list);
    table_commit(t);
    table_free(t);
}

static void groups_leave_by_shard_hash_and_key_each_once(void **state) {
    (void)state;
    for (uint32_t count = 1; count < 100000; count = count * 3 + 1) {
        check_order(spread, count, false);
        check_order(spread, count, true);
    }
    check_order(few, 200, false);
    check_order(few, 200, true);
}

/* Lists of neighbouring ranges, one behind the other, are the list of all. */
static void a_range_has_its_part_of_the_order(void **state) {
    (void)state;
    enum { COUNT = 20000 };
    static const order_range RANGES[] = {
        { 0, UINT64_C(3) << 56 },
        { (UINT64_C(3) << 56) + 1, (UINT64_C(1) << 60) - 1 },
        { UINT64_C(1) << 60, UINT64_MAX },
    };
    table *t = some_table(COUNT, spread);
    uint32_t pane_number, before = 0;
    pane *const *panes = table_panes(t, &pane_number);
    group_list all = { 0 }, part = { 0 };
    groups_list(&all, panes, pane_number, false, 64);
    for (uint32_t r = 0; r < sizeof RANGES / sizeof *RANGES; r++) {
        groups_list_range(&part, panes, pane_number, 64, &RANGES[r]);
        assert_true(part.count > 100);
        for (uint32_t i = 0; i < part.count; i++)
            assert_ptr_equal(part.items[i].entry, all.items[before + i].entry);
        before += part.count;
    }
    assert_int_equal(before, COUNT);
    groups_done(&all);
    groups_done(&part);
    table_commit(t);
    table_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_read_back_as_it_was),
        cmocka_unit_test(equal_groups_have_equal_keys_and_others_do_not),
        cmocka_unit_test(groups_leave_by_shard_hash_and_key_each_once),
        cmocka_unit_test(a_range_has_its_part_of_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
