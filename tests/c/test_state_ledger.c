/* The ledger of a pipeline without Kafka: what is committed is read again, once. */
#include "tests/c/chain_kit.h"

#include "state/store_ledger.h"

static const sl_ledger_ops *const OPS = &store_ledger_ops;

static err *ledger_new(fixture *f, bool is_reader, void **ledger) {
    store_ledger_config config = { .store = &f->store, .pipeline = "rides", .log = &f->log };
    config.clock = &f->clock;
    config.is_reader = is_reader;
    return store_ledger_new(&config, ledger);
}

static const sl_committed *read_one(void *ledger, uint32_t *count) {
    const sl_committed *items;
    assert_ok(OPS->read(ledger, &items, count));
    return items;
}

static void what_is_committed_is_read(void **state) {
    (void)state;
    fixture f;
    void *ledger;
    uint32_t count;
    fixture_open(&f, "memory:ledger");
    assert_ok(ledger_new(&f, false, &ledger));
    read_one(ledger, &count);
    assert_int_equal(count, 0);
    assert_ok(OPS->begin(ledger));
    assert_ok(OPS->commit(ledger, "first", MARKS, 3));
    assert_ok(OPS->commit(ledger, "second", MARKS, 2));
    OPS->close(ledger);
    assert_ok(ledger_new(&f, true, &ledger));
    const sl_committed *items = read_one(ledger, &count);
    assert_int_equal(count, 2);
    assert_string_equal(items[1].pointer, "second");
    assert_string_equal(items[1].mark.topic, "ride events");
    assert_int_equal(items[1].mark.partition, 1);
    assert_int_equal(items[1].mark.offset, 4);
    OPS->close(ledger);
    fixture_close(&f);
    store_memory_remove("ledger");
}

static void whoever_comes_second_is_fenced(void **state) {
    (void)state;
    fixture f;
    void *sleeper, *other;
    uint32_t count;
    fixture_open(&f, "memory:ledger");
    assert_ok(ledger_new(&f, false, &sleeper));
    assert_ok(OPS->commit(sleeper, "one", MARKS, 1));
    assert_ok(ledger_new(&f, true, &other)); /* as where no lock keeps it out */
    read_one(other, &count);
    assert_ok(OPS->claim(other, "one", MARKS, 1));
    assert_ok(OPS->check(sleeper));
    assert_ok(OPS->commit(other, "two", MARKS, 1));
    err *e = OPS->commit(sleeper, "two, too", MARKS, 1);
    assert_int_equal(e->code, ERR_FENCED);
    err_free(e);
    clock_advance(&f.clock, 5000);
    e = OPS->check(sleeper);
    assert_int_equal(e->code, ERR_FENCED);
    err_free(e);
    assert_string_equal(read_one(other, &count)[0].pointer, "two");
    OPS->close(sleeper);
    OPS->close(other);
    fixture_close(&f);
    store_memory_remove("ledger");
}

/* A commit whose answer is lost is the same commit; one that cannot be stored has not happened. */
static void an_unknown_commit_is_found_out(void **state) {
    (void)state;
    fixture f;
    void *ledger;
    uint32_t count;
    fixture_open(&f, "memory:ledger");
    f.log.level = LOG_ERROR + 1;
    assert_ok(ledger_new(&f, false, &ledger));
    assert_ok(OPS->commit(ledger, "one", MARKS, 1));
    store_memory_fail("ledger", 1, 1, STORE_FAULT_AFTER);
    assert_ok(OPS->commit(ledger, "two", MARKS, 1));
    store_memory_fail("ledger", 1, 2, STORE_FAULT_BEFORE);
    assert_ok(OPS->commit(ledger, "three", MARKS, 1));
    assert_string_equal(read_one(ledger, &count)[0].pointer, "three");
    assert_int_equal(count_objects(&f, "commit/"), 3);
    store_memory_fail("ledger", 1, UINT32_MAX, STORE_FAULT_BEFORE);
    err *e = OPS->commit(ledger, "four", MARKS, 1);
    assert_true(e->retriable);
    err_free(e);
    store_memory_fail("ledger", 0, 0, 0);
    assert_string_equal(read_one(ledger, &count)[0].pointer, "three");
    OPS->close(ledger);
    fixture_close(&f);
    store_memory_remove("ledger");
}

/* A sleeper's number may be free again: it is fenced behind its put, and the newest stays. */
static void a_long_sleeper_does_not_move_the_pointer(void **state) {
    (void)state;
    fixture f;
    void *sleeper, *other;
    uint32_t count;
    fixture_open(&f, "memory:ledger");
    assert_ok(ledger_new(&f, false, &sleeper));
    assert_ok(OPS->commit(sleeper, "one", MARKS, 1));
    assert_ok(ledger_new(&f, false, &other));
    read_one(other, &count);
    for (int i = 0; i < 200; i++) {
        clock_advance(&f.clock, 1000);
        assert_ok(OPS->commit(other, i < 199 ? "later" : "last", MARKS, 1));
    }
    assert_true(count_objects(&f, "commit/") < 80);
    err *e = OPS->commit(sleeper, "asleep", MARKS, 1);
    assert_int_equal(e->code, ERR_FENCED);
    err_free(e);
    assert_string_equal(read_one(other, &count)[0].pointer, "last");
    OPS->close(sleeper);
    OPS->close(other);
    fixture_close(&f);
    store_memory_remove("ledger");
}

static void a_folder_lets_one_in(void **state) {
    (void)state;
    fixture f, second;
    void *ledger, *other;
    char folder[] = "/tmp/sluice-ledger-XXXXXX", url[64], command[64];
    assert_non_null(mkdtemp(folder));
    snprintf(url, sizeof url, "file:%s", folder);
    fixture_open(&f, url);
    fixture_open(&second, url);
    assert_ok(ledger_new(&f, false, &ledger));
    err *e = ledger_new(&second, false, &other);
    assert_int_equal(e->code, ERR_FENCED);
    assert_non_null(strstr(e->message, "works as 'rides'"));
    err_free(e);
    assert_ok(ledger_new(&second, true, &other)); /* to look is allowed */
    OPS->close(other);
    OPS->close(ledger);
    fixture_close(&f);
    fixture_close(&second);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

static void a_damaged_commit_is_refused(void **state) {
    (void)state;
    fixture f;
    void *ledger;
    uint32_t count;
    const sl_committed *items;
    char name[OBJECT_NAME_BYTES];
    buf bytes;
    fixture_open(&f, "memory:ledger");
    assert_ok(ledger_new(&f, false, &ledger));
    assert_ok(OPS->commit(ledger, "one", MARKS, 3));
    names_commit(name, "rides", 0);
    read_object(&f, name, &bytes);
    for (size_t i = 0; i < bytes.len; i++) {
        bytes.data[i] ^= 4;
        write_object(&f, name, &bytes);
        assert_refused(OPS->read(ledger, &items, &count), "sluice checkpoint recover");
        bytes.data[i] ^= 4;
    }
    for (size_t len = bytes.len; len-- > 0;) {
        bytes.len = len;
        write_object(&f, name, &bytes);
        assert_refused(OPS->read(ledger, &items, &count), name);
    }
    buf_done(&bytes);
    OPS->close(ledger);
    fixture_close(&f);
    store_memory_remove("ledger");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_committed_is_read),
        cmocka_unit_test(whoever_comes_second_is_fenced),
        cmocka_unit_test(an_unknown_commit_is_found_out),
        cmocka_unit_test(a_long_sleeper_does_not_move_the_pointer),
        cmocka_unit_test(a_folder_lets_one_in),
        cmocka_unit_test(a_damaged_commit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
