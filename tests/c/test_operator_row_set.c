/* Rows that a flat_map makes: headers, growth, the limit, memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/operator/row_set.h"
#include "runtime/shared/vector.h"

enum { ROW_SIZE = 48 };

static sl_row from_rows[3];
static void *from[3] = { &from_rows[0], &from_rows[1], &from_rows[2] };
static const uint32_t places[3] = { 4, 7, 9 };

static row_set *begin(void) {
    row_set *set = row_set_new();
    row_set_reset(set, ROW_SIZE, 1);
    row_set_need(set, 1);
    set->from_rows = from;
    set->from_places = places;
    for (uint32_t i = 0; i < 3; i++)
        from_rows[i] =
            (sl_row){ .time_ms = 100 + i, .record = 10 + i, .partition = i, .offset = i };
    return set;
}

static void a_row_has_its_records_header_and_only_nulls(void **state) {
    (void)state;
    row_set *set = begin();
    sl_row *row = sl_row_add(set, 1);
    assert_int_equal(row->time_ms, 101);
    assert_int_equal(row->record, 11);
    assert_int_equal(row->partition, 1);
    assert_int_equal(row->offset, 1);
    assert_true(row->nulls[0] == UINT64_MAX);
    assert_int_equal(set->count, 1);
    assert_int_equal(set->parents[0], 7);
    assert_ptr_equal(set->rows[0], row);
    row_set_free(set);
}

static void rows_stay_where_they_are_while_more_come(void **state) {
    (void)state;
    row_set *set = begin();
    for (uint32_t i = 0; i < 3 * VECTOR_ROWS; i++) {
        sl_row *row = sl_row_add(set, i % 3);
        row->offset = i;
    }
    assert_int_equal(set->count, 3 * VECTOR_ROWS);
    for (uint32_t i = 0; i < set->count; i++) {
        const sl_row *row = set->rows[i];
        assert_int_equal(row->offset, i);
        assert_ptr_equal(row, row_set_memory(set, i));
        assert_int_equal(set->parents[i], places[i % 3]);
    }
    row_set_free(set);
}

static void a_row_makes_no_more_than_the_limit(void **state) {
    (void)state;
    row_set *set = begin();
    sl_row_add(set, 0);
    for (uint32_t i = 0; i < SL_MAX_ROWS_MADE; i++) assert_non_null(sl_row_add(set, 1));
    assert_null(sl_row_add(set, 1));
    assert_non_null(sl_row_add(set, 2));
    assert_int_equal(set->count, SL_MAX_ROWS_MADE + 2);
    row_set_free(set);
}

static void what_many_rows_took_is_given_back(void **state) {
    (void)state;
    row_set *set = begin();
    for (uint32_t i = 0; i < 40 * VECTOR_ROWS; i++) sl_row_add(set, i % 3);
    assert_int_equal(set->block_count, 40);
    row_set_reset(set, ROW_SIZE, 1);
    assert_true(set->block_count < 40);
    assert_int_equal(set->count, 0);
    row_set_reset(set, 2 * ROW_SIZE, 1);
    assert_int_equal(set->block_count, 0);
    row_set_free(set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_has_its_records_header_and_only_nulls),
        cmocka_unit_test(rows_stay_where_they_are_while_more_come),
        cmocka_unit_test(a_row_makes_no_more_than_the_limit),
        cmocka_unit_test(what_many_rows_took_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
