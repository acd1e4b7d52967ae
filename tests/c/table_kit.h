#pragma once
/* Tables of image_kit.h as text, to be compared; behind cmocka.h. */
#include <stdlib.h>

#include "tests/c/image_kit.h"

/* An image of all entries of a table between batches, sorted so that tables can be compared. */
typedef struct kit_line {
    char *text;
} kit_line;

static inline int kit_by_text(const void *a, const void *b) {
    return strcmp(((const kit_line *)a)->text, ((const kit_line *)b)->text);
}

static inline void kit_print_part(buf *out, const sl_part *part) {
    if (part->data)
        buf_printf(out, " %.*s", (int)part->len, part->data);
    else
        buf_put_text(out, " -");
}

static inline void kit_print_entry(buf *out, const pane *p, const entry *e) {
    const kit_state *s = entry_state(e);
    buf_printf(out, "%lld %.*s %lld %g", (long long)pane_start(p), (int)entry_key_len(e),
               entry_key(e), (long long)s->count, s->sum);
    kit_print_part(out, &s->text);
    kit_print_part(out, &s->sketch);
}

/* The entries of a table as sorted lines. */
static inline char *kit_list(const table *t) {
    uint32_t panes, count = 0;
    pane *const *all = table_panes(t, &panes);
    for (uint32_t p = 0; p < panes; p++) count += pane_count(all[p]);
    kit_line *lines = mem_zalloc(count + 1, sizeof *lines);
    count = 0;
    for (uint32_t p = 0; p < panes; p++) {
        table_cursor at = { 0 };
        for (entry *e; (e = table_scan(all[p], &at));) {
            buf text = { 0 };
            kit_print_entry(&text, all[p], e);
            lines[count++].text = mem_copy_text(text.data, text.len);
            buf_done(&text);
        }
    }
    if (count) qsort(lines, count, sizeof *lines, kit_by_text);
    buf out = { 0 };
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(&out, "%s\n", lines[i].text);
        mem_free(lines[i].text);
    }
    mem_free(lines);
    buf_text(&out);
    return out.data;
}

static inline void kit_assert_same(const table *a, const table *b) {
    char *of_a = kit_list(a), *of_b = kit_list(b);
    assert_string_equal(of_a, of_b);
    mem_free(of_a);
    mem_free(of_b);
}
