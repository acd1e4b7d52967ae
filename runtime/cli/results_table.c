/* DESIGN. A table shows the newest of what is kept: by window, newest first, then by key, so that
 * rows do not jump about while their values change. */
#include <stdlib.h>
#include <string.h>

#include "runtime/cli/grid.h"
#include "runtime/cli/results_state.h"
#include "runtime/cli/shape.h"
#include "runtime/cli/text.h"

enum { MOST_ROWS = 16 };

/* -- which rows */

static int compare_keys(const result *a, const result *b) {
    uint32_t least = a->key_len < b->key_len ? a->key_len : b->key_len;
    int by_bytes = memcmp(a->text, b->text, least);
    return by_bytes ? by_bytes : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

static int compare_keyed(const void *x, const void *y) {
    const result *a = *(const result *const *)x, *b = *(const result *const *)y;
    if (a->window_start != b->window_start) return a->window_start > b->window_start ? -1 : 1;
    return compare_keys(a, b);
}

static int compare_arrival(const void *x, const void *y) {
    const result *a = *(const result *const *)x, *b = *(const result *const *)y;
    return (a->order < b->order) - (a->order > b->order);
}

/* The rows to show, at most `most`, into `shown` (room for all). */
static uint32_t choose(const result_table *t, const result **shown, uint32_t most) {
    for (uint32_t i = 0; i < t->count; i++) shown[i] = &t->items[i];
    qsort(shown, t->count, sizeof *shown, t->is_keyed ? compare_keyed : compare_arrival);
    return t->count < most ? t->count : most;
}

/* -- lines */

static sl_string value_of(const result *x) {
    return (sl_string){ .data = x->text + x->key_len, .len = x->value_len };
}

static void fill(grid *g, const result_table *t, const result **shown, uint32_t count) {
    bool with_key = !shape_names_key(t->shape);
    for (uint32_t i = 0; i < count; i++) {
        const result *x = shown[i];
        sl_string key = { .data = x->text, .len = x->has_key ? x->key_len : 0 };
        grid_row(g, NULL);
        if (with_key) grid_add(g, key, NULL, "key");
        grid_add(g, value_of(x), NULL, "value");
    }
}

static void put_title(buf *out, const result_table *t, uint32_t shown, uint32_t width) {
    static const char *const MODES[] = { "", "append", "update", "complete" };
    buf line;
    buf_init(&line);
    if (t->mode) buf_printf(&line, "  mode %s", MODES[t->mode]);
    buf_put_text(&line, "  ");
    text_put_count(&line, t->seen);
    buf_put_text(&line, t->is_side     ? t->seen == 1 ? " record" : " records"
                        : t->seen == 1 ? " result"
                                       : " results");
    if (t->retracted) buf_printf(&line, ", %llu retracted", (unsigned long long)t->retracted);
    if (shown < t->count && t->is_keyed)
        buf_printf(&line, ", the newest %u of %u%s keys", shown, t->count,
                   t->count == RESULTS_ROOM ? "+" : "");
    else if (!t->is_keyed && !t->is_side)
        buf_put_text(&line, ", the latest");
    if (*t->reason) buf_printf(&line, ", last: %s", t->reason);
    buf_put_text(out, "\033[1m");
    text_put_clipped(out, t->name->data, t->name->len, width);
    buf_put_text(out, "\033[0m");
    uint32_t name_width = text_width(t->name->data, t->name->len);
    if (name_width < width) text_put_clipped(out, line.data, line.len, width - name_width);
    buf_put_char(out, '\n');
    buf_done(&line);
}

static void put_table(buf *out, const result_table *t, uint32_t most, uint32_t width,
                      int64_t now_ms) {
    const result *shown[RESULTS_ROOM];
    uint32_t count = choose(t, shown, most < MOST_ROWS ? most : MOST_ROWS);
    put_title(out, t, count, width);
    if (!t->is_side && !count && !t->seen && t->mode == SL_APPEND)
        text_put_clipped(out, "  a window's result comes when the watermark has passed its end", 64,
                         width);
    if (!t->is_side && !count && !t->seen && t->mode == SL_APPEND) buf_put_char(out, '\n');
    if (!count) return;
    grid *g = grid_new(t->shape, now_ms);
    fill(g, t, shown, count);
    grid_put(g, out, width, true);
    grid_free(g);
}

void results_put_tables(results *r, buf *out, uint32_t lines, uint32_t columns, int64_t now_ms) {
    uint32_t tables = 0, sides = 0;
    pthread_mutex_lock(&r->lock);
    for (uint32_t i = 0; i < r->count; i++) {
        tables += !r->tables[i].is_side;
        sides += r->tables[i].is_side && r->tables[i].seen;
    }
    uint32_t overhead = 3 * tables + sides; /* title, names, blank line */
    uint32_t each = tables && lines > overhead ? (lines - overhead) / tables : 0;
    for (uint32_t i = 0; i < r->count; i++) {
        if (r->tables[i].is_side) continue;
        put_table(out, &r->tables[i], each, columns, now_ms);
        buf_put_char(out, '\n');
    }
    for (uint32_t i = 0; i < r->count; i++)
        if (r->tables[i].is_side && r->tables[i].seen)
            put_table(out, &r->tables[i], 0, columns, now_ms);
    pthread_mutex_unlock(&r->lock);
}
