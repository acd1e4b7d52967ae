/* Stored state that was cut or changed is refused, wherever that happened; so is what never was
 * right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/base/mem.h"
#include "tests/c/image_kit.h"

enum { SECTOR = 512,
       BLOCK = 4096 };

/* An object of `groups` groups and what else a batch has. */
static buf make(bool is_full, int groups) {
    table *t = kit_table();
    char key[24];
    table_epoch_begin(t);
    kit_set(t, 7, "gone", 1, NULL, NULL);
    kit_set(t, 8, "dropped", 1, NULL, NULL);
    table_commit(t);
    table_epoch_begin(t);
    table_remove(t, table_pane(t, 7), kit_find(t, 7, "gone"));
    table_drop_pane(t, table_pane(t, 8));
    for (int i = 0; i < groups; i++) {
        snprintf(key, sizeof key, "group %d", i);
        kit_set(t, i % 3 * 10, key, i, i % 2 ? key : NULL, i % 5 ? NULL : "a sketch");
    }
    image_head head = kit_head(is_full);
    image *m = image_new(&head);
    buf_put_text(image_begin(m, IMAGE_PROGRESS, "", 0), "positions");
    image_end(m);
    image_put_table(m, "aggregate a", t, is_full);
    image_finish(m);
    buf bytes = kit_bytes(m);
    image_free(m);
    table_commit(t);
    table_free(t);
    return bytes;
}

/* Open a copy of `len` bytes, in a block of just that size. */
static bool is_refused(const char *bytes, size_t len) {
    image_reader *r = NULL;
    buf copy = { .data = mem_alloc(len), .len = len, .room = len };
    if (len) memcpy(copy.data, bytes, len);
    err *e = image_open("object", &copy, &r);
    bool refused = e && e->code == ERR_REFUSED && strlen(e->message) > 10;
    err_free(e);
    if (!e) image_reader_free(r);
    return refused;
}

static void flip_and_see(buf *object, size_t at, unsigned bit) {
    object->data[at] = (char)(object->data[at] ^ 1 << bit);
    if (!is_refused(object->data, object->len)) fail_msg("bit %u of byte %zu", bit, at);
    object->data[at] = (char)(object->data[at] ^ 1 << bit);
}

static void small_objects_are_refused_at_every_cut_and_every_bit(void **state) {
    (void)state;
    for (int is_full = 0; is_full < 2; is_full++) {
        buf object = make(is_full, 6);
        assert_true(!is_refused(object.data, object.len));
        for (size_t len = 0; len < object.len; len++)
            if (!is_refused(object.data, len)) fail_msg("%zu of %zu bytes", len, object.len);
        for (size_t at = 0; at < object.len; at++)
            for (unsigned bit = 0; bit < 8; bit++) flip_and_see(&object, at, bit);
        buf_put_char(&object, 0);
        assert_true(is_refused(object.data, object.len)); /* more than there should be */
        buf_done(&object);
    }
}

static void large_objects_are_refused_at_every_sector_and_block(void **state) {
    (void)state;
    for (int is_full = 0; is_full < 2; is_full++) {
        buf object = make(is_full, 12000);
        assert_true(object.len > 1 << 20); /* several sections */
        assert_true(!is_refused(object.data, object.len));
        for (size_t len = 0; len < object.len; len += SECTOR)
            if (!is_refused(object.data, len)) fail_msg("%zu of %zu bytes", len, object.len);
        for (size_t at = 0; at < object.len; at += BLOCK)
            flip_and_see(&object, at + at / BLOCK * 37 % BLOCK % (object.len - at), at / BLOCK % 8);
        buf_done(&object);
    }
}

static void zeros_in_place_of_a_block_are_seen(void **state) {
    (void)state;
    buf object = make(true, 2000);
    char *kept = mem_alloc(SECTOR);
    for (size_t at = 0; at + SECTOR <= object.len; at += SECTOR) {
        memcpy(kept, object.data + at, SECTOR);
        memset(object.data + at, 0, SECTOR); /* what a file system may leave after a power cut */
        if (!is_refused(object.data, object.len)) fail_msg("sector at %zu", at);
        memcpy(object.data + at, kept, SECTOR);
    }
    mem_free(kept);
    buf_done(&object);
}

static void a_newer_version_is_named(void **state) {
    (void)state;
    buf object = make(false, 1);
    image_reader *r;
    object.data[8] = 2;
    err *e = image_open("state/000000000042-ab.delta", &object, &r);
    assert_non_null(e);
    assert_int_equal(e->code, ERR_REFUSED);
    assert_string_equal(e->message, "state/000000000042-ab.delta, part 0: its format is version 2, "
                                    "this program reads version 1: use the sluice that wrote it, "
                                    "or a newer one");
    err_free(e);
}

static void parts_of_different_objects_are_not_mixed(void **state) {
    (void)state;
    image_reader *r;
    buf parts[2];
    for (int k = 0; k < 2; k++) {
        image_head head = kit_head(true);
        head.batch += (uint64_t)k;
        image *m = image_new(&head);
        image_cut_at(m, 1);
        for (int i = 0; i < 2; i++) {
            buf_put_text(image_begin(m, IMAGE_SINK, "s", 1), "x");
            image_end(m);
        }
        image_finish(m);
        parts[k] = (buf){ 0 };
        buf_put(&parts[k], image_part(m, (uint32_t)k)->data, image_part(m, (uint32_t)k)->len);
        image_free(m);
    }
    assert_null(image_open("object", &parts[0], &r));
    assert_int_equal(image_part_total(r), 2);
    err *e = image_add_part(r, &parts[1]);
    assert_non_null(e);
    assert_int_equal(e->code, ERR_REFUSED);
    err_free(e);
    image_reader_free(r);
}

/* A table's section whose bytes are `words`. */
static bool holds_nothing(const uint64_t *words, size_t count) {
    uint64_t *copy = mem_alloc(count * sizeof *copy);
    memcpy(copy, words, count * sizeof *copy);
    image_view view = {
        .kind = IMAGE_TABLE, .name = "a", .bytes = (const char *)copy, .len = count * sizeof *copy
    };
    saved_table s;
    err *e = saved_table_open(&view, &s);
    bool refused = e && e->code == ERR_REFUSED;
    err_free(e);
    mem_free(copy);
    return refused;
}

static uint64_t halves(uint32_t low, uint32_t high) {
    return (uint64_t)high << 32 | low;
}

static void sections_that_lie_about_lengths_are_refused(void **state) {
    (void)state;
    /* layout; pane: start, generation and flags, count; entry: hash, lengths, state, key */
    uint64_t right[] = { halves(8, 0), 5, 0, 1, 77, halves(3, 1), 9, 0x616161 };
    size_t count = sizeof right / sizeof *right;
    assert_false(holds_nothing(right, count));
    for (size_t cut = 0; cut < count; cut++)
        if (cut != 1) assert_true(holds_nothing(right, cut));
    struct {
        size_t at;
        uint64_t word;
    } wrong[] = {
        { 0, halves(0, 0) },          /* no state */
        { 0, halves(12, 0) },         /* not of whole words */
        { 0, halves(8, 1) },          /* a part that is not there */
        { 0, halves(8, UINT32_MAX) }, /* more parts than bytes */
        { 3, 2 },                     /* more entries than there are */
        { 3, 0 },                     /* fewer: what is behind is no pane */
        { 5, halves(9, 1) },          /* a longer key */
        { 5, halves(UINT32_MAX, 1) }, /* a key longer than all */
        { 5, halves(3, 0) },          /* no state */
        { 5, halves(3, 2) },          /* a longer state */
        { 5, halves(3, UINT32_MAX - 1) },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint64_t changed[sizeof right / sizeof *right];
        memcpy(changed, right, sizeof right);
        changed[wrong[i].at] = wrong[i].word;
        if (!holds_nothing(changed, count)) fail_msg("case %zu", i);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_objects_are_refused_at_every_cut_and_every_bit),
        cmocka_unit_test(large_objects_are_refused_at_every_sector_and_block),
        cmocka_unit_test(zeros_in_place_of_a_block_are_seen),
        cmocka_unit_test(a_newer_version_is_named),
        cmocka_unit_test(parts_of_different_objects_are_not_mixed),
        cmocka_unit_test(sections_that_lie_about_lengths_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
