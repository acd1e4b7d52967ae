/* top, collect and histograms against exact results. */
#include "tests/c/sketch_kit.h"

enum { VALUES = 5000 };

/* One struct of a result of top over int64. */
typedef struct counted {
    int64_t value, count, error;
} counted;

static uint32_t read_top(const sl_string *block, counted *into) {
    uint32_t count;
    memcpy(&count, block->data, 4);
    assert_int_equal(block->len, 4 + count * 26);
    for (uint32_t i = 0; i < count; i++) {
        const char *at = block->data + 4 + i * 26;
        assert_int_equal(at[0] | at[1], 0);
        memcpy(&into[i], at + 2, sizeof *into);
    }
    return count;
}

static void add_number(sl_part *part, uint32_t capacity, int64_t n) {
    sl_top_add(TABLE, part, capacity, (const char *)&n, sizeof n);
}

static void assert_bounds(arena *text, const sl_part *part, uint32_t capacity,
                          const uint32_t *exact, uint32_t total) {
    counted got[100];
    sl_string block;
    sl_top_give(text, part, 20, capacity, SL_INT64, &block);
    uint32_t count = read_top(&block, got);
    assert_true(count == 20);
    for (uint32_t i = 0; i < count; i++) {
        int64_t true_count = exact[got[i].value];
        assert_true(got[i].count >= true_count);
        assert_true(got[i].count - got[i].error <= true_count);
        assert_true(got[i].error <= total / capacity);
        if (i) assert_true(got[i - 1].count >= got[i].count);
    }
    /* Whoever is more frequent than total / capacity has a counter. */
    for (uint32_t n = 0; n < VALUES; n++) {
        bool is_there = exact[n] <= total / capacity || exact[n] < got[count - 1].count;
        for (uint32_t i = 0; i < count; i++) is_there |= got[i].value == n;
        assert_true(is_there);
    }
}

static void top_is_within_its_bounds(void **state) {
    (void)state;
    arena text;
    arena_init(&text, 64 << 10);
    for (int kind = 0; kind < 3; kind++) {
        uint64_t seed = (uint64_t)kind;
        uint32_t exact[VALUES] = { 0 }, total = 30000;
        sl_part whole = { 0 }, parts[3] = { { 0 } }, merged = { 0 };
        for (uint32_t i = 0; i < total; i++) {
            uint32_t n = kind == 0   ? random_zipf(&seed, VALUES - 1)
                         : kind == 1 ? (uint32_t)(random_next(&seed) % VALUES)
                         : i % 3     ? i % VALUES
                                     : i / 3000; /* against the eviction */
            exact[n]++;
            add_number(&whole, 80, n);
            add_number(&parts[i % 3], 80, n);
        }
        assert_true(whole.len <= 2600);
        assert_bounds(&text, &whole, 80, exact, total);
        for (uint32_t p = 0; p < 3; p++) sl_top_merge(&text, &merged, &parts[p], 80);
        assert_bounds(&text, &merged, 80, exact, total);
        for (uint32_t p = 0; p < 3; p++) mem_free(parts[p].data);
        mem_free(whole.data);
    }
    arena_done(&text);
}

static void top_is_exact_and_small_while_values_are_few(void **state) {
    (void)state;
    arena text;
    arena_init(&text, 64 << 10);
    sl_part part = { 0 }, other = { 0 }, merged = { 0 };
    for (int64_t i = 0; i < 16; i++) add_number(&part, 64, i % 5);
    assert_true(part.len <= 200);
    for (int64_t i = 0; i < 40; i++) add_number(&other, 64, i % 7);
    sl_top_merge(&text, &merged, &part, 64);
    sl_top_merge(&text, &merged, &other, 64);
    counted got[100];
    sl_string block;
    sl_top_give(&text, &merged, 100, 64, SL_INT64, &block);
    static const counted WANTED[] = {
        { 0, 10, 0 },
        { 1, 9, 0 },
        { 2, 9, 0 },
        { 3, 9, 0 },
        { 4, 9, 0 },
        { 5, 5, 0 },
        { 6, 5, 0 },
    };
    assert_int_equal(read_top(&block, got), 7);
    assert_memory_equal(got, WANTED, sizeof WANTED);
    mem_free(part.data);
    mem_free(other.data);
    arena_done(&text);
}

static void add_text(sl_part *part, uint32_t capacity, uint32_t n) {
    char value[300];
    int len = snprintf(value, sizeof value, "value %*u", (int)(5 + n % 200), n);
    sl_top_add(TABLE, part, capacity, value, (uint32_t)len);
}

static void top_keeps_long_text_and_forgets_what_is_evicted(void **state) {
    (void)state;
    arena text;
    arena_init(&text, 64 << 10);
    sl_part part = { 0 };
    for (uint32_t i = 0; i < 20000; i++) add_text(&part, 16, i % 4 ? 1000 + i : 7);
    assert_true(part.len < 16 + 32 * 16 + 2 * 16 * 206 + 206); /* half of the pool is used */
    sl_string block;
    sl_top_give(&text, &part, 1, 16, SL_STRING, &block);
    uint32_t len;
    int64_t count;
    memcpy(&len, block.data + 6, 4);
    assert_int_equal(len, 18);
    assert_memory_equal(block.data + 10, "value            7", 18);
    memcpy(&count, block.data + 28, 8);
    assert_true(count >= 5000);
    mem_free(part.data);
    arena_done(&text);
}

typedef struct row {
    int64_t time, offset;
    double place;
    uint32_t number;
} row;

static int compare_rows(const void *a, const void *b) {
    const row *x = a, *y = b;
    if (x->time != y->time) return x->time < y->time ? -1 : 1;
    if (x->place != y->place) return x->place < y->place ? -1 : 1;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

static uint32_t text_of(const row *r, char *value) {
    return (uint32_t)snprintf(value, 100, "%*u", (int)(r->number % 30), r->number);
}

static void collect_gives_the_first_in_order(void **state) {
    (void)state;
    arena text;
    arena_init(&text, 64 << 10);
    for (uint64_t run = 0; run < 200; run++) {
        uint64_t seed = run;
        uint32_t count = (uint32_t)(1 + random_next(&seed) % 200);
        uint32_t limit = (uint32_t)(1 + random_next(&seed) % 50);
        row rows[200];
        sl_part parts[3] = { { 0 } }, merged = { 0 };
        for (uint32_t i = 0; i < count; i++) {
            rows[i] = (row){ .time = (int64_t)(random_next(&seed) % 40) - 20,
                             .offset = i,
                             .place = (double)(random_next(&seed) % 3),
                             .number = i };
            char value[100];
            sl_collect_add(TABLE, &parts[random_next(&seed) % 3], limit, rows[i].time,
                           rows[i].place, rows[i].offset, value, text_of(&rows[i], value));
        }
        for (uint32_t p = 0; p < 3; p++) sl_collect_merge(&text, &merged, &parts[p], limit);
        qsort(rows, count, sizeof *rows, compare_rows);
        sl_string block;
        sl_collect_give(&text, &merged, SL_STRING, &block);
        uint32_t got, len;
        memcpy(&got, block.data, 4);
        assert_int_equal(got, count < limit ? count : limit);
        const char *at = block.data + 4;
        for (uint32_t i = 0; i < got; i++) {
            char value[100];
            memcpy(&len, at + 1, 4);
            assert_int_equal(at[0], 0);
            assert_int_equal(len, text_of(&rows[i], value));
            assert_memory_equal(at + 5, value, len);
            at += 5 + len;
        }
        assert_ptr_equal(at, block.data + block.len);
        for (uint32_t p = 0; p < 3; p++) mem_free(parts[p].data);
        arena_reset(&text, 0);
    }
    arena_done(&text);
}

static void histograms_have_half_open_places(void **state) {
    (void)state;
    static const double BOUNDS[] = { -1, 0, 10 };
    static const double VALUES_OF[] = { -5, -1, -0.5, 0, 9.99, 10, INFINITY, -INFINITY };
    static const uint32_t PLACES[] = { 0, 1, 1, 2, 2, 3, 3, 0 };
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(sl_histogram_place(BOUNDS, 3, VALUES_OF[i]), PLACES[i]);
    arena text;
    arena_init(&text, 1 << 10);
    sl_string block;
    sl_histogram_give(&text, (double[]){ 3, 0 }, 2, &block);
    assert_int_equal(block.len, 22);
    assert_memory_equal(block.data, "\2\0\0\0\0\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22);
    arena_done(&text);
}

static void doubles_have_one_form(void **state) {
    (void)state;
    double x = -0.0, nan = -NAN, plain = -1.5;
    sl_canonical(&x);
    sl_canonical(&nan);
    sl_canonical(&plain);
    assert_false(signbit(x));
    assert_memory_equal(&nan, "\0\0\0\0\0\0\xf8\x7f", 8);
    assert_true(plain == -1.5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(top_is_within_its_bounds),
        cmocka_unit_test(top_is_exact_and_small_while_values_are_few),
        cmocka_unit_test(top_keeps_long_text_and_forgets_what_is_evicted),
        cmocka_unit_test(collect_gives_the_first_in_order),
        cmocka_unit_test(histograms_have_half_open_places),
        cmocka_unit_test(doubles_have_one_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
