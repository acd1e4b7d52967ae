/* Objects of every format version that was ever released stand in tests/c/state/ and are read for
 * ever. What is written now must be what stands there for this version, byte for byte: whoever
 * changes the format raises IMAGE_VERSION, keeps reading the older one, and adds its objects here
 * (KEPT_WRITE=1 in the environment writes them). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/c/image_kit.h"

/* Beside this file, wherever the test runs. */
static FILE *open_kept(int version, const char *kind, const char *mode) {
    char path[1024];
    snprintf(path, sizeof path, "%.*s/state/version-%d.%s",
             (int)(strrchr(__FILE__, '/') - __FILE__), __FILE__, version, kind);
    return fopen(path, mode);
}

static buf read_kept(int version, const char *kind) {
    buf bytes = { 0 };
    FILE *file = open_kept(version, kind, "rb");
    assert_non_null(file);
    size_t got;
    while ((got = fread(buf_need(&bytes, 4096), 1, 4096, file))) bytes.len += got;
    fclose(file);
    return bytes;
}

static buf finish(image *m) {
    image_finish(m);
    buf bytes = kit_bytes(m);
    image_free(m);
    return bytes;
}

/* The full object and the delta behind it, as they are made by this program. */
static void make(buf *full, buf *delta) {
    image_head first = kit_head(true), second = kit_head(false);
    table *t = kit_table();
    table_epoch_begin(t);
    kit_set(t, -60000, "goes", 1, "text", NULL);
    kit_set(t, 0, "user_1", 2, NULL, "sketch");
    kit_set(t, 0, "", 3, "", NULL);
    image *m = image_new(&first);
    buf_put_text(image_begin(m, IMAGE_RECORD, "", 0), "{\"batch\":41}");
    image_end(m);
    image_put_table(m, "aggregate a", t, true);
    *full = finish(m);
    table_commit(t);
    table_epoch_begin(t);
    table_drop_pane(t, table_pane(t, -60000));
    table_remove(t, table_pane(t, 0), kit_find(t, 0, ""));
    kit_set(t, 0, "user_1", 5, "now it has one", "sketch");
    kit_set(t, 60000, "user_2", 1, NULL, NULL);
    m = image_new(&second);
    buf_put_text(image_begin(m, IMAGE_SINK, "out", 3), "{\"at\":7}");
    image_end(m);
    image_put_table(m, "aggregate a", t, false);
    *delta = finish(m);
    table_commit(t);
    table_free(t);
}

static void assert_kept(const buf *made, const char *kind) {
    if (getenv("KEPT_WRITE")) {
        FILE *file = open_kept(IMAGE_VERSION, kind, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(made->data, 1, made->len, file), made->len);
        fclose(file);
    }
    buf kept = read_kept(IMAGE_VERSION, kind);
    assert_int_equal(kept.len, made->len);
    assert_memory_equal(kept.data, made->data, made->len);
    buf_done(&kept);
}

static void this_version_writes_the_bytes_that_are_kept(void **state) {
    (void)state;
    buf full, delta;
    make(&full, &delta);
    assert_kept(&full, "full");
    assert_kept(&delta, "delta");
    buf_done(&full);
    buf_done(&delta);
}

static void objects_of_every_version_are_read(void **state) {
    (void)state;
    for (int version = 1; version <= IMAGE_VERSION; version++) {
        buf full = read_kept(version, "full"), delta = read_kept(version, "delta");
        image_share whole = kit_whole();
        table *t = kit_table();
        assert_null(kit_load(t, &full, NULL, &whole));
        assert_non_null(kit_find(t, -60000, "goes"));
        assert_int_equal(((kit_state *)entry_state(kit_find(t, 0, "")))->count, 3);
        assert_null(kit_load(t, &delta, NULL, &whole));
        assert_null(kit_find(t, -60000, "goes"));
        assert_null(kit_find(t, 0, ""));
        const kit_state *user = entry_state(kit_find(t, 0, "user_1"));
        assert_int_equal(user->count, 5);
        assert_memory_equal(user->text.data, "now it has one", 14);
        assert_memory_equal(user->sketch.data, "sketch", 6);
        assert_non_null(kit_find(t, 60000, "user_2"));
        table_free(t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_version_writes_the_bytes_that_are_kept),
        cmocka_unit_test(objects_of_every_version_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
