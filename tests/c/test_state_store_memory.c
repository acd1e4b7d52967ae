/* Faults of memory: stores, which specs and the kit set, and what URLs name no store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "state/store.h"
#include "state/store_memory.h"

static store open_store(const char *url) {
    store s;
    assert_null(store_open(&(store_config){ .url = url }, &s));
    return s;
}

static bool put_fails(store *s, const char *name) {
    bool exists;
    err *e = s->ops->put(s->handle, name, "x", 1, STORE_REPLACE, &exists);
    bool fails = e != NULL;
    if (e) assert_true(e->code == ERR_IO && e->retriable);
    err_free(e);
    return fails;
}

static bool is_there(store *s, const char *name) {
    buf out = { 0 };
    bool missing;
    assert_null(s->ops->get(s->handle, name, &out, &missing));
    buf_done(&out);
    return !missing;
}

static void the_nth_put_fails(void **state) {
    (void)state;
    store s = open_store("memory:faulty");
    store_memory_fail("faulty", 2, 2, STORE_FAULT_BEFORE);
    assert_false(put_fails(&s, "a"));
    assert_true(put_fails(&s, "b"));
    assert_true(put_fails(&s, "b"));
    assert_false(is_there(&s, "b"));
    assert_false(put_fails(&s, "b"));
    assert_int_equal(store_memory_puts("faulty"), 4);
    store_memory_fail("faulty", 1, 1, STORE_FAULT_AFTER);
    assert_true(put_fails(&s, "c"));
    assert_true(is_there(&s, "c"));
    assert_false(put_fails(&s, "d"));
    store_close(&s);
    store_memory_remove("faulty");
}

static bool put_new(store *s, const char *name, const char *text) {
    bool exists;
    err *e = s->ops->put(s->handle, name, text, strlen(text), STORE_NEW, &exists);
    assert_true(!e || e->retriable);
    bool fails = e != NULL;
    err_free(e);
    return !fails && !exists;
}

static void a_new_object_whose_answer_was_lost_is_ones_own(void **state) {
    (void)state;
    store s = open_store("memory:lost"), other = open_store("memory:lost");
    store_memory_fail("lost", 1, 2, STORE_FAULT_AFTER);
    assert_false(put_new(&s, "a", "mine"));
    assert_false(put_new(&s, "a", "mine"));
    assert_false(put_new(&other, "a", "mine"));
    assert_true(put_new(&s, "a", "mine"));
    assert_false(put_new(&s, "a", "mine")); // now it was known
    store_memory_fail("lost", 1, 1, STORE_FAULT_BEFORE);
    assert_false(put_new(&s, "b", "mine"));
    assert_true(put_new(&other, "b", "theirs"));
    assert_false(put_new(&s, "b", "mine"));
    store_close(&s);
    store_close(&other);
    store_memory_remove("lost");
}

static void a_removed_store_is_empty_again(void **state) {
    (void)state;
    store s = open_store("memory:gone");
    assert_false(put_fails(&s, "a"));
    store_close(&s);
    s = open_store("memory:gone");
    assert_true(is_there(&s, "a"));
    store_close(&s);
    store_memory_remove("gone");
    s = open_store("memory:gone");
    assert_false(is_there(&s, "a"));
    store_close(&s);
    store_memory_remove("gone");
}

static void refused(const char *url, const char *words) {
    store s;
    err *e = store_open(&(store_config){ .url = url }, &s);
    assert_non_null(e);
    assert_int_equal(e->code, ERR_PLAN);
    if (!strstr(e->message, words)) print_error("%s: %s\n", url, e->message);
    assert_non_null(strstr(e->message, words));
    assert_null(strstr(e->message, "hunter2"));
    err_free(e);
}

static void what_names_no_store_is_refused(void **state) {
    (void)state;
    refused("/var/lib/sluice", "wanted file:FOLDER or s3://BUCKET/FOLDER");
    refused("ftp://me:hunter2@host/x", "`ftp://***@host/x`: no store is called so");
    refused("memory:", "has no name");
    refused("file:", "has no folder");
    refused("file://host/folder", "names another host");
    refused("file:/etc/passwd", "is a file");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nth_put_fails),
        cmocka_unit_test(a_new_object_whose_answer_was_lost_is_ones_own),
        cmocka_unit_test(a_removed_store_is_empty_again),
        cmocka_unit_test(what_names_no_store_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
