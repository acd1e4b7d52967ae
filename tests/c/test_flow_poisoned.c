/* The list of records that ended a run, between runs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/flow/poisoned.h"

static sl_string string_of(const char *text) {
    return (sl_string){ .data = text, .len = (uint32_t)strlen(text) };
}

static void what_is_added_is_read_again(void **state) {
    (void)state;
    char folder[] = "/tmp/sluice-poison-XXXXXX", path[128], file[160], parent[128];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/not/yet", folder);
    snprintf(file, sizeof file, "%s.poison", path);
    snprintf(parent, sizeof parent, "%s/not", folder);
    sl_plan plan = { .checkpoint = { .url = string_of("file:x"), .state_dir = string_of(path) } };
    poison all;
    poisoned_read(&plan, &all);
    assert_int_equal(all.count, 0);

    assert_true(poisoned_add(&plan, "rides", 3, 17, "filter a.lua:1 has not\nreturned"));
    FILE *out = fopen(file, "a"); /* what somebody else wrote, and what is cut */
    fputs("\nnonsense\n1 2\n\t\n12 x rides\twhy\n", out);
    fclose(out);
    assert_true(poisoned_add(&plan, "a file with blanks.jsonl", 0, INT64_C(5000000000), "why"));
    poisoned_read(&plan, &all);
    assert_int_equal(all.count, 2);
    assert_string_equal(poison_why(&all, "rides", 3, 17),
                        "it ended an earlier run: filter a.lua:1 has not returned");
    assert_non_null(poison_why(&all, "a file with blanks.jsonl", 0, INT64_C(5000000000)));
    assert_null(poison_why(&all, "rides", 3, 18));
    assert_null(poison_why(&all, "rides", 2, 17));
    assert_null(poison_why(&all, "ride", 3, 17));
    poisoned_free(&all);

    plan.checkpoint.url = (sl_string){ 0 }; /* nothing is kept */
    assert_false(poisoned_add(&plan, "rides", 3, 19, "why"));
    poisoned_read(&plan, &all);
    assert_int_equal(all.count, 0);
    unlink(file);
    rmdir(parent);
    rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_added_is_read_again) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
