#include "runtime/cli/grid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/cli/members.h"
#include "runtime/cli/text.h"

enum { MOST_COLUMNS = 16,
       MOST_WIDTH = 36,
       GAP = 2,
       MORE = 3 }; /* the sign that not all columns fit */

typedef struct cell {
    uint32_t from, len, width; /* in the grid's text */
} cell;

typedef struct grid_line {
    const char *mark;
    cell cells[MOST_COLUMNS];
} grid_line;

struct grid {
    const sl_output *shape; /* borrowed */
    int64_t now_ms;
    sl_string names[MOST_COLUMNS]; /* borrowed from the first row */
    grid_line *lines;              /* owned */
    uint32_t widths[MOST_COLUMNS];
    bool are_numbers[MOST_COLUMNS]; /* these stand at the right */
    uint32_t rows, room, columns;
    bool is_marked;
    buf text;
};

grid *grid_new(const sl_output *shape, int64_t now_ms) {
    grid *g = mem_zalloc(1, sizeof *g);
    g->shape = shape;
    g->now_ms = now_ms;
    buf_init(&g->text);
    return g;
}

void grid_free(grid *g) {
    if (!g) return;
    buf_done(&g->text);
    mem_free(g->lines);
    mem_free(g);
}

/* -- cells */

int grid_column_type(const sl_output *shape, const sl_string *name) {
    for (uint32_t i = 0; shape && i < shape->column_count; i++) {
        const sl_column *c = &shape->columns[i];
        if (c->name.len == name->len && !memcmp(c->name.data, name->data, name->len))
            return c->type;
    }
    return 0;
}

static bool is_number(const sl_string *value) {
    return value->len && value->len < 40 && strchr("-0123456789", value->data[0]);
}

/* Doubles are shortened for the eye; what is in the topic is exact. */
static void put_value(buf *out, sl_string value, int type, int64_t now_ms) {
    char digits[40];
    if (!is_number(&value)) {
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

static void set_cell(grid *g, uint32_t column, sl_string value, const sl_string *was, int type) {
    cell *c = &g->lines[g->rows - 1].cells[column];
    c->from = (uint32_t)g->text.len;
    bool differs = was && (was->len != value.len || memcmp(was->data, value.data, value.len));
    if (differs) {
        put_value(&g->text, *was, type, g->now_ms);
        buf_put_text(&g->text, " → ");
    }
    put_value(&g->text, value, type, g->now_ms);
    c->len = (uint32_t)g->text.len - c->from;
    c->width = text_width(g->text.data + c->from, c->len);
    if (is_number(&value) && type != SL_TIMESTAMP) g->are_numbers[column] = true;
    if (c->width > MOST_WIDTH) c->width = MOST_WIDTH;
    if (c->width > g->widths[column]) g->widths[column] = c->width;
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

void grid_row(grid *g, const char *mark) {
    if (g->rows == g->room) {
        g->room = g->room ? 2 * g->room : 16;
        g->lines = mem_realloc(g->lines, g->room * sizeof *g->lines);
    }
    g->lines[g->rows++] = (grid_line){ .mark = mark };
    g->is_marked |= mark != NULL;
}

/* What a member was before; NULL: it was not there, or nothing was. */
static const sl_string *member_of(const sl_string *was, sl_string name, sl_string *found) {
    return was && members_find(was->data, was->len, name, found) ? found : NULL;
}

void grid_add(grid *g, sl_string text, const sl_string *was, const char *otherwise) {
    members m;
    bool is_object = members_begin(&m, text.data, text.len);
    while (is_object && members_next(&m)) {
        uint32_t column = find_column(g, m.name);
        sl_string before;
        if (column == MOST_COLUMNS) break;
        set_cell(g, column, m.value, member_of(was, m.name, &before),
                 grid_column_type(g->shape, &m.name));
    }
    if (is_object || !text.len) return;
    sl_string name = { .data = otherwise, .len = (uint32_t)strlen(otherwise) };
    uint32_t column = find_column(g, name);
    if (column < MOST_COLUMNS) set_cell(g, column, text, was, SL_STRING);
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

/* Blanks at a line's end are nothing to see. */
static void end_line(buf *out) {
    while (out->len && out->data[out->len - 1] == ' ') out->len--;
    buf_put_char(out, '\n');
}

static void put_mark(const grid *g, buf *out, const char *mark, bool styled) {
    if (!g->is_marked) return;
    const char *color = !mark || !styled ? "" : *mark == '+' ? "\033[32m"
                                            : *mark == '-'   ? "\033[31m"
                                                             : "\033[33m";
    buf_put_text(out, color);
    buf_put_text(out, mark ? mark : " ");
}

void grid_put(const grid *g, buf *out, uint32_t width, bool styled) {
    uint32_t used, inside = g->is_marked && width ? width - 1 : width;
    uint32_t columns = fitting(g, inside, &used);
    if (styled) buf_put_text(out, "\033[2m");
    if (g->is_marked) buf_put_char(out, ' ');
    for (uint32_t c = 0; c < columns; c++)
        put_padded(out, g->names[c].data, g->names[c].len, g->widths[c], g->are_numbers[c]);
    put_more(out, g->columns - columns, inside > used ? inside - used : 0);
    if (styled) buf_put_text(out, "\033[0m");
    end_line(out);
    for (uint32_t r = 0; r < g->rows; r++) {
        put_mark(g, out, g->lines[r].mark, styled);
        for (uint32_t c = 0; c < columns; c++) {
            const cell *x = &g->lines[r].cells[c];
            put_padded(out, g->text.data + x->from, x->len, g->widths[c], g->are_numbers[c]);
        }
        if (styled && g->lines[r].mark) buf_put_text(out, "\033[0m");
        end_line(out);
    }
}
