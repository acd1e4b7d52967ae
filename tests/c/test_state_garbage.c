/* What goes, what stays, and what is kept of what goes: collecting, the journal, the head's copy.
 * */
#include "tests/c/chain_kit.h"

#include "state/journal.h"
#include "state/note.h"

static void old_chains_go_and_records_stay(void **state) {
    (void)state;
    fixture f;
    loaded l;
    fixture_open(&f, "memory:garbage");
    start(&f);
    genesis(&f);
    batches(&f, 250, 50 << 20);
    assert_ok(restart(&f, &l));
    assert_int_equal(l.first, 201);
    assert_int_equal(count_objects(&f, "state/"), 250 - 192); /* 3 x 64 are in the journal */
    assert_int_equal(count_objects(&f, "journal/"), 1);
    fixture_close(&f);
    store_memory_remove("garbage");
}

static void nothing_goes_before_the_grace(void **state) {
    (void)state;
    fixture f;
    fixture_open(&f, "memory:garbage");
    f.config.grace_ms = 5000;
    start(&f);
    genesis(&f);
    for (int i = 0; i < 300; i++) {
        clock_advance(&f.clock, 10);
        batch(&f, true);
    }
    assert_int_equal(count_objects(&f, "state/"), 300);
    clock_advance(&f.clock, 4000);
    batch(&f, true);
    assert_int_equal(count_objects(&f, "state/"), 301 - 200);
    fixture_close(&f);
    store_memory_remove("garbage");
}

/* On a full disk no batch is committed: what has become old meanwhile makes room. */
static void what_is_old_goes_while_nothing_can_be_stored(void **state) {
    (void)state;
    fixture f;
    pointer p;
    fixture_open(&f, "memory:garbage");
    f.config.grace_ms = 5000;
    start(&f);
    genesis(&f);
    batches(&f, 300, 50 << 20);
    assert_int_equal(count_objects(&f, "state/"), 300);
    clock_advance(&f.clock, 5000);
    store_memory_fail("garbage", 1, UINT32_MAX, STORE_FAULT_BEFORE);
    put(&f, false, 100, &p);
    err *e = checkpoint_wait(f.c, &p);
    assert_non_null(e);
    err_free(e);
    assert_int_equal(count_objects(&f, "state/"), 300 - 200);
    store_memory_fail("garbage", 0, 0, 0);
    fixture_close(&f);
    store_memory_remove("garbage");
}

/* Every batch of `until`, once, in one journal object or the next. */
static void assert_journal(fixture *f, uint64_t covered);

typedef struct journal_names {
    char names[64][OBJECT_NAME_BYTES];
    uint32_t count;
} journal_names;

static err *visit_names(void *arg, const char *name, int64_t size, int64_t changed_ms) {
    (void)size, (void)changed_ms;
    journal_names *n = arg;
    assert_true(n->count < 64);
    strcpy(n->names[n->count++], name);
    return NULL;
}

static uint64_t check_items(fixture *f, const char *name, uint64_t batch) {
    buf bytes;
    bundle_reader r;
    bundle_item item;
    bool more;
    read_object(f, name, &bytes);
    assert_ok(bundle_open(&r, name, bytes.data, bytes.len));
    for (;;) {
        assert_ok(bundle_next(&r, &item, &more));
        if (!more) break;
        char text[32];
        int len = snprintf(text, sizeof text, "%llu", (unsigned long long)++batch);
        assert_int_equal(item.len, len);
        assert_memory_equal(item.bytes, text, item.len);
    }
    buf_done(&bytes);
    return batch;
}

static void assert_journal(fixture *f, uint64_t covered) {
    journal_names n = { .count = 0 };
    uint64_t batch = 0;
    assert_ok(f->store.ops->list(f->store.handle, "rides/journal/", visit_names, &n));
    for (uint32_t i = 0; i < n.count; i++) batch = check_items(f, n.names[i], batch);
    assert_int_equal(batch, covered);
}

/* A process that stops after few batches leaves records unjournaled; the next gathers them. */
static void records_are_gathered_over_restarts(void **state) {
    (void)state;
    fixture f;
    loaded l;
    fixture_open(&f, "memory:garbage");
    start(&f);
    genesis(&f);
    for (int run = 0; run < 40; run++) {
        batches(&f, 10, run % 2 ? 100 : 50 << 20);
        assert_ok(restart(&f, &l));
    }
    batches(&f, 1, 100);
    assert_journal(&f, 384); /* 6 x 64: what is pending lies in objects still */
    fixture_close(&f);
    store_memory_remove("garbage");
}

static void going_back_keeps_the_journal_in_order(void **state) {
    (void)state;
    fixture f;
    loaded l;
    fixture_open(&f, "memory:garbage");
    f.config.grace_ms = 1000000;
    start(&f);
    genesis(&f);
    batches(&f, 90, 50 << 20);
    pointer before = f.current;
    batches(&f, 60, 50 << 20);
    f.current = before;
    f.batch = before.batch;
    assert_ok(restart(&f, &l));
    assert_int_equal(l.last, 90);
    batches(&f, 100, 50 << 20);
    assert_ok(restart(&f, &l));
    assert_int_equal(l.last, 190);
    fixture_close(&f);
    store_memory_remove("garbage");
}

/* A process that was fenced goes on writing objects, with no commit behind them, while the owner
 * collects with no grace at all: the committed chain is always whole. */
static void a_zombie_cannot_break_the_chain(void **state) {
    (void)state;
    fixture owner, zombie;
    loaded l;
    fixture_open(&owner, "memory:garbage");
    fixture_open(&zombie, "memory:garbage");
    start(&owner);
    genesis(&owner);
    batches(&owner, 5, 50 << 20);
    zombie.current = owner.current;
    zombie.batch = owner.batch;
    assert_ok(restart(&zombie, &l));
    for (int i = 0; i < 300; i++) {
        pointer p;
        put(&zombie, checkpoint_wants_full(zombie.c, 50 << 20), 100, &p);
        assert_ok(checkpoint_wait(zombie.c, &p));
        if (i % 3 == 0) /* it never commits: that is where it meets the fence */
            checkpoint_given_up(zombie.c);
        else {
            checkpoint_given_up(zombie.c);
            zombie.current = p; /* or takes for committed what is not */
            zombie.batch = p.batch;
        }
        batches(&owner, 1, i % 2 ? 50 << 20 : 100);
        fixture reader = owner;
        reader.c = NULL;
        start(&reader);
        l = (loaded){ 0 };
        assert_ok(checkpoint_load(reader.c, &owner.current, NULL, visit_loaded, &l));
        assert_int_equal(l.last, owner.batch);
        stop(&reader);
    }
    assert_true(count_objects(&owner, "state/") < 500);
    assert_ok(restart(&owner, &l)); /* lists: what the zombie left before the chain goes */
    batches(&owner, 200, 100);
    assert_true(count_objects(&owner, "state/") < 150);
    fixture_close(&zombie);
    fixture_close(&owner);
    store_memory_remove("garbage");
}

static void ten_thousand_batches_leave_few_objects(void **state) {
    (void)state;
    fixture f;
    loaded l;
    fixture_open(&f, "memory:garbage");
    start(&f);
    genesis(&f);
    for (int i = 0; i < 10000; i++) {
        batches(&f, 1, i % 1000 < 500 ? 100 : 1 << 20);
        if (i % 97 == 0) assert_true(count_objects(&f, "") < 300);
    }
    assert_ok(restart(&f, &l));
    assert_int_equal(l.last, 10000);
    assert_true(l.count <= 100);
    assert_true(count_objects(&f, "journal/") <= 2);
    fixture_close(&f);
    store_memory_remove("garbage");
}

static void few_full_objects_stay_for_history(void **state) {
    (void)state;
    fixture f;
    fixture_open(&f, "memory:garbage");
    f.config.history_ms = 640000; /* one in ten seconds */
    start(&f);
    genesis(&f);
    for (int i = 0; i < 2000; i++) {
        clock_advance(&f.clock, 1000);
        batch(&f, true);
    }
    uint32_t count = count_objects(&f, "state/");
    assert_true(count >= 60 && count < 64 + 1 + 64); /* those, the chain, the unjournaled */
    fixture_close(&f);
    store_memory_remove("garbage");
}

static void the_head_is_copied(void **state) {
    (void)state;
    fixture f;
    buf bytes;
    commit_note n;
    char text[SL_POINTER_BYTES];
    fixture_open(&f, "memory:garbage");
    start(&f);
    genesis(&f);
    batch(&f, true);
    read_object(&f, "rides/head", &bytes);
    assert_ok(note_read("head", &bytes, &n));
    pointer_write(&f.current, text);
    assert_string_equal(n.pointer, text);
    assert_int_equal(n.count, 3);
    assert_string_equal(n.items[0].mark.topic, "ride events");
    assert_int_equal(n.items[2].mark.offset, 9);
    note_done(&n);
    buf_done(&bytes);
    fixture_close(&f);
    store_memory_remove("garbage");
}

/* -- full objects that are made beside the chain */

static void put_stand_in(fixture *f, const pointer *at) {
    char parent[SL_POINTER_BYTES];
    pointer_write(at, parent);
    image *m = image_new(&(image_head){ .is_full = true,
                                        .batch = at->batch,
                                        .parent = parent,
                                        .shape = "{}",
                                        .pipeline = "rides",
                                        .cluster = "" });
    image_cut_at(m, 1000);
    for (int i = 0; i < 5; i++) {
        buf *section = image_begin(m, IMAGE_PROGRESS, "", 0);
        memset(buf_need(section, 600), 7, 600);
        section->len += 600;
        image_end(m);
    }
    image_finish(m);
    for (uint32_t left = image_part_count(m); left > 0; left--)
        assert_ok(checkpoint_put_part(f->c, at, left - 1, image_part(m, left - 1)));
    image_free(m);
}

static void a_chain_begins_at_a_full_object_of_the_base(void **state) {
    (void)state;
    fixture f;
    loaded l;
    checkpoint_facts facts;
    char name[OBJECT_NAME_BYTES];
    fixture_open(&f, "memory:garbage");
    start(&f);
    genesis(&f);
    batches(&f, 70, 50 << 20);
    pointer at = f.current;
    batches(&f, 5, 50 << 20);
    put_stand_in(&f, &at);
    batches(&f, 1, 50 << 20);
    checkpoint_facts_of(f.c, &facts);
    assert_int_equal(facts.chain_length, 7);
    batches(&f, 4, 50 << 20);
    assert_int_equal(f.current.kind, POINTER_DELTA);
    assert_ok(restart(&f, &l));
    assert_int_equal(l.first, 70);
    assert_true(l.is_full_first);
    assert_int_equal(l.count, 11);
    batches(&f, 60, 50 << 20);
    assert_journal(&f, 128);
    assert_ok(restart(&f, &l));
    assert_int_equal(l.count, 71);
    pointer p = at; /* damaged: the delta beside it is as good as long as what it needs is there */
    p.kind = POINTER_FULL;
    names_state(name, "rides", &p, 1);
    assert_ok(f.store.ops->remove(f.store.handle, name));
    assert_refused(restart(&f, &l), "is missing");
    assert_true(checkpoint_can_load_again(f.c));
    assert_refused(checkpoint_load(f.c, &f.current, NULL, visit_loaded, &l), "is missing");
    assert_false(checkpoint_can_load_again(f.c));
    fixture_close(&f);
    store_memory_remove("garbage");
}

/* Its first part is whole, so a later one is missed when others have been handed out. */
static void a_damaged_full_object_of_the_base_is_passed_over(void **state) {
    (void)state;
    fixture f;
    loaded l;
    char name[OBJECT_NAME_BYTES];
    fixture_open(&f, "memory:garbage");
    start(&f);
    genesis(&f);
    batches(&f, 9, 50 << 20);
    pointer at = f.current;
    put_stand_in(&f, &at);
    at.kind = POINTER_FULL;
    names_state(name, "rides", &at, 1);
    assert_ok(restart(&f, &l));
    assert_int_equal(l.count, 1);
    assert_ok(f.store.ops->remove(f.store.handle, name));
    assert_refused(restart(&f, &l), "is missing");
    assert_true(checkpoint_can_load_again(f.c));
    l = (loaded){ 0 };
    assert_ok(checkpoint_load(f.c, &f.current, NULL, visit_loaded, &l));
    assert_int_equal(l.count, 9);
    assert_int_equal(l.last, f.current.batch);
    fixture_close(&f);
    store_memory_remove("garbage");
}

/* The same in a folder, with both threads at work. */
static void threads_keep_a_folder_small(void **state) {
    (void)state;
    fixture f;
    loaded l;
    char folder[] = "/tmp/sluice-chain-XXXXXX", url[64], command[64];
    assert_non_null(mkdtemp(folder));
    snprintf(url, sizeof url, "file:%s", folder);
    fixture_open(&f, url);
    f.config.in_line = false;
    f.clock.manual = false;
    start(&f);
    genesis(&f);
    for (int run = 0; run < 3; run++) {
        for (int i = 0; i < 250; i++) {
            pointer p;
            if (i % 50 == 7) {
                put(&f, false, 100, &p);
                checkpoint_given_up(f.c);
            }
            batches(&f, 1, i % 2 ? 100 : 50 << 20);
        }
        assert_ok(restart(&f, &l));
        assert_int_equal(l.last, f.batch);
    }
    batches(&f, 1, 100);
    assert_ok(restart(&f, &l)); /* waits for both */
    assert_true(count_objects(&f, "state/") < 200);
    fixture_close(&f);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_chains_go_and_records_stay),
        cmocka_unit_test(nothing_goes_before_the_grace),
        cmocka_unit_test(what_is_old_goes_while_nothing_can_be_stored),
        cmocka_unit_test(records_are_gathered_over_restarts),
        cmocka_unit_test(going_back_keeps_the_journal_in_order),
        cmocka_unit_test(a_zombie_cannot_break_the_chain),
        cmocka_unit_test(ten_thousand_batches_leave_few_objects),
        cmocka_unit_test(few_full_objects_stay_for_history),
        cmocka_unit_test(the_head_is_copied),
        cmocka_unit_test(a_chain_begins_at_a_full_object_of_the_base),
        cmocka_unit_test(a_damaged_full_object_of_the_base_is_passed_over),
        cmocka_unit_test(threads_keep_a_folder_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
