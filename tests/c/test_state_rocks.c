/* RocksDB as this program uses it: what an ended process left lying there changes nothing. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "state/rocks.h"

static char folder[] = "/tmp/sluice-rocks-XXXXXX";

static rocks_bytes bytes(const char *text) { return (rocks_bytes){ text, strlen(text) }; }

static rocks *opened(void) {
    rocks *r;
    assert_null(rocks_open(folder, &r));
    return r;
}

/* A run of keys `prefix`0 to `prefix`9, each with its own name as its value. */
static void write_run(rocks *r, const char *prefix) {
    rocks_run *run;
    char key[64];
    assert_null(rocks_run_begin(r, &run));
    for (int i = 0; i < 10; i++) {
        snprintf(key, sizeof key, "%s%d", prefix, i);
        rocks_run_put(run, bytes(key), bytes(key));
    }
    assert_null(rocks_run_apply(run));
}

static void assert_has(rocks *r, const char *key) {
    buf value = { 0 };
    bool missing;
    assert_null(rocks_get(r, bytes(key), &value, &missing));
    assert_false(missing);
    assert_string_equal(buf_text(&value), key);
    buf_done(&value);
}

/* How many files end in `end`; the path of one of them. */
static int files(const char *end, char *path, size_t room) {
    int count = 0;
    DIR *all = opendir(folder);
    for (struct dirent *item; (item = readdir(all));) {
        size_t len = strlen(item->d_name), end_len = strlen(end);
        if (len < end_len || strcmp(item->d_name + len - end_len, end)) continue;
        snprintf(path, room, "%s/%s", folder, item->d_name);
        count++;
    }
    closedir(all);
    return count;
}

/* A run is taken in by a hard link, and its own name removed behind that: whoever is killed between
 * leaves one file with two names. */
static void a_run_that_was_taken_in_is_not_written_into(void **state) {
    (void)state;
    char path[512], left[sizeof folder + 16];
    assert_non_null(mkdtemp(folder));
    snprintf(left, sizeof left, "%s/run-0.new", folder);
    rocks *r = opened();
    write_run(r, "first");
    rocks_close(r);
    assert_int_equal(files(".sst", path, sizeof path), 1);
    assert_int_equal(link(path, left), 0);
    r = opened();
    write_run(r, "the second run, of longer keys ");
    rocks_close(r);
    r = opened();
    assert_has(r, "first0");
    assert_has(r, "first9");
    assert_has(r, "the second run, of longer keys 9");
    rocks_close(r);
}

static void runs_that_were_not_taken_in_are_removed(void **state) {
    (void)state;
    char path[512], left[sizeof folder + 16];
    snprintf(left, sizeof left, "%s/run-7.new", folder);
    fclose(fopen(left, "w"));
    rocks *r = opened();
    assert_int_equal(files(".new", path, sizeof path), 0);
    assert_has(r, "first0");
    rocks_close(r);
    assert_null(rocks_destroy(folder));
    rmdir(folder);
}

/* A folder stands for a file that may not be removed. */
static void a_run_that_cannot_be_removed_is_passed_by(void **state) {
    (void)state;
    char left[sizeof folder + 16];
    rocks *r = opened(); /* makes the folder */
    rocks_close(r);
    for (int i = 0; i < 3; i += 2) {
        snprintf(left, sizeof left, "%s/run-%d.new", folder, i);
        assert_int_equal(mkdir(left, 0700), 0);
    }
    r = opened();
    write_run(r, "behind those that stay ");
    write_run(r, "once more ");
    assert_has(r, "behind those that stay 9");
    assert_has(r, "once more 0");
    rocks_close(r);
    for (int i = 0; i < 3; i += 2) {
        snprintf(left, sizeof left, "%s/run-%d.new", folder, i);
        assert_int_equal(rmdir(left), 0);
    }
    assert_null(rocks_destroy(folder));
    rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_that_was_taken_in_is_not_written_into),
        cmocka_unit_test(runs_that_were_not_taken_in_are_removed),
        cmocka_unit_test(a_run_that_cannot_be_removed_is_passed_by),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
