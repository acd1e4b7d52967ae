/* Stored state: an object as it may come from a disk; or the bytes of a table's section, whose
 * checksum was right: into a table, and what that holds then is saved and read again. The first
 * byte says which. */
#include <stdlib.h>

#include "tests/c/image_kit.h"

static void open_object(const uint8_t *data, size_t len) {
    image_reader *r;
    image_view view;
    buf bytes = { .data = mem_alloc(len), .len = len, .room = len };
    if (len) memcpy(bytes.data, data, len);
    err *e = image_open("fuzz", &bytes, &r);
    err_free(e);
    if (e) return;
    while (image_next(r, &view)) (void)view.name[0];
    image_reader_free(r);
}

static uint32_t count_of(const table *t) {
    uint32_t panes, count = 0;
    pane *const *all = table_panes(t, &panes);
    for (uint32_t p = 0; p < panes; p++) count += pane_count(all[p]);
    return count;
}

/* Panes and entries as they come behind the layout of the kit's states. */
static void load_section(const uint8_t *data, size_t len) {
    const uint32_t layout[] = { sizeof(kit_state), 2, offsetof(kit_state, text),
                                offsetof(kit_state, sketch) };
    image_share whole = kit_whole();
    buf bytes = { 0 };
    buf_put(&bytes, layout, sizeof layout);
    buf_put(&bytes, data, len / 8 * 8);
    image_view view = {
        .kind = IMAGE_TABLE, .name = "fuzz", .bytes = bytes.data, .len = bytes.len
    };
    table *t = kit_table(), *copy = kit_table();
    table_epoch_begin(t);
    err *e = image_load_table(&view, t, NULL, &whole);
    (e ? table_undo : table_commit)(t);
    err_free(e);
    buf saved = kit_save(t, true);
    if (kit_load(copy, &saved, NULL, &whole) || count_of(t) != count_of(copy)) abort();
    table_free(t);
    table_free(copy);
    buf_done(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    if (!len) return 0;
    (data[0] % 4 ? load_section : open_object)(data + 1, len - 1);
    return 0;
}
