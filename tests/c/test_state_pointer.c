/* The text that is committed with the offsets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/pointer.h"

static const char TEXT[] = "S1 d 42 12 9f0c1a2b3c4d5e6f708192a3b4c5d6e7 f854b435";

static void a_pointer_is_read_as_it_was_written(void **state) {
    (void)state;
    char text[SL_POINTER_BYTES], name[96];
    const pointer_kind kinds[] = { POINTER_GENESIS, POINTER_DELTA, POINTER_FULL };
    for (int i = 0; i < 3; i++) {
        pointer p = pointer_new(kinds[i], UINT64_MAX, UINT32_MAX), read;
        pointer_write(&p, text);
        assert_true(strlen(text) < 100);
        assert_int_equal(pointer_read(text, &read), POINTER_OK);
        assert_int_equal(read.kind, kinds[i]);
        assert_true(read.batch == UINT64_MAX && read.partitions == UINT32_MAX);
        assert_string_equal(read.id, p.id);
        pointer_object(&p, name);
        assert_int_equal(strlen(name) > 0, kinds[i] != POINTER_GENESIS);
    }
}

static void its_bytes_and_the_name_of_its_object_are_fixed(void **state) {
    (void)state;
    pointer p = { POINTER_DELTA, 42, 12, "9f0c1a2b3c4d5e6f708192a3b4c5d6e7" };
    char text[SL_POINTER_BYTES], name[96];
    pointer_write(&p, text);
    assert_string_equal(text, TEXT);
    pointer_object(&p, name);
    assert_string_equal(name, "state/000000000042-9f0c1a2b3c4d5e6f708192a3b4c5d6e7.delta");
    p.kind = POINTER_FULL;
    pointer_object(&p, name);
    assert_string_equal(name, "state/000000000042-9f0c1a2b3c4d5e6f708192a3b4c5d6e7.full");
}

static void ids_are_never_the_same(void **state) {
    (void)state;
    pointer a = pointer_new(POINTER_DELTA, 1, 1), b = pointer_new(POINTER_DELTA, 1, 1);
    assert_string_not_equal(a.id, b.id);
    assert_int_equal(strlen(a.id), 32);
}

static void every_other_text_is_told_apart(void **state) {
    (void)state;
    pointer p;
    char text[SL_POINTER_BYTES];
    assert_int_equal(pointer_read("", &p), POINTER_EMPTY);
    assert_int_equal(pointer_read("flink checkpoint 7", &p), POINTER_FOREIGN);
    assert_int_equal(pointer_read("S", &p), POINTER_FOREIGN);
    assert_int_equal(pointer_read("S2 whatever comes then", &p), POINTER_NEWER);
    assert_int_equal(pointer_read("S10 x", &p), POINTER_NEWER);
    assert_int_equal(pointer_read(TEXT, &p), POINTER_OK);
    size_t len = strlen(TEXT);
    for (size_t cut = 3; cut < len; cut++) {
        memcpy(text, TEXT, cut);
        text[cut] = '\0';
        assert_int_equal(pointer_read(text, &p), POINTER_DAMAGED);
    }
    for (size_t at = 0; at < len; at++) {
        for (int bit = 0; bit < 7; bit++) {
            strcpy(text, TEXT);
            text[at] = (char)(text[at] ^ 1 << bit);
            if (pointer_read(text, &p) == POINTER_OK) fail_msg("%s", text);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pointer_is_read_as_it_was_written),
        cmocka_unit_test(its_bytes_and_the_name_of_its_object_are_fixed),
        cmocka_unit_test(ids_are_never_the_same),
        cmocka_unit_test(every_other_text_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
