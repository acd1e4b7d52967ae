/* The ledger of a pipeline without Kafka: what is committed is read again, once. */
#include "tests/c/chain_kit.h"

#include "state/note.h"
#include "state/store_ledger.h"

static const sl_ledger_ops *const OPS = &store_ledger_ops;

static err *ledger_new(fixture *f, bool is_reader, void **ledger) {
    return store_ledger_new(&(store_ledger_config){ .store = &f->store, .pipeline = "rides", .log = &f->log, .clock = &f->clock, .is_reader = is_reader }, ledger);
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
    assert_ok(ledger_new(&f, true, &other)); /* memory: keeps nobody out; as a store without locks */
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_committed_is_read),
        cmocka_unit_test(whoever_comes_second_is_fenced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
