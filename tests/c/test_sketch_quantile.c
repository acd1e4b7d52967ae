/* Quantiles against sorted values: the bound holds, and neither order nor splits change a bit. */
#include "tests/c/sketch_kit.h"

enum { COUNT = 20000 };

static const double QS[] = { 0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1 };

/* Values that vary over `kind` of data. */
static double make_value(uint64_t *seed, int kind) {
    switch (kind) {
    case 0: return random_double(seed);                                   /* uniform */
    case 1: return 1000 + 50 * random_normal(seed);                       /* normal */
    case 2: return random_zipf(seed, 100000);                             /* zipf */
    case 3: return exp(random_normal(seed));                              /* lognormal */
    case 4: return random_next(seed) % 1000 ? random_double(seed) : 1e15; /* outliers */
    case 5: return -exp(random_normal(seed));                             /* negative */
    case 6: return (double)(random_next(seed) % 3) - 1;                   /* -1, 0, 1 */
    default: return pow(10, random_double(seed) * 4);                     /* four decades, evenly */
    }
}

static sl_part of_values(const double *values, uint32_t count) {
    sl_part part = { 0 };
    for (uint32_t i = 0; i < count; i++) sl_quantile_add(TABLE, &part, values[i]);
    return part;
}

static void within_one_percent(void **state) {
    (void)state;
    static double values[COUNT];
    for (int kind = 0; kind < 8; kind++) {
        uint64_t seed = (uint64_t)kind;
        for (uint32_t i = 0; i < COUNT; i++) values[i] = make_value(&seed, kind);
        sl_part part = of_values(values, COUNT);
        assert_true(part.len <= 2500);
        qsort(values, COUNT, sizeof *values, compare_numbers);
        for (uint32_t i = 0; i < sizeof QS / sizeof *QS; i++) {
            double exact = values[(uint32_t)(QS[i] * (COUNT - 1))];
            double got = sl_quantile_value(&part, QS[i]);
            if (fabs(got - exact) > fabs(exact) * 0.01000001)
                fail_msg("data %d, q = %g: %.17g, exact %.17g", kind, QS[i], got, exact);
        }
        mem_free(part.data);
    }
}

static void few_values_are_exact(void **state) {
    (void)state;
    uint64_t seed = 7;
    double values[16];
    for (uint32_t count = 1; count <= 16; count++) {
        for (uint32_t i = 0; i < count; i++) values[i] = random_normal(&seed);
        sl_part part = of_values(values, count);
        assert_true(part.len <= 200);
        qsort(values, count, sizeof *values, compare_numbers);
        for (uint32_t i = 0; i < sizeof QS / sizeof *QS; i++)
            assert_true(sl_quantile_value(&part, QS[i]) == values[(uint32_t)(QS[i] * (count - 1))]);
        mem_free(part.data);
    }
}

/* Data that needs more chunks than there are: which go must not depend on who came when. */
static void any_order_and_split_give_the_same(void **state) {
    (void)state;
    arena text;
    arena_init(&text, 64 << 10);
    for (uint64_t run = 0; run < 300; run++) {
        uint64_t seed = run;
        uint32_t count = (uint32_t)(random_next(&seed) % (run % 3 ? 60 : 3000));
        double decades = (double)(1 + random_next(&seed) % 300), *values = mem_alloc(count * 8);
        for (uint32_t i = 0; i < count; i++) {
            double x = pow(10, (random_double(&seed) - 0.5) * decades);
            values[i] = random_next(&seed) % 3 ? x : -x;
        }
        sl_part whole = of_values(values, count), parts[4] = { { 0 } }, merged = { 0 };
        for (uint32_t i = 0; i < count; i++) {
            uint32_t other = (uint32_t)(random_next(&seed) % count);
            double x = values[i];
            values[i] = values[other];
            values[other] = x;
        }
        for (uint32_t i = 0; i < count; i++)
            sl_quantile_add(TABLE, &parts[random_next(&seed) % 4], values[i]);
        for (uint32_t p = 0; p < 4; p++) sl_quantile_merge(&text, &merged, &parts[p]);
        for (uint32_t i = 0; count && i < sizeof QS / sizeof *QS; i++)
            assert_true(sl_quantile_value(&whole, QS[i]) == sl_quantile_value(&merged, QS[i]));
        assert_int_equal(whole.len, merged.len);
        if (whole.len > 200) assert_memory_equal(whole.data, merged.data, whole.len);
        for (uint32_t p = 0; p < 4; p++) mem_free(parts[p].data);
        mem_free(whole.data);
        mem_free(values);
        arena_reset(&text, 0);
    }
    arena_done(&text);
}

static void what_is_far_smaller_than_the_largest_counts_as_small(void **state) {
    (void)state;
    sl_part part = { 0 };
    for (uint32_t i = 0; i <= 10000; i++) {
        sl_quantile_add(TABLE, &part, pow(10, i / 1000.0)); /* ten decades, without gaps */
        assert_true(part.len <= 2500);
    }
    assert_true(sl_quantile_value(&part, 0) == 1);
    assert_true(sl_quantile_value(&part, 0.3) == 1); /* 0, held to the smallest */
    assert_true(fabs(sl_quantile_value(&part, 0.5) / 1e5 - 1) < 0.01);
    assert_true(fabs(sl_quantile_value(&part, 0.9) / 1e9 - 1) < 0.01);
    mem_free(part.data);
}

static void counts_grow_wider(void **state) {
    (void)state;
    arena text;
    arena_init(&text, 64 << 10);
    sl_part part = { 0 };
    for (uint32_t i = 0; i < 70000; i++) sl_quantile_add(TABLE, &part, 5);
    for (uint32_t i = 0; i < 30000; i++) sl_quantile_add(TABLE, &part, 50);
    assert_true(sl_quantile_value(&part, 0.69) < 6 && sl_quantile_value(&part, 0.71) > 49);
    sl_part merged = { 0 };
    for (uint32_t i = 0; i < 16; i++) {
        sl_part copy = merged; /* doubled each time: beyond 32 bits */
        sl_quantile_merge(&text, &merged, &part);
        if (i) sl_quantile_merge(&text, &merged, &copy);
    }
    for (uint32_t i = 0; i < 17; i++) {
        sl_part copy = { 0 }, same = merged;
        sl_quantile_merge(&text, &copy, &same);
        sl_quantile_merge(&text, &merged, &copy);
    }
    assert_true(sl_quantile_value(&merged, 0.69) < 6 && sl_quantile_value(&merged, 0.71) > 49);
    mem_free(part.data);
    arena_done(&text);
}

static void odd_numbers(void **state) {
    (void)state;
    static const double ODD[] = { 0, -0.0, 5e-324, -5e-324, 1.7976931348623157e308, -1e308,
                                  INFINITY, -INFINITY, 1, -1 };
    sl_part part = { 0 };
    sl_quantile_add(TABLE, &part, NAN);
    assert_null(part.data);
    for (uint32_t i = 0; i < 40; i++) sl_quantile_add(TABLE, &part, ODD[i % 10]);
    assert_true(sl_quantile_value(&part, 0) == -INFINITY);
    assert_true(sl_quantile_value(&part, 1) == INFINITY);
    assert_true(fabs(sl_quantile_value(&part, 0.5)) < 1e-300);
    mem_free(part.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(within_one_percent),
        cmocka_unit_test(few_values_are_exact),
        cmocka_unit_test(any_order_and_split_give_the_same),
        cmocka_unit_test(what_is_far_smaller_than_the_largest_counts_as_small),
        cmocka_unit_test(counts_grow_wider),
        cmocka_unit_test(odd_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
