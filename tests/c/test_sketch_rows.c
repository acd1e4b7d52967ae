/* Rows kept for later, and sums of decimals. */
#include "tests/c/sketch_kit.h"

#include "runtime/shared/row.h"

/* A row of three columns: int64, string, double. */
typedef struct sample {
    sl_row head;
    int64_t n;
    sl_string text;
    double x;
} sample;

static const sl_column COLUMNS[] = {
    { .offset = offsetof(sample, n), .null_bit = 5, .type = SL_INT64 },
    { .offset = offsetof(sample, text), .null_bit = 0, .type = SL_STRING },
    { .offset = offsetof(sample, x), .null_bit = 1, .type = SL_DOUBLE },
};

static sample make_row(uint64_t *seed, int64_t number, char *text) {
    sample s = { .head = { .time_ms = (int64_t)(random_next(seed) % 50) - 25,
                           .partition = (uint32_t)(random_next(seed) % 3),
                           .offset = number },
                 .n = number,
                 .x = (double)number / 2 };
    s.text = (sl_string){ .data = text, .len = (uint32_t)(number % 40) };
    memset(text, 'a' + (int)(number % 26), s.text.len);
    s.head.nulls[0] = (number % 3 ? 0 : 1u << 5) | (number % 5 ? 0 : 1u) | 1u << 7;
    return s;
}

static void assert_row(const sample *got, int64_t number) {
    uint64_t nulls = got->head.nulls[0];
    assert_int_equal(got->head.offset, number);
    assert_int_equal(nulls >> 5 & 1, number % 3 == 0);
    assert_int_equal(nulls & 1, number % 5 == 0);
    assert_int_equal(nulls >> 7 & 1, 1); /* a column that was not kept is null */
    assert_true(got->x == (double)number / 2);
    if (number % 3) assert_int_equal(got->n, number);
    if (number % 5 == 0) return;
    assert_int_equal(got->text.len, number % 40);
    for (uint32_t i = 0; i < got->text.len; i++)
        assert_int_equal(got->text.data[i], 'a' + number % 26);
}

static void rows_come_back_in_order(void **state) {
    (void)state;
    arena text;
    arena_init(&text, 64 << 10);
    for (uint64_t run = 0; run < 100; run++) {
        uint64_t seed = run;
        uint32_t count = (uint32_t)(random_next(&seed) % 200), got;
        sl_part parts[3] = { { 0 } }, merged = { 0 };
        for (uint32_t i = 0; i < count; i++) {
            char value[40];
            sample row = make_row(&seed, i, value);
            sl_rows_append(TABLE, &parts[random_next(&seed) % 3], &row, row.head.partition, COLUMNS,
                           3);
        }
        for (uint32_t p = 0; p < 3; p++) sl_rows_merge(&text, &merged, &parts[p]);
        void **rows = sl_rows_open(&text, &merged, COLUMNS, 3, sizeof(sample), 1, &got);
        assert_int_equal(got, count);
        bool seen[200] = { false };
        for (uint32_t i = 0; i < got; i++) {
            const sample *row = rows[i];
            const sample *before = i ? rows[i - 1] : NULL;
            assert_row(row, row->head.offset);
            assert_true(((const double *)row)[-1] == row->head.partition);
            assert_false(seen[row->head.offset]);
            seen[row->head.offset] = true;
            if (!before) continue;
            assert_true(before->head.time_ms <= row->head.time_ms);
            if (before->head.time_ms < row->head.time_ms) continue;
            assert_true(before->head.partition <= row->head.partition);
            if (before->head.partition == row->head.partition)
                assert_true(before->head.offset < row->head.offset);
        }
        for (uint32_t p = 0; p < 3; p++) mem_free(parts[p].data);
        arena_reset(&text, 0);
    }
    arena_done(&text);
}

static sl_decimal decimal_of(__int128 x) {
    return (sl_decimal){ .low = (uint64_t)x, .high = (int64_t)(x >> 64) };
}

static __int128 value_of(const sl_decimal *x) {
    return (__int128)((unsigned __int128)(uint64_t)x->high << 64 | x->low);
}

static void sums_and_means_are_exact(void **state) {
    (void)state;
    for (uint64_t run = 0; run < 1000; run++) {
        uint64_t seed = run;
        sl_wide a = { 0 }, b = { 0 };
        __int128 sum = 0;
        int64_t count = (int64_t)(1 + random_next(&seed) % 30);
        for (int64_t i = 0; i < count; i++) {
            __int128 x = (int64_t)random_next(&seed);
            x *= (int64_t)(random_next(&seed) >> 20);
            sl_decimal one = decimal_of(x);
            sl_wide_add(i % 2 ? &a : &b, &one);
            sum += x;
        }
        sl_wide_merge(&a, &b);
        sl_decimal got;
        assert_int_equal(sl_wide_sum(&a, &got), 0);
        assert_true(value_of(&got) == sum);
        sl_wide_mean(&a, (double)count, 2, &got);
        __int128 twice = sum * 200, wanted = twice / count; /* rounded half away from zero */
        wanted = (wanted + (wanted < 0 ? -1 : 1)) / 2;
        assert_true(value_of(&got) == wanted);
    }
}

static void what_has_more_than_38_digits_does_not_fit(void **state) {
    (void)state;
    __int128 most = 1;
    for (int i = 0; i < 38; i++) most *= 10;
    sl_decimal largest = decimal_of(most - 1), one = decimal_of(1), got;
    sl_decimal least = decimal_of(1 - most), minus = decimal_of(-1);
    sl_wide sum = { 0 };
    sl_wide_add(&sum, &largest);
    assert_int_equal(sl_wide_sum(&sum, &got), 0);
    sl_wide_add(&sum, &one);
    assert_int_equal(sl_wide_sum(&sum, &got), 1);
    for (int i = 0; i < 1000; i++) sl_wide_add(&sum, &largest);
    sl_wide_mean(&sum, 1001, 0, &got);
    assert_true(value_of(&got) == most - 1);
    for (int i = 0; i < 1002; i++) sl_wide_add(&sum, &least);
    assert_int_equal(sl_wide_sum(&sum, &got), 0);
    sl_wide_add(&sum, &minus);
    assert_int_equal(sl_wide_sum(&sum, &got), 0);
    assert_true(value_of(&got) == 1 - most);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back_in_order),
        cmocka_unit_test(sums_and_means_are_exact),
        cmocka_unit_test(what_has_more_than_38_digits_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
