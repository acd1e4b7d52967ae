/* In which batch runs ended, told to the next run. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/flow/deaths.h"

static char folder[64], path[96], file[128];
static sl_plan plan;

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/sluice-deaths-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/p", folder);
    snprintf(file, sizeof file, "%s.deaths", path);
    plan.checkpoint.url = (sl_string){ .data = "file:x", .len = 6 };
    plan.checkpoint.state_dir = (sl_string){ .data = path, .len = (uint32_t)strlen(path) };
    return 0;
}

static int drop_folder(void **state) {
    (void)state;
    unlink(file);
    return rmdir(folder);
}

/* A run that does batches [first, last) and ends in `last`. */
static void die_in(uint64_t first, uint64_t last) {
    deaths *d = deaths_open(&plan);
    assert_non_null(d);
    for (uint64_t i = first; i < last; i++) {
        deaths_enter(d, i);
        deaths_leave(d, i);
    }
    deaths_enter(d, last);
    deaths_close(d); /* the mapping stays in the file, as if the process had died */
}

static uint32_t told(uint64_t batch) {
    deaths *d = deaths_open(&plan);
    uint32_t count = deaths_of(d, batch);
    deaths_close(d);
    return count;
}

static void deaths_in_one_batch_add_up(void **state) {
    (void)state;
    assert_int_equal(told(0), 0);
    die_in(0, 7);
    assert_int_equal(told(7), 1);
    assert_int_equal(told(7), 1); /* looking is no dying */
    die_in(7, 7);
    die_in(7, 7);
    assert_int_equal(told(7), 3);
    assert_int_equal(told(8), 0);
}

static void one_that_is_done_is_forgotten(void **state) {
    (void)state;
    die_in(0, 7);
    die_in(7, 7);
    die_in(7, 8); /* it ends in the next one */
    assert_int_equal(told(8), 1);
}

static void what_is_done_again_before_it_is_no_way_past_it(void **state) {
    (void)state;
    die_in(2, 60); /* none of them was committed: at least once, the pointer follows */
    die_in(2, 60);
    assert_int_equal(told(60), 2);
    die_in(2, 61); /* past it */
    assert_int_equal(told(61), 1);
}

static void who_dies_one_batch_ahead_of_the_commit_is_known(void **state) {
    (void)state;
    die_in(7, 8); /* 7 was done, and not committed */
    die_in(7, 8);
    assert_int_equal(told(7), 2);
    assert_int_equal(told(8), 2);
    die_in(7, 7); /* it was cut otherwise */
    assert_int_equal(told(7), 3);
}

static void another_checkpoint_begins_anew(void **state) {
    (void)state;
    die_in(1000, 1000);
    die_in(1000, 1000);
    assert_int_equal(told(0), 0);
    die_in(0, 0);
    assert_int_equal(told(0), 1);
}

static void what_is_no_such_file_is_made_one(void **state) {
    (void)state;
    FILE *out = fopen(file, "w");
    fputs("nonsense, and more than a page of it holds in all its fields", out);
    fclose(out);
    assert_int_equal(told(0), 0);
    die_in(0, 0);
    assert_int_equal(told(0), 1);
}

static void without_a_file_nothing_is_known(void **state) {
    (void)state;
    plan.checkpoint.url = (sl_string){ 0 };
    deaths *d = deaths_open(&plan);
    assert_null(d);
    deaths_enter(d, 1);
    deaths_leave(d, 1);
    assert_int_equal(deaths_of(d, 1), 0);
    deaths_close(d);
}

int main(void) {
#define WITH_FOLDER(f) cmocka_unit_test_setup_teardown(f, make_folder, drop_folder)
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(deaths_in_one_batch_add_up),
        WITH_FOLDER(one_that_is_done_is_forgotten),
        WITH_FOLDER(what_is_done_again_before_it_is_no_way_past_it),
        WITH_FOLDER(who_dies_one_batch_ahead_of_the_commit_is_known),
        WITH_FOLDER(another_checkpoint_begins_anew),
        WITH_FOLDER(what_is_no_such_file_is_made_one),
        WITH_FOLDER(without_a_file_nothing_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
