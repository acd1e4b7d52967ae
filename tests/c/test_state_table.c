/* Tables: keys, panes, dirty lists, undo and eviction, against a naive model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/mem.h"
#include "state/table.h"
#include "state/table_inside.h"

typedef struct sample {
    int64_t count;
    double sum;
    sl_part text;
} sample;

static table *new_table(void) {
    static const sample init = { .count = 0, .sum = -1.5 };
    static const uint32_t offsets[] = { offsetof(sample, text) };
    const table_config config = {
        .state_size = sizeof init,
        .state_init = &init,
        .part_count = 1,
        .part_offsets = offsets,
    };
    return table_new(&config);
}

/* A good 64-bit hash of a number. Source: Steele et al. 2014, splitmix64. */
static uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static sample *touch_number(table *t, pane *p, uint64_t number) {
    return entry_state(table_touch(t, p, mix(number), (char *)&number, sizeof number));
}

static sample *find_number(const pane *p, uint64_t number) {
    entry *e = table_find(p, mix(number), (char *)&number, sizeof number);
    return e ? entry_state(e) : NULL;
}

static uint32_t dirty_count(const pane *p) {
    uint32_t count;
    pane_dirty(p, &count);
    return count;
}

static uint32_t pane_list_count(const table *t) {
    uint32_t count;
    table_panes(t, &count);
    return count;
}

static void a_new_entry_starts_with_the_initial_state(void **state) {
    (void)state;
    table *t = new_table();
    table_epoch_begin(t);
    pane *p = table_pane(t, -60000);
    entry *e = table_touch(t, p, 42, "key", 3);
    const sample *s = entry_state(e);
    assert_true(s->count == 0 && s->sum == -1.5 && s->text.data == NULL);
    assert_ptr_equal(entry_of(s), e);
    assert_int_equal(entry_key_len(e), 3);
    assert_memory_equal(entry_key(e), "key", 3);
    assert_int_equal(e->hash, 42);
    assert_ptr_equal(table_find(p, 42, "key", 3), e);
    assert_null(table_find(p, 42, "kex", 3));
    assert_null(table_find(p, 42, "ke", 2));
    assert_int_equal(pane_start(p), -60000);
    table_commit(t);
    table_free(t);
}

static void a_key_is_dirty_once_a_batch_with_its_old_bytes(void **state) {
    (void)state;
    table *t = new_table();
    table_epoch_begin(t);
    pane *p = table_pane(t, 0);
    touch_number(t, p, 1)->count = 10;
    touch_number(t, p, 1)->count++;
    uint32_t count;
    entry *const *dirty = pane_dirty(p, &count);
    assert_int_equal(count, 1);
    assert_true(table_is_new(t, dirty[0]));
    table_commit(t);
    assert_int_equal(dirty_count(p), 0);

    table_epoch_begin(t);
    touch_number(t, p, 2);
    touch_number(t, p, 1)->count++;
    touch_number(t, p, 1)->count++;
    dirty = pane_dirty(p, &count);
    assert_int_equal(count, 2);
    assert_true(table_is_new(t, dirty[0]));
    assert_false(table_is_new(t, dirty[1]));
    assert_int_equal(((const sample *)table_state_before(t, dirty[1]))->count, 11);
    assert_null(table_state_before(t, dirty[0]));
    pane *const *panes = table_dirty_panes(t, &count);
    assert_int_equal(count, 1);
    assert_ptr_equal(panes[0], p);
    table_undo(t);
    assert_int_equal(find_number(p, 1)->count, 11);
    assert_null(find_number(p, 2));
    assert_int_equal(pane_count(p), 1);
    table_free(t);
}

/* Once the numbers of touches are used up, those of before must not count. */
static void touches_are_told_apart_when_their_numbers_begin_again(void **state) {
    (void)state;
    enum { KEYS = 10 };
    table *t = new_table();
    table_epoch_begin(t);
    pane *p = table_pane(t, 0);
    for (uint64_t i = 0; i < KEYS; i++) touch_number(t, p, i)->count = 1;
    table_commit(t);
    table_mark_from(t, 3u << 30);
    table_epoch_begin(t);
    for (uint64_t i = KEYS; i-- > 0;) touch_number(t, p, i)->count = 2;
    assert_int_equal(dirty_count(p), KEYS);
    table_undo(t);
    for (uint64_t i = 0; i < KEYS; i++) assert_int_equal(find_number(p, i)->count, 1);
    table_free(t);
}

static void keys_with_one_hash_or_one_tag_are_kept_apart(void **state) {
    (void)state;
    enum { COUNT = 300 };
    table *t = new_table();
    table_epoch_begin(t);
    pane *p = table_pane(t, 0);
    for (uint64_t i = 0; i < COUNT; i++) {
        uint64_t hash = i % 2 ? 0xabcdefull << 32 : (0xabcdefull << 32) + i;
        ((sample *)entry_state(table_touch(t, p, hash, (char *)&i, sizeof i)))->count = (int64_t)i;
    }
    assert_int_equal(pane_count(p), COUNT);
    for (uint64_t i = 0; i < COUNT; i++) {
        uint64_t hash = i % 2 ? 0xabcdefull << 32 : (0xabcdefull << 32) + i;
        const sample *s = entry_state(table_find(p, hash, (char *)&i, sizeof i));
        assert_int_equal(s->count, i);
    }
    table_commit(t);
    table_free(t);
}

/* Lengths at the borders of words, of slabs, and beyond a slab's ids. */
static const uint32_t LENGTHS[] = { 0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 63, 64, 65, 1000,
                                    65534, 65535, 65536, (2 << 20) - 64, 2 << 20, 5 << 20 };
enum { LENGTH_COUNT = sizeof LENGTHS / sizeof *LENGTHS,
       LONGEST = 5 << 20 };

static void check_lengths(const pane *p, char *bytes) {
    for (uint32_t i = 0; i < LENGTH_COUNT; i++) {
        uint32_t len = LENGTHS[i];
        const entry *e = table_find(p, mix(len), bytes, len);
        assert_non_null(e);
        assert_int_equal(((sample *)entry_state(e))->count, len);
        assert_int_equal(entry_key_len(e), len);
        if (len) assert_memory_equal(entry_key(e), bytes, len);
        for (uint32_t at = 0; at < len && len < 100; at++) {
            bytes[at]++;
            assert_null(table_find(p, mix(len), bytes, len));
            bytes[at]--;
        }
    }
}

static void keys_of_any_length_are_keys(void **state) {
    (void)state;
    char *bytes = mem_alloc(LONGEST);
    for (uint32_t i = 0; i < LONGEST; i++) bytes[i] = (char)mix(i);
    table *t = new_table();
    for (int round = 0; round < 3; round++) {
        table_epoch_begin(t);
        pane *p = table_pane(t, round);
        for (uint32_t i = 0; i < LENGTH_COUNT; i++) {
            uint32_t len = LENGTHS[i];
            entry *e = table_touch(t, p, mix(len), len ? bytes : NULL, len);
            ((sample *)entry_state(e))->count = len;
        }
        check_lengths(p, bytes);
        if (round == 1)
            table_undo(t);
        else
            table_commit(t);
    }
    assert_int_equal(pane_list_count(t), 2);
    table_epoch_begin(t);
    pane *p = table_find_pane(t, 0);
    for (uint64_t i = 0; i < 100; i++) touch_number(t, p, i);
    touch_number(t, p, 5);
    table_undo(t);
    assert_int_equal(pane_count(p), LENGTH_COUNT);
    for (uint64_t i = 0; i < 100; i++) assert_null(find_number(p, i));
    check_lengths(p, bytes);
    table_free(t);
    mem_free(bytes);
}

static void panes_are_found_and_listed_by_start(void **state) {
    (void)state;
    table *t = new_table();
    table_epoch_begin(t);
    for (int64_t i = 0; i < 100; i++) {
        int64_t start = (i * 37 % 100 - 50) * 1000;
        pane *p = table_pane(t, start);
        assert_ptr_equal(table_pane(t, start), p);
    }
    uint32_t count;
    pane *const *panes = table_panes(t, &count);
    assert_int_equal(count, 100);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(pane_start(panes[i]), ((int64_t)i - 50) * 1000);
        assert_ptr_equal(table_find_pane(t, pane_start(panes[i])), panes[i]);
    }
    assert_null(table_find_pane(t, 1));
    table_drop_pane(t, panes[3]);
    assert_null(table_find_pane(t, -47000));
    table_commit(t);
    assert_int_equal(pane_list_count(t), 99);
    table_free(t);
}

static void a_dropped_pane_can_be_read_and_comes_back_at_undo(void **state) {
    (void)state;
    table *t = new_table();
    table_epoch_begin(t);
    touch_number(t, table_pane(t, 0), 1)->count = 1;
    table_commit(t);
    table_epoch_begin(t);
    pane *p = table_pane(t, 0);
    touch_number(t, p, 1)->count = 2;
    touch_number(t, p, 2);
    table_drop_pane(t, p);
    assert_int_equal(find_number(p, 1)->count, 2);
    pane *again = table_pane(t, 0); /* a pane of its own */
    assert_ptr_not_equal(again, p);
    touch_number(t, again, 1)->count = 77;
    table_undo(t);
    assert_ptr_equal(table_find_pane(t, 0), p);
    assert_int_equal(pane_list_count(t), 1);
    assert_int_equal(find_number(p, 1)->count, 1);
    assert_null(find_number(p, 2));
    table_free(t);
}

static void an_untouched_entry_is_as_no_batch_had_met_it(void **state) {
    (void)state;
    table *t = new_table();
    table_epoch_begin(t);
    pane *p = table_pane(t, 0);
    touch_number(t, p, 1)->count = 7;
    table_commit(t);
    table_epoch_begin(t);
    sample *s = touch_number(t, p, 1);
    table_untouch(t, p, entry_of(s));
    assert_int_equal(dirty_count(p), 0);
    assert_int_equal(pane_count(p), 1);
    table_cursor at = { 0 };
    assert_ptr_equal(table_scan(p, &at), entry_of(s));
    touch_number(t, p, 1)->count = 8; /* its bytes are saved again */
    assert_int_equal(dirty_count(p), 1);
    table_undo(t);
    assert_int_equal(find_number(p, 1)->count, 7);
    table_free(t);
}

static void a_deleted_entry_is_gone_and_its_key_can_come_again(void **state) {
    (void)state;
    table *t = new_table();
    table_epoch_begin(t);
    pane *p = table_pane(t, 0);
    for (uint64_t i = 0; i < 40; i++) {
        sample *s = touch_number(t, p, i);
        sl_part_set(t, &s->text, "some text", 9);
    }
    for (uint64_t i = 0; i < 40; i += 2) table_delete(t, p, entry_of(find_number(p, i)));
    assert_int_equal(pane_count(p), 20);
    assert_int_equal(dirty_count(p), 20);
    for (uint64_t i = 0; i < 40; i++) assert_int_equal(find_number(p, i) != NULL, i % 2);
    touch_number(t, p, 0)->count = 5;
    table_commit(t);
    assert_int_equal(table_part_count(t), 20);
    assert_int_equal(find_number(p, 0)->count, 5);
    table_cursor at = { 0 };
    uint32_t seen = 0;
    while (table_scan(p, &at)) seen++;
    assert_int_equal(seen, 21);
    table_free(t);
}

static void a_removed_entry_can_be_read_and_comes_back_at_undo(void **state) {
    (void)state;
    table *t = new_table();
    table_epoch_begin(t);
    pane *p = table_pane(t, 0);
    for (uint64_t i = 0; i < 100; i++) {
        sample *s = touch_number(t, p, i);
        s->count = (int64_t)i;
        sl_part_set(t, &s->text, "some text", 9);
    }
    table_commit(t);
    for (int touches = 0; touches < 2; touches++) {
        table_epoch_begin(t);
        sample *s = find_number(p, 7);
        entry *e = entry_of(s);
        if (touches) touch_number(t, p, 7)->count = 70;
        table_remove(t, p, e);
        assert_true(entry_is_removed(e));
        assert_int_equal(e->hash, mix(7));
        assert_int_equal(s->count, touches ? 70 : 7);
        assert_null(find_number(p, 7));
        assert_int_equal(pane_count(p), 99);
        sample *again = touch_number(t, p, 7); /* an entry of its own */
        assert_ptr_not_equal(again, s);
        assert_int_equal(again->count, 0);
        table_undo(t);
        assert_ptr_equal(find_number(p, 7), s);
        assert_false(entry_is_removed(e));
        assert_int_equal(s->count, 7);
        assert_memory_equal(s->text.data, "some text", 9);
        assert_int_equal(pane_count(p), 100);
        assert_int_equal(table_part_count(t), 100);
    }
    table_epoch_begin(t);
    for (uint64_t i = 0; i < 100; i += 2) table_remove(t, p, entry_of(find_number(p, i)));
    table_commit(t);
    assert_int_equal(table_part_count(t), 50);
    for (uint64_t i = 0; i < 100; i++) assert_int_equal(find_number(p, i) != NULL, i % 2);
    table_free(t);
}

static void what_a_removed_entry_held_can_be_read_until_commit(void **state) {
    (void)state;
    enum { LARGE = 200000 };
    char *bytes = mem_zalloc(1, LARGE);
    table *t = new_table();
    table_epoch_begin(t);
    pane *p = table_pane(t, 0);
    sample *s = touch_number(t, p, 1);
    sl_part_set(t, &s->text, bytes, LARGE);
    const char *held = s->text.data;
    table_remove(t, p, entry_of(s));
    assert_memory_equal(held, bytes, LARGE); /* a sanitizer sees it if not */
    table_commit(t);
    assert_int_equal(table_part_count(t), 0);
    table_epoch_begin(t);
    s = touch_number(t, p, 2);
    sl_part_set(t, &s->text, bytes, 9);
    table_remove(t, p, entry_of(s));
    table_undo(t);
    assert_int_equal(table_part_count(t), 0);
    table_free(t);
    mem_free(bytes);
}

static void an_entry_made_in_the_memory_of_another_goes_at_undo(void **state) {
    (void)state;
    table *t = new_table();
    table_epoch_begin(t);
    pane *p = table_pane(t, 0);
    sample *old = touch_number(t, p, 1);
    touch_number(t, p, 2);
    table_commit(t);
    table_epoch_begin(t);
    table_remove(t, p, entry_of(old));
    table_commit(t);
    table_epoch_begin(t);
    assert_ptr_equal(touch_number(t, p, 3), old);
    for (uint64_t i = 100; i < 1000; i++) touch_number(t, p, i); /* the index grows */
    table_undo(t);
    assert_null(find_number(p, 3));
    assert_non_null(find_number(p, 2));
    assert_int_equal(pane_count(p), 1);
    table_epoch_begin(t);
    assert_ptr_equal(touch_number(t, p, 4), old);
    table_delete(t, p, entry_of(old));
    table_commit(t);
    table_epoch_begin(t);
    assert_ptr_equal(touch_number(t, p, 5), old);
    table_commit(t);
    table_free(t);
}

/* Keys of many lengths pass through a pane that lives for ever. */
static void a_pane_does_not_grow_by_what_passes_through_it(void **state) {
    (void)state;
    enum { LIVE = 1000,
           BATCH = 500 };
    char key[600] = { 0 };
    table *t = new_table();
    size_t held = 0;
    for (uint64_t batch = 0; batch < 6000; batch++) {
        table_epoch_begin(t);
        pane *p = table_pane(t, INT64_MIN);
        for (uint64_t i = batch * BATCH; i < (batch + 1) * BATCH; i++) {
            memcpy(key, &i, sizeof i);
            uint32_t len = (uint32_t)(8 + i * 7919 % LIVE % 590);
            entry *e = table_touch(t, p, mix(i), key, len);
            assert_true(table_is_new(t, e));
            if (i % 3 == 0) sl_part_set(t, &((sample *)entry_state(e))->text, key, len);
            if (i < LIVE) continue;
            uint64_t gone = i - LIVE;
            memcpy(key, &gone, sizeof gone);
            table_remove(t, p, table_find(p, mix(gone), key, len));
        }
        (batch % 10 == 7 ? table_undo : table_commit)(t);
        if (batch % 10 == 7) { /* what the undone batch did is done by the next */
            table_epoch_begin(t);
            for (uint64_t i = batch * BATCH; i < (batch + 1) * BATCH; i++) {
                memcpy(key, &i, sizeof i);
                uint32_t len = (uint32_t)(8 + i * 7919 % LIVE % 590);
                table_touch(t, p, mix(i), key, len);
                if (i < LIVE) continue;
                uint64_t gone = i - LIVE;
                memcpy(key, &gone, sizeof gone);
                table_remove(t, p, table_find(p, mix(gone), key, len));
            }
            table_commit(t);
        }
        assert_int_equal(pane_count(p), (batch + 1) * BATCH < LIVE ? (batch + 1) * BATCH : LIVE);
        if (batch == 40) held = table_held_bytes(t);
    }
    assert_true(table_held_bytes(t) <= held);
    table_free(t);
}

enum { VECTOR = 1000 };

/* Rows of one vector over two panes, touched at once. */
static void touch_vector(table *t, pane *const panes[2], const uint64_t *numbers, uint32_t count) {
    pane *row_panes[VECTOR];
    uint64_t hashes[VECTOR];
    const char *keys[VECTOR];
    uint32_t key_lens[VECTOR];
    void *states[VECTOR];
    for (uint32_t i = 0; i < count; i++) {
        row_panes[i] = panes[numbers[i] & 1];
        hashes[i] = mix(numbers[i]);
        keys[i] = (const char *)&numbers[i];
        key_lens[i] = sizeof numbers[i];
    }
    table_touch_many(t, count, row_panes, hashes, keys, key_lens, states);
    for (uint32_t i = 0; i < count; i++) ((sample *)states[i])->count++;
}

static void assert_same_panes(const pane *a, const pane *b) {
    assert_int_equal(pane_count(a), pane_count(b));
    assert_int_equal(dirty_count(a), dirty_count(b));
    table_cursor at_a = { 0 }, at_b = { 0 };
    for (entry *e; (e = table_scan(a, &at_a));) {
        entry *other = table_scan(b, &at_b);
        assert_int_equal(e->hash, other->hash);
        assert_memory_equal(entry_key(e), entry_key(other), entry_key_len(e));
        assert_memory_equal(entry_state(e), entry_state(other), sizeof(sample));
    }
    assert_null(table_scan(b, &at_b));
}

static void vectors_touch_as_rows_one_by_one_do(void **state) {
    (void)state;
    table *many = new_table(), *single = new_table();
    uint64_t numbers[VECTOR], seed = 1;
    for (int batch = 0; batch < 40; batch++) {
        table_epoch_begin(many);
        table_epoch_begin(single);
        pane *const panes[] = { table_pane(many, 0), table_pane(many, 1) };
        pane *const others[] = { table_pane(single, 0), table_pane(single, 1) };
        uint32_t count = batch % 5 ? VECTOR : (uint32_t)batch; /* short ones too, and none */
        for (uint32_t i = 0; i < count; i++) {
            seed = mix(seed);
            numbers[i] = seed % 20000;
            touch_number(single, others[numbers[i] & 1], numbers[i])->count++;
        }
        touch_vector(many, panes, numbers, count);
        for (int i = 0; i < 2; i++) assert_same_panes(panes[i], others[i]);
        (batch % 3 ? table_commit : table_undo)(many);
        (batch % 3 ? table_commit : table_undo)(single);
    }
    table_free(many);
    table_free(single);
}

static void the_same_keys_are_found_in_another_pane(void **state) {
    (void)state;
    table *t = new_table();
    table_epoch_begin(t);
    pane *a = table_pane(t, 0), *b = table_pane(t, 1);
    for (uint64_t i = 0; i < 3000; i++) touch_number(t, a, i);
    for (uint64_t i = 0; i < 3000; i += 3) touch_number(t, b, i)->count = (int64_t)i;
    uint32_t count;
    entry *const *like = pane_dirty(a, &count);
    entry *found[3000];
    for (uint32_t shown = 0; shown <= count; shown += shown < 50 ? 1 : 2950) {
        memset(found, 0xff, sizeof found);
        table_find_many(b, shown, like, found);
        for (uint32_t i = 0; i < shown; i++) {
            assert_int_equal(found[i] != NULL, i % 3 == 0);
            if (found[i]) assert_int_equal(((sample *)entry_state(found[i]))->count, i);
        }
    }
    table_commit(t);
    table_free(t);
}

static void a_million_entries_come_and_go(void **state) {
    (void)state;
    enum { COUNT = 1000000 };
    table *t = new_table();
    size_t held = 0;
    for (int round = 0; round < 4; round++) {
        table_epoch_begin(t);
        pane *p = table_pane(t, round);
        for (uint64_t i = 0; i < COUNT; i++) touch_number(t, p, i)->count += (int64_t)i;
        assert_int_equal(pane_count(p), COUNT);
        table_commit(t);
        table_epoch_begin(t);
        for (uint64_t i = COUNT; i < COUNT + COUNT / 2; i++) touch_number(t, p, i);
        for (uint64_t i = 0; i < COUNT; i += 7) touch_number(t, p, i)->count = -1;
        table_undo(t);
        assert_int_equal(pane_count(p), COUNT);
        for (uint64_t i = 0; i < COUNT; i++) assert_int_equal(find_number(p, i)->count, i);
        assert_null(find_number(p, COUNT));
        table_epoch_begin(t);
        table_drop_pane(t, p);
        table_commit(t);
        if (round == 1) held = table_held_bytes(t);
    }
    assert_true(table_held_bytes(t) <= held);
    table_free(t);
}

/* Indexes that one has outgrown are as long as itself, and nobody asks for one of their sizes. */
static void what_an_index_has_outgrown_is_not_held(void **state) {
    (void)state;
    enum { COUNT = 1000000,
           INDEX = 16 << 20,
           SLACK = 6 << 20 };
    table *t = new_table();
    for (uint64_t i = 0; i < COUNT;) {
        table_epoch_begin(t);
        pane *p = table_pane(t, 0);
        for (uint64_t end = i + 1000; i < end; i++) touch_number(t, p, i);
        table_commit(t);
    }
    size_t entry_bytes = sizeof(entry) + sizeof(sample) + sizeof(uint64_t);
    assert_true(table_held_bytes(t) < COUNT * entry_bytes + INDEX + SLACK);
    table_free(t);
}

/* The model: for each pane and key the state that should be there. */
enum { PANES = 6,
       KEYS = 60 };

typedef struct model_cell {
    int64_t count; /* 0: no entry */
    uint64_t text; /* bytes of its part; 0: none */
} model_cell;

typedef struct model {
    model_cell cells[PANES][KEYS];
    uint8_t has_pane[PANES];
} model;

typedef uint64_t hash_function(uint64_t);

static uint64_t hash_same(uint64_t x) {
    (void)x;
    return 0;
}

static uint64_t hash_few_tags(uint64_t x) {
    return (x % 3 << 32) + x % 2;
}

static uint32_t key_of(uint64_t number, char *bytes) {
    return (uint32_t)snprintf(bytes, 64, "%.*llu", (int)(number % 20), (unsigned long long)number);
}

static void check_pane(const pane *p, const model_cell *cells, hash_function *hash) {
    uint32_t count = 0, scanned = 0;
    for (uint64_t k = 0; k < KEYS; k++) {
        char bytes[64];
        uint32_t len = key_of(k, bytes);
        const entry *e = table_find(p, hash(k), bytes, len);
        assert_int_equal(e != NULL, cells[k].count != 0);
        if (!e) continue;
        count++;
        const sample *s = entry_state(e);
        assert_int_equal(s->count, cells[k].count);
        assert_int_equal(s->text.data != NULL, cells[k].text != 0);
        if (!s->text.data) continue;
        assert_int_equal(s->text.len, 8 + cells[k].text % 50);
        assert_memory_equal(s->text.data, &cells[k].text, 8);
    }
    table_cursor at = { 0 };
    while (table_scan(p, &at)) scanned++;
    assert_int_equal(scanned, count);
    assert_int_equal(pane_count(p), count);
}

static void check_table(const table *t, const model *m, hash_function *hash) {
    uint32_t count = 0;
    for (int64_t i = 0; i < PANES; i++) {
        const pane *p = table_find_pane(t, i * 1000);
        assert_int_equal(p != NULL, m->has_pane[i]);
        if (!p) continue;
        count++;
        check_pane(p, m->cells[i], hash);
    }
    assert_int_equal(pane_list_count(t), count);
}

static size_t model_parts(const model *m) {
    size_t parts = 0;
    for (uint32_t i = 0; i < PANES * KEYS; i++) parts += m->cells[i / KEYS][i % KEYS].text != 0;
    return parts;
}

static void set_text(table *t, sample *s, model_cell *cell) {
    char bytes[64] = { 0 };
    cell->text = rand() % 8 ? (uint64_t)rand() + 1 : 0;
    memcpy(bytes, &cell->text, 8);
    sl_part_set(t, &s->text, cell->text ? bytes : NULL, (uint32_t)(8 + cell->text % 50));
}

/* Touch, delete, remove, set a part, or drop a pane: one change to both. */
static void change(table *t, model *m, hash_function *hash) {
    uint32_t i = (uint32_t)rand() % PANES;
    if (rand() % 60 == 0) {
        if (m->has_pane[i]) table_drop_pane(t, table_find_pane(t, i * 1000));
        m->has_pane[i] = 0;
        memset(m->cells[i], 0, sizeof m->cells[i]);
        return;
    }
    uint64_t k = (uint64_t)rand() % KEYS;
    model_cell *cell = &m->cells[i][k];
    char bytes[64];
    uint32_t len = key_of(k, bytes);
    pane *p = table_pane(t, i * 1000);
    m->has_pane[i] = 1;
    if (cell->count && rand() % 6 == 0) {
        table_remove(t, p, table_find(p, hash(k), bytes, len));
        *cell = (model_cell){ 0 };
        return;
    }
    entry *e = table_touch(t, p, hash(k), bytes, len);
    if (table_is_new(t, e) && rand() % 4 == 0) {
        table_delete(t, p, e);
        *cell = (model_cell){ 0 };
        return;
    }
    sample *s = entry_state(e);
    s->count++;
    cell->count++;
    if (rand() % 2) set_text(t, s, cell);
}

/* A step of changes to old entries only, put back by their bytes. */
static void step_put_back(table *t, model *m, hash_function *hash) {
    table_epoch_next(t);
    for (int n = rand() % 5; n > 0; n--) {
        uint32_t i = (uint32_t)rand() % PANES;
        uint64_t k = (uint64_t)rand() % KEYS;
        if (!m->cells[i][k].count) continue;
        char bytes[64];
        uint32_t len = key_of(k, bytes);
        sample *s = entry_state(table_touch(t, table_pane(t, i * 1000), hash(k), bytes, len));
        sample saved = *s;
        model_cell cell = m->cells[i][k];
        for (int sets = rand() % 4; sets > 0; sets--) set_text(t, s, &cell);
        s->count += 1000;
        *s = saved;
        table_epoch_undo(t);
    }
    check_table(t, m, hash);
}

static void random_batches(hash_function *hash) {
    table *t = new_table();
    model *m = mem_zalloc(1, sizeof *m), *before = mem_alloc(sizeof *before);
    for (int batch = 0; batch < 1500; batch++) {
        *before = *m;
        table_epoch_begin(t);
        for (int changes = rand() % 100; changes > 0; changes--) {
            change(t, m, hash);
            if (rand() % 30 == 0) step_put_back(t, m, hash);
        }
        check_table(t, m, hash);
        if (rand() % 3 == 0) {
            table_undo(t);
            *m = *before;
        } else {
            table_commit(t);
        }
        check_table(t, m, hash);
        assert_int_equal(table_part_count(t), model_parts(m));
    }
    mem_free(before);
    mem_free(m);
    table_free(t);
}

static void random_batches_agree_with_a_model(void **state) {
    (void)state;
    srand(11);
    random_batches(mix);
}

static void random_batches_agree_when_all_hashes_collide(void **state) {
    (void)state;
    srand(12);
    random_batches(hash_same);
    random_batches(hash_few_tags);
}

static void a_table_is_freed_in_the_middle_of_a_batch(void **state) {
    (void)state;
    table *t = new_table();
    table_epoch_begin(t);
    sample *s = touch_number(t, table_pane(t, 0), 1);
    sl_part_set(t, &s->text, "text", 4);
    table_drop_pane(t, table_pane(t, 0));
    table_free(t);
    table_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_entry_starts_with_the_initial_state),
        cmocka_unit_test(a_key_is_dirty_once_a_batch_with_its_old_bytes),
        cmocka_unit_test(touches_are_told_apart_when_their_numbers_begin_again),
        cmocka_unit_test(keys_with_one_hash_or_one_tag_are_kept_apart),
        cmocka_unit_test(keys_of_any_length_are_keys),
        cmocka_unit_test(panes_are_found_and_listed_by_start),
        cmocka_unit_test(a_dropped_pane_can_be_read_and_comes_back_at_undo),
        cmocka_unit_test(an_untouched_entry_is_as_no_batch_had_met_it),
        cmocka_unit_test(a_deleted_entry_is_gone_and_its_key_can_come_again),
        cmocka_unit_test(a_removed_entry_can_be_read_and_comes_back_at_undo),
        cmocka_unit_test(what_a_removed_entry_held_can_be_read_until_commit),
        cmocka_unit_test(an_entry_made_in_the_memory_of_another_goes_at_undo),
        cmocka_unit_test(a_pane_does_not_grow_by_what_passes_through_it),
        cmocka_unit_test(vectors_touch_as_rows_one_by_one_do),
        cmocka_unit_test(the_same_keys_are_found_in_another_pane),
        cmocka_unit_test(a_million_entries_come_and_go),
        cmocka_unit_test(what_an_index_has_outgrown_is_not_held),
        cmocka_unit_test(random_batches_agree_with_a_model),
        cmocka_unit_test(random_batches_agree_when_all_hashes_collide),
        cmocka_unit_test(a_table_is_freed_in_the_middle_of_a_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
