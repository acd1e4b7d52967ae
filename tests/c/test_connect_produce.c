/* What a leader answers to our own Produce. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "runtime/connect/kafka_produce_state.h"

enum { ID = 7,
       COUNT = 3 };

typedef struct world {
    produce_topic topic;
    produce_partition partitions[COUNT];
    produce_batch batches[COUNT];
    produce_batch *list[COUNT];
    produce_request request;
    buf answer;
} world;

static char name[] = "out";

static void ready(world *w) {
    *w = (world){ .topic = { .name = name } };
    for (int i = 0; i < COUNT; i++) {
        w->partitions[i] = (produce_partition){ .topic = &w->topic, .number = i };
        w->batches[i].partition = &w->partitions[i];
        w->list[i] = &w->batches[i];
    }
    w->request = (produce_request){ .batches = w->list, .count = COUNT, .id = ID };
    buf_init(&w->answer);
}

/* An answer that tells of these partitions. */
static bool is_sound(world *w, int32_t id, const int32_t *numbers, int32_t count) {
    buf *out = &w->answer;
    buf_reset(out);
    wire_put_int32(out, id);
    wire_put_int32(out, 1);
    wire_put_text(out, name);
    wire_put_int32(out, count);
    for (int32_t i = 0; i < count; i++) {
        wire_put_int32(out, numbers[i]);
        wire_put_int16(out, 0);
        for (int byte = 0; byte < 24; byte++) buf_put_char(out, 0);
    }
    return produce_is_sound(&w->request, out->data, out->len);
}

static void test_each_batch_is_told_of_once(void **state) {
    world w;
    (void)state;
    ready(&w);
    assert_true(is_sound(&w, ID, (int32_t[]){ 0, 1, 2 }, 3));
    assert_true(is_sound(&w, ID, (int32_t[]){ 2, 0, 1 }, 3)); /* in any order, and once more */
    assert_false(is_sound(&w, ID, (int32_t[]){ 0, 1, 1 }, 3));
    assert_false(is_sound(&w, ID, (int32_t[]){ 0, 0, 0 }, 3));
    assert_false(is_sound(&w, ID, (int32_t[]){ 0, 1 }, 2));
    assert_false(is_sound(&w, ID, (int32_t[]){ 0, 1, 2, 2 }, 4));
    assert_false(is_sound(&w, ID, (int32_t[]){ 0, 1, 3 }, 3));
    assert_false(is_sound(&w, ID + 1, (int32_t[]){ 0, 1, 2 }, 3));
    buf_done(&w.answer);
}

static void test_an_answer_that_is_cut_short(void **state) {
    world w;
    (void)state;
    ready(&w);
    assert_true(is_sound(&w, ID, (int32_t[]){ 0, 1, 2 }, 3));
    for (size_t len = 0; len < w.answer.len - 4; len++)
        assert_false(produce_is_sound(&w.request, w.answer.data, len));
    buf_done(&w.answer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_batch_is_told_of_once),
        cmocka_unit_test(test_an_answer_that_is_cut_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
