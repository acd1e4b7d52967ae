/* Objects fetched ahead are those that would have been read. */
#include "tests/c/chain_kit.h"

#include "state/prefetch.h"

enum { ITEMS = 100 };

static void put_items(fixture *f, pointer *items) {
    fixture_open(f, "memory:ahead");
    for (int i = 0; i < ITEMS; i++) {
        char name[OBJECT_NAME_BYTES];
        bool exists;
        items[i] = pointer_new(POINTER_DELTA, (uint64_t)(ITEMS - i), 1);
        names_state(name, "rides", &items[i], 0);
        assert_ok(f->store.ops->put(f->store.handle, name, items[i].id, 32, STORE_NEW, &exists));
    }
}

static void take(prefetch *p, const pointer *item) {
    buf bytes;
    bool missing;
    err *e;
    assert_true(prefetch_take(p, item, 0, &bytes, &missing, &e));
    assert_ok(e);
    assert_false(missing);
    assert_memory_equal(bytes.data, item->id, 32);
    buf_done(&bytes);
}

static void all_come_in_their_order(void **state) {
    (void)state;
    fixture f;
    pointer items[ITEMS];
    put_items(&f, items);
    prefetch *p = prefetch_new(&f.store, "rides", items, ITEMS);
    for (int i = 0; i < ITEMS; i++) take(p, &items[i]);
    prefetch_free(p);
    fixture_close(&f);
    store_memory_remove("ahead");
}

/* Orphans stand among them; nobody waits for what is not asked for, and what is not among them is
 * not its business. */
static void some_are_not_asked_for(void **state) {
    (void)state;
    fixture f;
    pointer items[ITEMS], other = pointer_new(POINTER_DELTA, 7, 1);
    buf bytes;
    bool missing;
    err *e;
    put_items(&f, items);
    prefetch *p = prefetch_new(&f.store, "rides", items, ITEMS);
    for (int i = 0; i < ITEMS; i += 33) take(p, &items[i]);
    assert_false(prefetch_take(p, &other, 0, &bytes, &missing, &e));
    prefetch_free(p);
    p = prefetch_new(&f.store, "rides", items, ITEMS); /* nobody asks */
    prefetch_free(p);
    fixture_close(&f);
    store_memory_remove("ahead");
}

static void what_is_missing_is_said(void **state) {
    (void)state;
    fixture f;
    pointer item = pointer_new(POINTER_FULL, 7, 1);
    buf bytes;
    bool missing = false;
    err *e;
    fixture_open(&f, "memory:ahead");
    prefetch *p = prefetch_new(&f.store, "rides", &item, 1);
    assert_true(prefetch_take(p, &item, 0, &bytes, &missing, &e));
    assert_ok(e);
    assert_true(missing);
    buf_done(&bytes);
    prefetch_free(p);
    fixture_close(&f);
    store_memory_remove("ahead");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_come_in_their_order),
        cmocka_unit_test(some_are_not_asked_for),
        cmocka_unit_test(what_is_missing_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
