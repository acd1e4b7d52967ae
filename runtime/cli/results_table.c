/* DESIGN. A table shows the newest of what is kept: by window, newest first, then by key, so that
 * rows do not jump about while their values change. Columns are the members of the values; cells
 * are laid out first, as texts, then widths are known and lines are cut to the terminal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/cli/members.h"
#include "runtime/cli/results_state.h"
#include "runtime/cli/text.h"

enum { MOST_ROWS = 16,
       MOST_COLUMNS = 16,
       MOST_WIDTH = 36,
       GAP = 2,
       MORE = 3 }; /* the sign that not all columns fit */

typedef struct cell {
    uint32_t from, len, width; /* in the grid's text */
} cell;

typedef struct grid {
    sl_string names[MOST_COLUMNS]; /* borrowed from the first row */
    cell cells[MOST_ROWS][MOST_COLUMNS];
    uint32_t widths[MOST_COLUMNS];
    bool are_numbers[MOST_COLUMNS]; /* these stand at the right */
    uint32_t rows, columns;
    buf text;
} grid;

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

/* -- cells */

static int column_type(const result_table *t, const sl_string *name) {
    for (uint32_t i = 0; t->shape && i < t->shape->column_count; i++) {
        const sl_column *c = &t->shape->columns[i];
        if (c->name.len == name->len && !memcmp(c->name.data, name->data, name->len))
            return c->type;
    }
    return 0;
}

/* Doubles are shortened for the eye; what is in the topic is exact. */
static void put_value(buf *out, sl_string value, int type, int64_t now_ms) {
    char digits[40];
    bool is_number = value.len && value.len < sizeof digits && strchr("-0123456789", value.data[0]);
    if (!is_number) {
        members_put_plain(out, value);
        return;
    }
    memcpy(digits, value.data, value.len);
    digits[value.len] = '\0';
    if (type == SL_TIMESTAMP) {
        text_put_time(out, strtoll(digits, NULL, 10), now_ms);
    } else if (type == SL_DOUBLE || strpbrk(digits, ".eE")) {
        double number = strtod(digits, NULL);
        bool is_plain =
            number == 0 || (number >= 0.01 && number < 1e12) || (number <= -0.01 && number > -1e12);
        buf_printf(out, is_plain ? "%.2f" : "%.4g", number);
    } else {
        buf_put(out, value.data, value.len);
    }
}

static void set_cell(grid *g, uint32_t row, uint32_t column, sl_string value, int type,
                     int64_t now_ms) {
    cell *c = &g->cells[row][column];
    c->from = (uint32_t)g->text.len;
    put_value(&g->text, value, type, now_ms);
    c->len = (uint32_t)g->text.len - c->from;
    c->width = text_width(g->text.data + c->from, c->len);
    bool is_number = value.len && strchr("-0123456789", value.data[0]) && type != SL_TIMESTAMP;
    if (is_number) g->are_numbers[column] = true;
    if (c->width > MOST_WIDTH) c->width = MOST_WIDTH;
    if (c->width > g->widths[column]) g->widths[column] = c->width;
}

static sl_string value_of(const result *x) {
    return (sl_string){ .data = x->text + x->key_len, .len = x->value_len };
}

static uint32_t find_column(grid *g, sl_string name) {
    for (uint32_t i = 0; i < g->columns; i++)
        if (g->names[i].len == name.len && !memcmp(g->names[i].data, name.data, name.len)) return i;
    if (g->columns == MOST_COLUMNS) return MOST_COLUMNS;
    uint32_t width = text_width(name.data, name.len);
    g->widths[g->columns] = width < MOST_WIDTH ? width : MOST_WIDTH;
    g->names[g->columns] = name;
    return g->columns++;
}

static void add_members(grid *g, const result_table *t, sl_string text, int64_t now_ms,
                        const char *otherwise) {
    members m;
    bool is_object = members_begin(&m, text.data, text.len);
    while (is_object && members_next(&m)) {
        uint32_t column = find_column(g, m.name);
        if (column == MOST_COLUMNS) break;
        set_cell(g, g->rows, column, m.value, column_type(t, &m.name), now_ms);
    }
    if (is_object || !text.len) return;
    sl_string name = { .data = otherwise, .len = (uint32_t)strlen(otherwise) };
    set_cell(g, g->rows, find_column(g, name), text, SL_STRING, now_ms);
}

/* Whether the value says what the key is; else the key is shown, too. */
static bool names_key(const result_table *t) {
    const sl_output *o = t->shape;
    for (uint32_t k = 0; o && o->key_kind != SL_KEY_RECORD && k < o->key_count; k++)
        if (!column_type(t, &o->key[k].name)) return false;
    return true;
}

static void fill(grid *g, const result_table *t, const result **shown, uint32_t count,
                 int64_t now_ms) {
    bool with_key = !names_key(t);
    for (uint32_t i = 0; i < count; i++) {
        const result *x = shown[i];
        sl_string key = { .data = x->text, .len = x->has_key ? x->key_len : 0 };
        if (with_key) add_members(g, t, key, now_ms, "key");
        add_members(g, t, value_of(x), now_ms, "value");
        g->rows++;
    }
}

/* -- lines */

/* How many columns fit, with room for a sign where some do not, and how wide they are. */
static uint32_t fitting(const grid *g, uint32_t width, uint32_t *used) {
    uint32_t all = 0, sum = 0, count = 0;
    for (uint32_t c = 0; c < g->columns; c++) all += GAP + g->widths[c];
    uint32_t most = all <= width ? width : width > MORE ? width - MORE
                                                        : 0;
    while (count < g->columns && sum + GAP + g->widths[count] <= most)
        sum += GAP + g->widths[count++];
    if (!count && g->columns) sum = GAP + g->widths[count++];
    *used = sum;
    return count;
}

static void put_more(buf *out, uint32_t count, uint32_t width) {
    char text[32];
    int len = snprintf(text, sizeof text, "  … %u more", count);
    if (!count || width < MORE) return;
    if (text_width(text, (size_t)len) > width) len = (int)sizeof "  …" - 1;
    buf_put(out, text, (size_t)len);
}

static void put_padded(buf *out, const char *text, size_t len, uint32_t width, bool to_right) {
    uint32_t own = text_width(text, len), pad = own < width ? width - own : 0;
    for (uint32_t i = 0; i < GAP + (to_right ? pad : 0); i++) buf_put_char(out, ' ');
    text_put_clipped(out, text, len, width);
    for (uint32_t i = 0; !to_right && i < pad; i++) buf_put_char(out, ' ');
}

static void put_grid(buf *out, const grid *g, uint32_t width) {
    uint32_t used, columns = fitting(g, width, &used);
    buf_put_text(out, "\033[2m");
    for (uint32_t c = 0; c < columns; c++)
        put_padded(out, g->names[c].data, g->names[c].len, g->widths[c], g->are_numbers[c]);
    put_more(out, g->columns - columns, width > used ? width - used : 0);
    buf_put_text(out, "\033[0m\n");
    for (uint32_t r = 0; r < g->rows; r++) {
        for (uint32_t c = 0; c < columns; c++) {
            const cell *x = &g->cells[r][c];
            put_padded(out, g->text.data + x->from, x->len, g->widths[c], g->are_numbers[c]);
        }
        buf_put_char(out, '\n');
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
    grid *g = mem_zalloc(1, sizeof *g);
    buf_init(&g->text);
    fill(g, t, shown, count, now_ms);
    put_grid(out, g, width);
    buf_done(&g->text);
    mem_free(g);
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
