/* The chain of objects: what is put is found again, what is missing or damaged is told, what nobody
 * needs goes. */
#include "tests/c/chain_kit.h"

static void a_chain_is_loaded_oldest_first(void **state) {
    (void)state;
    fixture f;
    loaded l;
    fixture_open(&f, "memory:chain");
    start(&f);
    genesis(&f);
    batch(&f, true);
    for (int i = 0; i < 5; i++) batch(&f, false);
    assert_ok(restart(&f, &l));
    assert_int_equal(l.count, 6);
    assert_int_equal(l.first, 1);
    assert_int_equal(l.last, 6);
    assert_true(l.is_full_first);
    assert_string_equal(checkpoint_current(f.c)->id, f.current.id);
    fixture_close(&f);
    store_memory_remove("chain");
}

static void a_genesis_has_no_object(void **state) {
    (void)state;
    fixture f;
    loaded l;
    bool found;
    char newest[128];
    fixture_open(&f, "memory:chain");
    start(&f);
    assert_null(checkpoint_current(f.c));
    genesis(&f);
    assert_ok(checkpoint_has_objects(f.c, &found, newest));
    assert_false(found);
    assert_ok(restart(&f, &l));
    assert_int_equal(l.count, 0);
    assert_true(checkpoint_wants_full(f.c, 1));
    batch(&f, true);
    assert_ok(checkpoint_has_objects(f.c, &found, newest));
    assert_true(found);
    assert_non_null(strstr(newest, f.current.id));
    fixture_close(&f);
    store_memory_remove("chain");
}

static void the_stores_id_stays(void **state) {
    (void)state;
    fixture f;
    char id[33];
    fixture_open(&f, "memory:chain");
    start(&f);
    strcpy(id, checkpoint_store_id(f.c));
    assert_int_equal(strlen(id), 32);
    stop(&f);
    start(&f);
    assert_string_equal(checkpoint_store_id(f.c), id);
    fixture_close(&f);
    store_memory_remove("chain");
}

static void a_missing_link_is_refused(void **state) {
    (void)state;
    fixture f;
    loaded l;
    char name[OBJECT_NAME_BYTES];
    fixture_open(&f, "memory:chain");
    start(&f);
    genesis(&f);
    batch(&f, true);
    batch(&f, false);
    names_state(name, "rides", &f.current, 0);
    batch(&f, false);
    assert_ok(f.store.ops->remove(f.store.handle, name));
    err *e = restart(&f, &l);
    assert_non_null(strstr(e->message, name));
    assert_refused(e, "is missing");
    assert_int_equal(l.count, 0);
    fixture_close(&f);
    store_memory_remove("chain");
}

static void a_damaged_link_is_refused(void **state) {
    (void)state;
    fixture f;
    loaded l;
    char name[OBJECT_NAME_BYTES];
    buf bytes;
    fixture_open(&f, "memory:chain");
    start(&f);
    genesis(&f);
    batch(&f, true);
    names_state(name, "rides", &f.current, 0);
    batch(&f, false);
    read_object(&f, name, &bytes);
    bytes.data[bytes.len / 2] ^= 1;
    write_object(&f, name, &bytes);
    assert_refused(restart(&f, &l), "sluice checkpoint recover");
    bytes.data[bytes.len / 2] ^= 1;
    bytes.len--;
    write_object(&f, name, &bytes);
    assert_refused(restart(&f, &l), name);
    buf_done(&bytes);
    fixture_close(&f);
    store_memory_remove("chain");
}

/* An object of another chain under the name of one of this. */
static void a_foreign_link_is_refused(void **state) {
    (void)state;
    fixture f;
    loaded l;
    char first[OBJECT_NAME_BYTES], third[OBJECT_NAME_BYTES];
    buf bytes;
    fixture_open(&f, "memory:chain");
    start(&f);
    genesis(&f);
    batch(&f, true);
    batch(&f, false);
    names_state(first, "rides", &f.current, 0);
    batch(&f, false);
    names_state(third, "rides", &f.current, 0);
    read_object(&f, first, &bytes);
    write_object(&f, third, &bytes);
    assert_refused(restart(&f, &l), "holds the state before batch 2, wanted that before 3");
    buf_done(&bytes);
    fixture_close(&f);
    store_memory_remove("chain");
}

static void an_object_of_a_newer_version_says_so(void **state) {
    (void)state;
    fixture f;
    loaded l;
    char name[OBJECT_NAME_BYTES];
    buf bytes;
    fixture_open(&f, "memory:chain");
    start(&f);
    genesis(&f);
    batch(&f, true);
    names_state(name, "rides", &f.current, 0);
    read_object(&f, name, &bytes);
    bytes.data[8]++; /* the version, behind the magic */
    write_object(&f, name, &bytes);
    assert_refused(restart(&f, &l), "version 2, this program reads version 1");
    buf_done(&bytes);
    fixture_close(&f);
    store_memory_remove("chain");
}

static void objects_of_several_parts_come_back(void **state) {
    (void)state;
    fixture f;
    loaded l;
    pointer p;
    char name[OBJECT_NAME_BYTES];
    fixture_open(&f, "memory:chain");
    start(&f);
    genesis(&f);
    put(&f, true, 20000, &p);
    assert_ok(checkpoint_wait(f.c, &p));
    commit(&f, &p);
    assert_true(count_objects(&f, "state/") > 3);
    assert_ok(restart(&f, &l));
    assert_int_equal(l.count, 1);
    names_state(name, "rides", &p, 2);
    assert_ok(f.store.ops->remove(f.store.handle, name));
    assert_refused(restart(&f, &l), "is missing");
    fixture_close(&f);
    store_memory_remove("chain");
}

static void state_behind_a_base_alone_is_read(void **state) {
    (void)state;
    fixture f;
    loaded l = { 0 };
    fixture_open(&f, "memory:chain");
    start(&f);
    genesis(&f);
    batch(&f, true);
    batch(&f, false);
    pointer base = f.current;
    batch(&f, false);
    batch(&f, false);
    stop(&f);
    start(&f);
    assert_ok(checkpoint_load(f.c, &f.current, &base, visit_loaded, &l));
    assert_int_equal(l.count, 2);
    assert_int_equal(l.first, 3);
    assert_false(l.is_full_first);
    checkpoint_facts facts;
    checkpoint_facts_of(f.c, &facts);
    assert_int_equal(facts.chain_length, 4);
    fixture_close(&f);
    store_memory_remove("chain");
}

/* -- writing that fails */

static void an_unknown_outcome_gets_a_new_name(void **state) {
    (void)state;
    fixture f;
    loaded l;
    pointer p, first;
    fixture_open(&f, "memory:chain");
    f.config.grace_ms = 60000; /* what was given up is still to be seen */
    start(&f);
    genesis(&f);
    batch(&f, true);
    store_memory_fail("chain", 1, 1, STORE_FAULT_AFTER);
    put(&f, false, 100, &p);
    first = p;
    assert_ok(checkpoint_wait(f.c, &p));
    assert_string_not_equal(first.id, p.id);
    assert_int_equal(count_objects(&f, "state/"), 3);
    commit(&f, &p);
    assert_ok(restart(&f, &l));
    assert_int_equal(l.count, 2);
    fixture_close(&f);
    store_memory_remove("chain");
}

/* The n-th put fails, for n from 1 until a run of batches meets none. */
static void whichever_put_fails_the_chain_is_whole(void **state) {
    (void)state;
    for (int fault = STORE_FAULT_BEFORE; fault <= STORE_FAULT_AFTER; fault++) {
        bool clean = false;
        for (uint32_t nth = 1; !clean; nth++) {
            fixture f;
            loaded l;
            fixture_open(&f, "memory:chain");
            start(&f);
            genesis(&f);
            uint64_t before = store_memory_puts("chain");
            store_memory_fail("chain", nth, 1, fault);
            for (int i = 0; i < 6; i++) batch(&f, i % 3 == 0);
            clean = store_memory_puts("chain") - before < nth;
            store_memory_fail("chain", 0, 0, 0);
            assert_ok(restart(&f, &l));
            assert_int_equal(l.last, 6);
            fixture_close(&f);
            store_memory_remove("chain");
        }
    }
}

static void what_was_given_up_is_not_in_the_way(void **state) {
    (void)state;
    fixture f;
    loaded l;
    pointer p;
    fixture_open(&f, "memory:chain");
    start(&f);
    genesis(&f);
    batch(&f, true);
    put(&f, false, 100, &p);
    assert_ok(checkpoint_wait(f.c, &p));
    checkpoint_given_up(f.c);
    batch(&f, false);
    assert_int_equal(f.batch, 2);
    assert_ok(restart(&f, &l));
    assert_int_equal(l.count, 2);
    assert_int_equal(count_objects(&f, "state/"), 2);
    fixture_close(&f);
    store_memory_remove("chain");
}

static void a_store_that_is_full_is_waited_for_until_stopped(void **state) {
    (void)state;
    fixture f;
    volatile int stopped = 0;
    pointer p;
    fixture_open(&f, "memory:chain");
    f.config.in_line = false;
    f.config.stop = &stopped;
    f.clock.manual = false;
    f.log.level = LOG_ERROR + 1;
    start(&f);
    genesis(&f);
    store_memory_fail("chain", 1, 3, STORE_FAULT_BEFORE);
    put(&f, true, 100, &p);
    assert_ok(checkpoint_wait(f.c, &p));
    commit(&f, &p);
    store_memory_fail("chain", 1, UINT32_MAX, STORE_FAULT_BEFORE);
    put(&f, false, 100, &p);
    stopped = 1;
    err *e = checkpoint_wait(f.c, &p);
    assert_int_equal(e->code, ERR_STOPPED);
    err_free(e);
    fixture_close(&f);
    store_memory_remove("chain");
}

/* Each names the one before by the name it was given first. */
static void several_under_way_hang_together_whichever_fails(void **state) {
    (void)state;
    enum { MANY = 4 };
    for (uint32_t nth = 1; nth <= 2 * MANY; nth++) {
        fixture f;
        loaded l;
        pointer p;
        fixture_open(&f, "memory:chain");
        f.config.in_line = false;
        f.clock.manual = false;
        f.log.level = LOG_ERROR + 1;
        start(&f);
        genesis(&f);
        bool is_told = nth > MANY;
        store_memory_fail("chain", is_told ? nth - MANY : nth, 1,
                          is_told ? STORE_FAULT_BEFORE : STORE_FAULT_AFTER);
        for (uint32_t i = 0; i < MANY; i++) {
            put(&f, i == 0, 100, &p);
            f.current = p;
            f.batch = p.batch;
        }
        assert_int_equal(checkpoint_underway(f.c), MANY);
        assert_ok(checkpoint_wait(f.c, &p));
        commit(&f, &p);
        assert_int_equal(checkpoint_underway(f.c), 0);
        assert_ok(restart(&f, &l));
        assert_int_equal(l.count, MANY);
        fixture_close(&f);
        store_memory_remove("chain");
    }
}

/* What is waited for may be a later one: it fails for the same reason. */
static void what_fails_for_good_is_told_of_all_behind_it(void **state) {
    (void)state;
    fixture f;
    pointer p;
    fixture_open(&f, "memory:chain");
    f.config.in_line = false;
    f.clock.manual = false;
    start(&f);
    genesis(&f);
    store_memory_fail("chain", 2, 1, STORE_FAULT_FOR_GOOD);
    for (uint32_t i = 0; i < 4; i++) {
        put(&f, i == 0, 100, &p);
        f.current = p;
        f.batch = p.batch;
    }
    err *e = checkpoint_wait(f.c, &p);
    assert_non_null(e);
    assert_int_equal(e->code, ERR_IO);
    assert_false(e->retriable);
    assert_non_null(strstr(e->message, "a test lets this put fail"));
    err_free(e);
    checkpoint_given_up(f.c);
    fixture_close(&f);
    store_memory_remove("chain");
}

/* -- when a full one is written */

static void chains_are_bounded(void **state) {
    (void)state;
    fixture f;
    checkpoint_facts facts;
    fixture_open(&f, "memory:chain");
    start(&f);
    genesis(&f);
    for (int i = 0; i < 250; i++) {
        batches(&f, 1, 50 << 20); /* a large state of small changes */
        checkpoint_facts_of(f.c, &facts);
        assert_true(facts.chain_length <= 100);
    }
    assert_int_equal(facts.chain_length, 50);
    batches(&f, 60, 200 << 20); /* one that takes long to write is written more rarely */
    checkpoint_facts_of(f.c, &facts);
    assert_int_equal(facts.chain_length, 110);
    batches(&f, 290, SIZE_MAX / 4);
    checkpoint_facts_of(f.c, &facts);
    assert_int_equal(facts.chain_length, 400);
    batches(&f, 1, SIZE_MAX / 4);
    checkpoint_facts_of(f.c, &facts);
    assert_int_equal(facts.chain_length, 1);
    pointer p; /* small, but changes add up to more than it is worth */
    for (int i = 0; i < 3; i++) {
        put(&f, false, 600 << 10, &p);
        assert_ok(checkpoint_wait(f.c, &p));
        commit(&f, &p);
    }
    assert_true(checkpoint_wants_full(f.c, 100 << 10));
    assert_false(checkpoint_wants_full(f.c, 2 << 20));
    assert_true(checkpoint_wants_full(f.c, 1 << 10)); /* tiny: each time */
    fixture_close(&f);
    store_memory_remove("chain");
}

/* -- plans, scripts, copies */

static void the_first_plan_counts(void **state) {
    (void)state;
    fixture f;
    bool found;
    buf plan;
    fixture_open(&f, "memory:chain");
    start(&f);
    genesis(&f);
    buf_init(&plan);
    assert_ok(checkpoint_get_plan(f.c, &f.current, &plan, &found));
    assert_false(found);
    buf_put_text(&plan, "as planned");
    assert_ok(checkpoint_put_plan(f.c, &f.current, &plan, &found));
    assert_false(found);
    stop(&f);
    start(&f);
    buf_reset(&plan);
    buf_put_text(&plan, "otherwise");
    assert_ok(checkpoint_put_plan(f.c, &f.current, &plan, &found));
    assert_true(found);
    assert_string_equal(buf_text(&plan), "as planned");
    batch(&f, true);
    batch(&f, true);
    assert_int_equal(count_objects(&f, "plan/"), 0);
    buf_done(&plan);
    fixture_close(&f);
    store_memory_remove("chain");
}

static void scripts_are_kept_once(void **state) {
    (void)state;
    fixture f;
    fixture_open(&f, "memory:chain");
    start(&f);
    assert_ok(checkpoint_keep_script(f.c, 12, "return 1", 8));
    assert_ok(checkpoint_keep_script(f.c, 12, "return 1", 8));
    assert_int_equal(count_objects(&f, "script/"), 1);
    fixture_close(&f);
    store_memory_remove("chain");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_is_loaded_oldest_first),
        cmocka_unit_test(a_genesis_has_no_object),
        cmocka_unit_test(the_stores_id_stays),
        cmocka_unit_test(a_missing_link_is_refused),
        cmocka_unit_test(a_damaged_link_is_refused),
        cmocka_unit_test(a_foreign_link_is_refused),
        cmocka_unit_test(an_object_of_a_newer_version_says_so),
        cmocka_unit_test(objects_of_several_parts_come_back),
        cmocka_unit_test(state_behind_a_base_alone_is_read),
        cmocka_unit_test(an_unknown_outcome_gets_a_new_name),
        cmocka_unit_test(whichever_put_fails_the_chain_is_whole),
        cmocka_unit_test(what_was_given_up_is_not_in_the_way),
        cmocka_unit_test(a_store_that_is_full_is_waited_for_until_stopped),
        cmocka_unit_test(several_under_way_hang_together_whichever_fails),
        cmocka_unit_test(what_fails_for_good_is_told_of_all_behind_it),
        cmocka_unit_test(chains_are_bounded),
        cmocka_unit_test(the_first_plan_counts),
        cmocka_unit_test(scripts_are_kept_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
