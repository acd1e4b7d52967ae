/* What every store keeps to, on all of them. SLUICE_TEST_STORE=URL takes the store of that URL
 * instead (tests/s3/run gives it a real server). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/buf.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "state/store.h"
#include "state/store_memory.h"

enum { WRITERS = 8,
       BIG = 5 << 20 };

typedef struct bench {
    char url[256];
    char dir[64];
    logger log;
    store_config config;
    store s;
} bench;

static uint32_t made;

static void setup_url(bench *b, const char *kind) {
    const char *given = getenv("SLUICE_TEST_STORE");
    strcpy(b->dir, "/tmp/sluice-store-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    if (given) {
        snprintf(b->url, sizeof b->url, "%s/t%d-%u-%lld", given, (int)getpid(), made++,
                 (long long)time(NULL));
    } else if (!strcmp(kind, "file")) {
        snprintf(b->url, sizeof b->url, "file:%s/deep/down", b->dir);
    } else {
        snprintf(b->url, sizeof b->url, "memory:test-%u", made++);
    }
}

static int setup(void **state, const char *kind) {
    bench *b = mem_zalloc(1, sizeof *b);
    setup_url(b, kind);
    log_init(&b->log, 2, LOG_PLAIN, LOG_ERROR);
    b->config = (store_config){ .url = b->url, .log = &b->log };
    assert_null(store_open(&b->config, &b->s));
    *state = b;
    return 0;
}

static int setup_file(void **state) { return setup(state, "file"); }
static int setup_memory(void **state) { return setup(state, "memory"); }

static err *remove_one(void *arg, const char *name, int64_t size, int64_t changed_ms) {
    (void)size, (void)changed_ms;
    store *s = arg;
    return s->ops->remove(s->handle, name);
}

static int teardown(void **state) {
    bench *b = *state;
    assert_null(b->s.ops->list(b->s.handle, "", remove_one, &b->s));
    store_close(&b->s);
    if (!strncmp(b->url, "memory:", 7)) store_memory_remove(b->url + 7);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", b->dir);
    assert_int_equal(system(command), 0);
    log_done(&b->log);
    mem_free(b);
    return 0;
}

static void ok(err *e) {
    if (e) print_error("%s\n", e->message);
    assert_null(e);
}

static void put(store *s, const char *name, const char *text) {
    bool exists = true;
    ok(s->ops->put(s->handle, name, text, strlen(text), STORE_REPLACE, &exists));
    assert_false(exists);
}

static bool put_new(store *s, const char *name, const char *text) {
    bool exists = false;
    ok(s->ops->put(s->handle, name, text, strlen(text), STORE_NEW, &exists));
    return !exists;
}

static void assert_holds(store *s, const char *name, const char *wanted) {
    buf got = { 0 };
    bool missing = true;
    ok(s->ops->get(s->handle, name, &got, &missing));
    assert_int_equal(missing, wanted == NULL);
    assert_string_equal(buf_text(&got), wanted ? wanted : "");
    buf_done(&got);
}

static void an_object_is_got_as_it_was_put(void **state) {
    store *s = &((bench *)*state)->s;
    put(s, "p/state/000000000042-0af9.delta", "bytes");
    assert_holds(s, "p/state/000000000042-0af9.delta", "bytes");
    put(s, "p/state/empty", "");
    assert_holds(s, "p/state/empty", "");
    assert_holds(s, "p/state/none", NULL);
    assert_holds(s, "q/none", NULL);
}

static void get_appends(void **state) {
    store *s = &((bench *)*state)->s;
    buf out = { 0 };
    bool missing;
    put(s, "p/a", "two");
    buf_put_text(&out, "one ");
    ok(s->ops->get(s->handle, "p/a", &out, &missing));
    assert_string_equal(buf_text(&out), "one two");
    buf_done(&out);
}

static void bytes_of_any_kind_and_many(void **state) {
    store *s = &((bench *)*state)->s;
    char *bytes = mem_alloc(BIG);
    uint32_t seed = 7;
    for (size_t i = 0; i < BIG; i++) bytes[i] = (char)((seed = seed * 1664525 + 1013904223) >> 24);
    bool exists, missing;
    ok(s->ops->put(s->handle, "p/big", bytes, BIG, STORE_NEW, &exists));
    buf out = { 0 };
    ok(s->ops->get(s->handle, "p/big", &out, &missing));
    assert_int_equal(out.len, BIG);
    assert_memory_equal(out.data, bytes, BIG);
    buf_done(&out);
    mem_free(bytes);
}

static void replace_replaces(void **state) {
    store *s = &((bench *)*state)->s;
    put(s, "p/head", "a long first text");
    put(s, "p/head", "second");
    assert_holds(s, "p/head", "second");
}

static void new_leaves_what_is_there(void **state) {
    store *s = &((bench *)*state)->s;
    assert_true(put_new(s, "p/plan/1", "first"));
    assert_false(put_new(s, "p/plan/1", "second"));
    assert_holds(s, "p/plan/1", "first");
    ok(s->ops->remove(s->handle, "p/plan/1"));
    assert_true(put_new(s, "p/plan/1", "third"));
    assert_holds(s, "p/plan/1", "third");
}

static void removing_what_is_not_there_is_no_error(void **state) {
    store *s = &((bench *)*state)->s;
    put(s, "p/a", "a");
    ok(s->ops->remove(s->handle, "p/a"));
    assert_holds(s, "p/a", NULL);
    ok(s->ops->remove(s->handle, "p/a"));
    ok(s->ops->remove(s->handle, "q/r/s"));
}

static err *note_name(void *arg, const char *name, int64_t size, int64_t changed_ms) {
    int64_t age_ms = (int64_t)time(NULL) * 1000 - changed_ms;
    assert_true(age_ms > -60000 && age_ms < 60000);
    buf_printf(arg, "%s:%d ", name, (int)size);
    return NULL;
}

static void assert_lists(store *s, const char *prefix, const char *wanted) {
    buf names = { 0 };
    ok(s->ops->list(s->handle, prefix, note_name, &names));
    assert_string_equal(buf_text(&names), wanted);
    buf_done(&names);
}

static void lists_by_prefix_in_order(void **state) {
    store *s = &((bench *)*state)->s;
    assert_lists(s, "", "");
    put(s, "p/state/02", "22");
    put(s, "p/state/10", "1");
    put(s, "p/state/01", "");
    put(s, "p/state.x", "333");
    put(s, "p/head", "h");
    put(s, "p-2/head", "h");
    put(s, "pp/head", "h");
    assert_lists(s, "p/state/", "p/state/01:0 p/state/02:2 p/state/10:1 ");
    assert_lists(s, "p/state", "p/state.x:3 p/state/01:0 p/state/02:2 p/state/10:1 ");
    assert_lists(s, "p/state/0", "p/state/01:0 p/state/02:2 ");
    assert_lists(s, "p/", "p/head:1 p/state.x:3 p/state/01:0 p/state/02:2 p/state/10:1 ");
    assert_lists(s, "", "p-2/head:1 p/head:1 p/state.x:3 p/state/01:0 p/state/02:2 p/state/10:1 "
                        "pp/head:1 ");
    assert_lists(s, "x/", "");
    assert_lists(s, "p/head/x", "");
}

static err *stop_at_second(void *arg, const char *name, int64_t size, int64_t changed_ms) {
    (void)name, (void)size, (void)changed_ms;
    return ++*(int *)arg == 2 ? err_new(ERR_STATE, "enough") : NULL;
}

static void an_error_of_the_visitor_ends_the_list(void **state) {
    store *s = &((bench *)*state)->s;
    for (const char *c = "abcd"; *c; c++) put(s, (char[]){ 'p', '/', *c, 0 }, "x");
    int seen = 0;
    err *e = s->ops->list(s->handle, "p/", stop_at_second, &seen);
    assert_string_equal(e->message, "enough");
    assert_int_equal(seen, 2);
    err_free(e);
}

static void names_that_lead_elsewhere_are_refused(void **state) {
    store *s = &((bench *)*state)->s;
    static const char *const bad[] = { "", "/a", "a/", "a//b", "..", "../a", "a/../b", ".a",
                                       "a/.b", "a b", "a\\b", "a\nb", "a?b", "a%2fb", "\xc3\xa4",
                                       NULL };
    for (int i = 0; bad[i]; i++) {
        bool flag;
        char by[64];
        buf out = { 0 };
        err *errors[] = { s->ops->put(s->handle, bad[i], "x", 1, STORE_REPLACE, &flag),
                          s->ops->get(s->handle, bad[i], &out, &flag),
                          s->ops->remove(s->handle, bad[i]),
                          s->ops->lock ? s->ops->lock(s->handle, bad[i], &flag, by)
                                       : err_new(ERR_IO, "no locks") };
        for (int k = 0; k < 4; k++) {
            if (!errors[k]) print_error("accepted: `%s`\n", bad[i]);
            assert_non_null(errors[k]);
            assert_int_equal(errors[k]->code, ERR_IO);
            err_free(errors[k]);
        }
    }
    char longest[1024];
    memset(longest, 'a', sizeof longest);
    longest[200] = '\0';
    put(s, longest, "x");
    assert_holds(s, longest, "x");
}

typedef struct writer {
    store *s;
    pthread_t thread;
    int number;
    bool won;
} writer;

static void *write_plan(void *arg) {
    writer *w = arg;
    char text[32];
    snprintf(text, sizeof text, "of writer %d", w->number);
    w->won = put_new(w->s, "p/plan/raced", text);
    snprintf(text, sizeof text, "p/state/w%d", w->number);
    for (int i = 0; i < 5; i++) put(w->s, text, text);
    assert_holds(w->s, text, text);
    return NULL;
}

static void one_of_many_writers_wins(void **state) {
    bench *b = *state;
    store *s = &b->s;
    for (int round = 0; round < 5; round++) {
        store other[2]; // as two processes would have them
        writer writers[WRITERS];
        for (int i = 0; i < 2; i++) ok(store_open(&b->config, &other[i]));
        for (int i = 0; i < WRITERS; i++) {
            writers[i] = (writer){ .s = &other[i % 2], .number = i };
            assert_int_equal(pthread_create(&writers[i].thread, NULL, write_plan, &writers[i]), 0);
        }
        int winner = -1, wins = 0;
        for (int i = 0; i < WRITERS; i++) {
            pthread_join(writers[i].thread, NULL);
            if (writers[i].won) winner = i;
            wins += writers[i].won;
        }
        assert_int_equal(wins, 1);
        char text[32];
        snprintf(text, sizeof text, "of writer %d", winner);
        assert_holds(s, "p/plan/raced", text);
        ok(s->ops->remove(s->handle, "p/plan/raced"));
        for (int i = 0; i < 2; i++) store_close(&other[i]);
    }
}

static void another_opening_finds_the_objects(void **state) {
    bench *b = *state;
    store again;
    put(&b->s, "p/a", "kept");
    ok(store_open(&b->config, &again));
    assert_holds(&again, "p/a", "kept");
    assert_string_equal(again.url, b->url);
    store_close(&again);
}

static void a_lock_keeps_others_out(void **state) {
    bench *b = *state;
    store *s = &b->s, other;
    if (!s->ops->lock) skip();
    bool taken = true;
    char by[64];
    ok(store_open(&b->config, &other));
    ok(s->ops->lock(s->handle, "p/owner", &taken, by));
    assert_false(taken);
    ok(s->ops->lock(s->handle, "p/owner", &taken, by));
    assert_false(taken);
    ok(other.ops->lock(other.handle, "p/owner", &taken, by));
    assert_true(taken);
    assert_true(strlen(by) > 0);
    ok(other.ops->lock(other.handle, "q/owner", &taken, by));
    assert_false(taken);
    assert_lists(s, "", "");
    store_close(s);
    ok(other.ops->lock(other.handle, "p/owner", &taken, by));
    assert_false(taken);
    store_close(&other);
    ok(store_open(&b->config, s));
}

#define OF_EACH(test, kind) cmocka_unit_test_setup_teardown(test, setup_##kind, teardown)
#define SUITE(kind)                                                               \
    { OF_EACH(an_object_is_got_as_it_was_put, kind), OF_EACH(get_appends, kind),  \
      OF_EACH(bytes_of_any_kind_and_many, kind), OF_EACH(replace_replaces, kind), \
      OF_EACH(new_leaves_what_is_there, kind),                                    \
      OF_EACH(removing_what_is_not_there_is_no_error, kind),                      \
      OF_EACH(lists_by_prefix_in_order, kind),                                    \
      OF_EACH(an_error_of_the_visitor_ends_the_list, kind),                       \
      OF_EACH(names_that_lead_elsewhere_are_refused, kind),                       \
      OF_EACH(one_of_many_writers_wins, kind),                                    \
      OF_EACH(another_opening_finds_the_objects, kind), OF_EACH(a_lock_keeps_others_out, kind) }

int main(void) {
    const struct CMUnitTest file[] = SUITE(file), memory[] = SUITE(memory);
    if (getenv("SLUICE_TEST_STORE")) return cmocka_run_group_tests(file, NULL, NULL);
    int failed = cmocka_run_group_tests(file, NULL, NULL);
    return failed + cmocka_run_group_tests(memory, NULL, NULL);
}
