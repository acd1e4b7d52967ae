/* Distinct values: HyperLogLog and exact sets against what is known of the data. */
#include "tests/c/sketch_kit.h"

static void add_number(sl_part *part, uint64_t n) {
    sl_hll_add(TABLE, part, (const char *)&n, sizeof n);
}

static void small_counts_are_exact_and_small(void **state) {
    (void)state;
    sl_part part = { 0 };
    assert_true(sl_hll_count(&part) == 0);
    for (uint64_t i = 0; i < 190; i++) {
        add_number(&part, i);
        add_number(&part, i / 2);
        assert_true(sl_hll_count(&part) == (double)(i + 1));
        if (i < 16) assert_true(part.len <= 200);
    }
    mem_free(part.data);
}

static void large_counts_are_within_the_bound(void **state) {
    (void)state;
    double sum = 0, worst = 0;
    const int runs = 200;
    for (int run = 0; run < runs; run++) {
        uint64_t seed = (uint64_t)run;
        uint64_t count = 191 + random_next(&seed) % (run % 10 ? 20000 : 500000);
        sl_part part = { 0 };
        for (uint64_t i = 0; i < count; i++) add_number(&part, random_next(&seed));
        double error = sl_hll_count(&part) / (double)count - 1;
        sum += error * error;
        if (fabs(error) > worst) worst = fabs(error);
        assert_true(part.len <= 2500);
        mem_free(part.data);
    }
    assert_true(sqrt(sum / runs) < 1.1 * 0.023);
    assert_true(worst < 4 * 0.023);
}

static void neighbours_are_told_apart(void **state) {
    (void)state;
    sl_part part = { 0 };
    for (uint64_t i = 0; i < 100000; i++) add_number(&part, i); /* nothing random about them */
    assert_true(fabs(sl_hll_count(&part) / 100000 - 1) < 3 * 0.023);
    mem_free(part.data);
}

static void any_split_gives_the_same_bytes(void **state) {
    (void)state;
    arena text;
    arena_init(&text, 64 << 10);
    for (uint64_t run = 0; run < 200; run++) {
        uint64_t seed = run, count = random_next(&seed) % (run % 2 ? 400 : 5000);
        sl_part whole = { 0 }, parts[5] = { { 0 } }, merged = { 0 };
        for (uint64_t i = 0; i < count; i++) {
            uint64_t n = random_next(&seed) % (count / 2 + 1);
            add_number(&whole, n);
            add_number(&parts[random_next(&seed) % 5], n);
        }
        uint32_t first = (uint32_t)(random_next(&seed) % 5);
        for (uint32_t p = 0; p < 5; p++) sl_hll_merge(&text, &merged, &parts[(first + p) % 5]);
        assert_true(sl_hll_count(&merged) == sl_hll_count(&whole));
        assert_int_equal(merged.len, whole.len);
        if (whole.len) assert_memory_equal(merged.data, whole.data, whole.len);
        for (uint32_t p = 0; p < 5; p++) mem_free(parts[p].data);
        mem_free(whole.data);
        arena_reset(&text, 0);
    }
    arena_done(&text);
}

static void a_merge_changes_nothing_it_borrowed(void **state) {
    (void)state;
    arena text;
    arena_init(&text, 64 << 10);
    sl_part a = { 0 }, b = { 0 }, merged = { 0 };
    for (uint64_t i = 0; i < 1000; i++) add_number(i % 2 ? &a : &b, i);
    char before[2500];
    memcpy(before, a.data, a.len);
    sl_hll_merge(&text, &merged, &a);
    sl_hll_merge(&text, &merged, &b);
    assert_true(sl_hll_count(&merged) > 1.5 * sl_hll_count(&a));
    assert_memory_equal(before, a.data, a.len);
    mem_free(a.data);
    mem_free(b.data);
    arena_done(&text);
}

static uint32_t text_of(uint64_t n, char *text) {
    uint32_t len = (uint32_t)(n % 40);
    for (uint32_t i = 0; i < len; i++) text[i] = (char)('a' + (n >> i % 8) % 26);
    memcpy(text, &n, len < sizeof n ? len : sizeof n);
    return len;
}

static void sets_hold_each_value_once(void **state) {
    (void)state;
    sl_part part = { 0 };
    bool seen[3000] = { false };
    uint32_t count = 0;
    uint64_t seed = 1;
    assert_int_equal(sl_set_count(&part), 0);
    for (uint32_t i = 0; i < 20000; i++) {
        uint64_t n = 40 * (random_next(&seed) % 3000) + 30; /* 30 bytes long */
        char text[40];
        uint32_t len = text_of(n, text);
        assert_int_equal(sl_set_refuses(&part, count, text, len), !seen[n / 40]);
        assert_int_equal(sl_set_refuses(&part, count + 1, text, len), 0);
        if (!seen[n / 40]) count++;
        seen[n / 40] = true;
        sl_set_add(TABLE, &part, text, len);
        assert_int_equal(sl_set_count(&part), count);
    }
    assert_int_equal(count > 2900, 1);
    mem_free(part.data);
}

static void sets_merge_up_to_their_limit(void **state) {
    (void)state;
    arena text;
    arena_init(&text, 64 << 10);
    sl_part a = { 0 }, b = { 0 }, merged = { 0 };
    sl_set_add(TABLE, &a, "", 0);
    sl_set_add(TABLE, &a, "one", 3);
    sl_set_add(TABLE, &b, "one", 3);
    sl_set_add(TABLE, &b, "a value of some length", 22);
    assert_int_equal(sl_set_merge(&text, &merged, &a, 3), 0);
    assert_int_equal(sl_set_merge(&text, &merged, &b, 3), 0);
    assert_int_equal(sl_set_count(&merged), 3);
    assert_int_equal(sl_set_count(&a), 2);
    merged = a;
    assert_int_equal(sl_set_merge(&text, &merged, &b, 2), 1);
    mem_free(a.data);
    mem_free(b.data);
    arena_done(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_counts_are_exact_and_small),
        cmocka_unit_test(large_counts_are_within_the_bound),
        cmocka_unit_test(neighbours_are_told_apart),
        cmocka_unit_test(any_split_gives_the_same_bytes),
        cmocka_unit_test(a_merge_changes_nothing_it_borrowed),
        cmocka_unit_test(sets_hold_each_value_once),
        cmocka_unit_test(sets_merge_up_to_their_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
