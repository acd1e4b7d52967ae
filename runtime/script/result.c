#include "runtime/script/result.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "runtime/shared/row.h"

enum { TEXT_BYTES = 40 };

/* What is written so far. */
typedef struct line {
    char *text;
    size_t len, room; /* len < room */
} line;

static void put_char(line *l, char c) {
    if (l->len + 1 >= l->room) return;
    l->text[l->len++] = c;
    l->text[l->len] = '\0';
}

static void put(line *l, const char *text) {
    for (; *text; text++) put_char(l, *text);
}

/* As in JSON, but what has no face of its own is a question mark. */
static void put_text(line *l, const sl_string *s) {
    put_char(l, '"');
    for (uint32_t i = 0; i < s->len && i < TEXT_BYTES; i++) {
        char c = s->data[i];
        bool is_plain = (unsigned char)c >= ' ' && c != '"' && c != '\\' && c != 127;
        put_char(l, is_plain ? c : '?');
    }
    put(l, s->len > TEXT_BYTES ? "…\"" : "\"");
}

static void put_value(line *l, const sl_row *row, const sl_column *c) {
    const char *at = (const char *)row + c->offset;
    char text[40] = "…";
    if (row->nulls[c->null_bit / 64] >> (c->null_bit % 64) & 1) {
        put(l, "null");
        return;
    }
    switch (c->type) {
    case SL_STRING: put_text(l, (const sl_string *)(const void *)at); return;
    case SL_BOOL: put(l, *at ? "true" : "false"); return;
    case SL_INT32:
    case SL_DATE:
        snprintf(text, sizeof text, "%" PRId32, *(const int32_t *)(const void *)at);
        break;
    case SL_INT64:
    case SL_TIMESTAMP:
        snprintf(text, sizeof text, "%" PRId64, *(const int64_t *)(const void *)at);
        break;
    case SL_DOUBLE: snprintf(text, sizeof text, "%.14g", *(const double *)(const void *)at); break;
    }
    put(l, text);
}

static const sl_aggregate *find_aggregate(const sl_plan *plan, uint32_t driver) {
    for (uint32_t a = 0; plan && a < plan->aggregate_count; a++)
        if (plan->aggregates[a].emit_driver == driver) return &plan->aggregates[a];
    return NULL;
}

void result_put_place(const sl_plan *plan, uint32_t driver, const sl_vector *v, char *text,
                      size_t room) {
    const sl_aggregate *of = find_aggregate(plan, driver);
    line l = { .text = text, .room = room };
    uint32_t pos = *(const volatile uint32_t *)&v->pos;
    char window[80] = "";
    *text = '\0';
    if (!of || !v->rows || !v->bounds || pos >= v->count) return;
    put(&l, ", group {");
    for (uint32_t i = 0; i < of->group_count; i++) {
        put(&l, i ? "," : "");
        put_text(&l, &of->group[i].name);
        put_char(&l, ':');
        put_value(&l, v->rows[pos], &of->group[i]);
    }
    put_char(&l, '}');
    if (of->window.kind != SL_WINDOW_NONE && of->window.kind != SL_WINDOW_RUNNING)
        snprintf(window, sizeof window, ", window [%.0f, %.0f)", v->bounds[pos].start,
                 v->bounds[pos].stop);
    put(&l, window);
}
