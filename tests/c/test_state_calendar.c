/* Calendars: what is due when, with times that move, against a naive model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/calendar.h"

enum { ENTRIES = 300 };

/* Entries as a table would hold them; the hash says which, `due` when it is due. */
typedef struct thing {
    entry head;
    int64_t due_ms;
    int64_t added_ms; /* INT64_MAX: it does not stand in the calendar */
} thing;

static int64_t due_of(const entry *e, void *arg) {
    (void)arg;
    return ((const thing *)e)->due_ms;
}

static void taken_is_what_is_due(void **state) {
    (void)state;
    thing things[4] = { 0 };
    const int64_t dues[] = { INT64_MIN, -5, 7, INT64_MAX - 1 };
    calendar *c = calendar_new();
    for (int i = 0; i < 4; i++) calendar_add(c, dues[i], &things[i].head);
    calendar_add(c, INT64_MAX, &things[0].head); /* never */
    assert_int_equal(calendar_count(c), 4);
    uint32_t count;
    const calendar_item *taken = calendar_take(c, -6, &count);
    assert_int_equal(count, 1);
    assert_ptr_equal(taken[0].entry, &things[0].head);
    calendar_take(c, -6, &count);
    assert_int_equal(count, 0);
    taken = calendar_take(c, 7, &count);
    assert_int_equal(count, 2);
    assert_int_equal(taken[0].due_ms + taken[1].due_ms, 2);
    calendar_add(c, 3, &things[1].head); /* behind what was taken */
    calendar_add(c, 5, &things[2].head);
    taken = calendar_take(c, 3, &count);
    assert_int_equal(count, 1);
    assert_ptr_equal(taken[0].entry, &things[1].head);
    calendar_take(c, 2, &count);
    assert_int_equal(count, 0);
    calendar_take(c, INT64_MAX, &count);
    assert_int_equal(count, 2);
    assert_int_equal(calendar_count(c), 0);
    calendar_free(c);
    calendar_free(NULL);
}

static void a_time_that_moved_is_not_due(void **state) {
    (void)state;
    thing things[2] = { { .due_ms = 100 }, { .due_ms = 200 } };
    calendar *c = calendar_new();
    for (int i = 0; i < 2; i++) calendar_add(c, things[i].due_ms, &things[i].head);
    things[0].due_ms = 150;
    assert_false(calendar_is_due(c, 149, due_of, NULL));
    assert_true(calendar_is_due(c, 150, due_of, NULL));
    assert_false(calendar_is_due(c, 149, due_of, NULL));
    assert_true(calendar_is_due(c, 200, due_of, NULL));
    assert_int_equal(calendar_count(c), 2);
    uint32_t count;
    const calendar_item *taken = calendar_take(c, 160, &count);
    assert_int_equal(count, 1);
    assert_int_equal(taken[0].due_ms, 150);
    things[1].due_ms = INT64_MAX; /* never again: it leaves */
    assert_false(calendar_is_due(c, 200, due_of, NULL));
    assert_int_equal(calendar_count(c), 0);
    calendar_add(c, 300, &things[1].head);
    things[1].head.mark = ENTRY_REMOVED;
    things[1].due_ms = 300;
    assert_false(calendar_is_due(c, 300, due_of, NULL)); /* removed */
    calendar_add(c, 300, &things[1].head);
    calendar_clear(c);
    calendar_take(c, 300, &count);
    assert_int_equal(count, 0);
    calendar_free(c);
}

static int64_t random_time(int64_t now_ms) {
    int64_t span = (int64_t)1 << rand() % 40;
    return now_ms + (int64_t)rand() % span - (rand() % 10 ? 0 : span / 2);
}

/* Take everything due and see that the model agrees; half of it comes again later. */
static void take(calendar *c, thing *things, int64_t now_ms) {
    uint32_t count, expected = 0;
    for (int i = 0; i < ENTRIES; i++) expected += things[i].added_ms <= now_ms;
    const calendar_item *taken = calendar_take(c, now_ms, &count);
    assert_int_equal(count, expected);
    for (uint32_t i = 0; i < count; i++) {
        thing *t = (thing *)taken[i].entry;
        assert_int_equal(t->added_ms, taken[i].due_ms);
        assert_true(t->added_ms <= now_ms);
        t->added_ms = INT64_MAX;
        if (rand() % 2) continue;
        t->due_ms = t->added_ms = random_time(now_ms);
        calendar_add(c, t->added_ms, taken[i].entry);
    }
}

static void random_times_agree_with_a_model(void **state) {
    (void)state;
    srand(5);
    for (int round = 0; round < 50; round++) {
        thing things[ENTRIES];
        memset(things, 0, sizeof things);
        for (int i = 0; i < ENTRIES; i++) things[i].added_ms = INT64_MAX;
        calendar *c = calendar_new();
        int64_t now_ms = round % 2 ? -1000000 : 1700000000000;
        for (int step = 0; step < 300; step++) {
            for (int adds = rand() % 20; adds > 0; adds--) {
                thing *t = &things[rand() % ENTRIES];
                if (t->added_ms != INT64_MAX) continue;
                t->due_ms = t->added_ms = random_time(now_ms);
                calendar_add(c, t->added_ms, &t->head);
            }
            int64_t asked = random_time(now_ms);
            bool due = false;
            for (int i = 0; i < ENTRIES; i++) due |= things[i].added_ms <= asked;
            assert_int_equal(calendar_is_due(c, asked, due_of, NULL), due);
            now_ms = random_time(now_ms);
            take(c, things, now_ms);
        }
        calendar_free(c);
    }
}

static void memory_stays_flat(void **state) {
    (void)state;
    enum { COUNT = 10000 };
    static thing things[COUNT];
    calendar *c = calendar_new();
    size_t held = 0;
    for (int64_t now_ms = 0; now_ms < 300 * 1000; now_ms += 1000) {
        for (int i = 0; i < COUNT; i++) calendar_add(c, now_ms + 1 + i % 1000, &things[i].head);
        for (int64_t part_ms = 0; part_ms < 1000; part_ms += 100) {
            uint32_t count;
            calendar_take(c, now_ms + part_ms + 100, &count);
            assert_int_equal(count, COUNT / 10);
        }
        if (now_ms == 20000) held = calendar_held_bytes(c);
    }
    assert_int_equal(calendar_count(c), 0);
    assert_true(calendar_held_bytes(c) <= 2 * held);
    calendar_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken_is_what_is_due),
        cmocka_unit_test(a_time_that_moved_is_not_due),
        cmocka_unit_test(random_times_agree_with_a_model),
        cmocka_unit_test(memory_stays_flat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
