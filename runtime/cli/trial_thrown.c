#include "runtime/cli/trial_thrown.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/cli/text.h"

enum { MOST_GROUPS = 5,
       MOST_KINDS = 64,
       MOST_REASON_LINES = 8,
       VALUE_WIDTH = 160,
       LINE_WIDTH = 200 };

/* Records thrown out for the same reason. */
typedef struct thrown {
    const outcome_row *first;
    sl_string kind, field, stage, cause;
    uint64_t count;
} thrown;

sl_string trial_header(const outcome_row *row, const char *name) {
    for (uint32_t i = 0; i < row->header_count; i++) {
        const sl_header *h = &row->headers[i];
        bool is_ours = h->name.len > 7 && !memcmp(h->name.data, "sluice.", 7);
        if (is_ours && strlen(name) == h->name.len - 7 &&
            !memcmp(h->name.data + 7, name, h->name.len - 7) && h->value.data)
            return h->value;
    }
    return (sl_string){ .data = "", .len = 0 };
}

static bool is_equal(const sl_string *a, const sl_string *b) {
    return a->len == b->len && !memcmp(a->data, b->data, a->len);
}

static bool is_text(const sl_string *s, const char *text) {
    return s->len == strlen(text) && !memcmp(s->data, text, s->len);
}

/* What is the same for all of a group: of one that threw where and what; else the field. */
static thrown group_of(const outcome_row *row) {
    thrown t = { .first = row,
                 .kind = trial_header(row, "kind"),
                 .field = trial_header(row, "field"),
                 .stage = trial_header(row, "stage"),
                 .cause = trial_header(row, "reason"),
                 .count = 1 };
    const char *end = memchr(t.cause.data, '\n', t.cause.len);
    if (end) t.cause.len = (uint32_t)(end - t.cause.data);
    if (t.field.len || is_text(&t.kind, "late")) t.cause.len = 0;
    return t;
}

static uint32_t skip_digits(const sl_string *s, uint32_t at) {
    while (at < s->len && ((s->data[at] >= '0' && s->data[at] <= '9') || s->data[at] == '.')) at++;
    return at;
}

/* Up to the first ": ": FILE:LINE, or what threw. */
static uint32_t skip_place(const sl_string *s) {
    const char *end = s->len ? memmem(s->data, s->len, ": ", 2) : NULL;
    return end ? (uint32_t)(end - s->data) : 0;
}

/* Whether two messages of one place are the same but for the numbers in them. */
static bool is_alike(const sl_string *a, const sl_string *b) {
    uint32_t i = skip_place(a), k = skip_place(b);
    if (i != k || memcmp(a->data, b->data, i)) return false;
    while (i < a->len && k < b->len) {
        uint32_t past_a = skip_digits(a, i), past_b = skip_digits(b, k);
        if ((past_a > i) != (past_b > k)) return false;
        if (past_a == i && a->data[i] != b->data[k]) return false;
        i = past_a > i ? past_a : i + 1;
        k = past_b > k ? past_b : k + 1;
    }
    return i == a->len && k == b->len;
}

static void add(thrown *groups, uint32_t *count, const outcome_row *row) {
    thrown t = group_of(row);
    for (uint32_t i = 0; i < *count; i++) {
        thrown *g = &groups[i];
        if (!is_equal(&g->kind, &t.kind) || !is_equal(&g->field, &t.field) ||
            !is_equal(&g->stage, &t.stage) || !is_alike(&g->cause, &t.cause))
            continue;
        g->count++;
        return;
    }
    if (*count < MOST_KINDS) groups[(*count)++] = t;
}

static void put_named(buf *out, const char *name, const sl_string *text) {
    if (text->len) buf_printf(out, ", %s `%.*s`", name, (int)text->len, text->data);
}

/* The reason's lines, the first behind the head, the others below. */
static void put_reason(buf *out, const sl_string *reason) {
    const char *at = reason->data, *end = at + reason->len;
    for (int i = 0; at < end && i < MOST_REASON_LINES; i++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop ? stop : end) - at);
        buf_put_text(out, i ? "\n    " : ": ");
        text_put_clipped(out, at, len, LINE_WIDTH);
        at += len + 1;
    }
}

static void put_time(buf *out, const sl_string *digits) {
    char text[24];
    if (!digits->len || digits->len >= sizeof text) return;
    memcpy(text, digits->data, digits->len);
    text[digits->len] = '\0';
    text_put_time(out, strtoll(text, NULL, 10), INT64_MIN);
}

/* Which window a late record was for, and how far the watermark was. */
static void put_lateness(buf *out, const outcome_row *row) {
    sl_string start = trial_header(row, "window_start"), end = trial_header(row, "window_end"),
              watermark = trial_header(row, "watermark");
    if (!watermark.len) return;
    buf_put_text(out, ": ");
    if (start.len) {
        buf_put_text(out, "its window is ");
        put_time(out, &start);
        buf_put_text(out, " to ");
        put_time(out, &end);
        buf_put_text(out, ", ");
    }
    buf_put_text(out, "the watermark was at ");
    put_time(out, &watermark);
}

static void put_group(buf *out, const thrown *g) {
    sl_string topic = trial_header(g->first, "topic"), reason = trial_header(g->first, "reason");
    sl_string partition = trial_header(g->first, "partition"),
              offset = trial_header(g->first, "offset");
    buf_put_text(out, "  ");
    text_put_count(out, g->count);
    buf_printf(out, " × %.*s", (int)g->kind.len, g->kind.data);
    put_named(out, "field", &g->field);
    put_named(out, "stage", &g->stage);
    put_reason(out, &reason);
    put_lateness(out, g->first);
    buf_printf(out, "\n    %s%.*s:%.*s:%.*s  ", g->count > 1 ? "first " : "", (int)topic.len,
               topic.data, (int)partition.len, partition.data, (int)offset.len, offset.data);
    const sl_string *value = &g->first->value;
    if (value->data)
        text_put_clipped(out, value->data, value->len, VALUE_WIDTH);
    else
        buf_put_text(out, "null");
    buf_put_char(out, '\n');
}

static bool is_larger(const thrown *a, const thrown *b) { return a->count > b->count; }

void trial_put_thrown(buf *out, const outcome *o) {
    thrown *groups = mem_zalloc(MOST_KINDS, sizeof *groups);
    uint32_t count = 0;
    for (uint32_t s = 0; s < o->count; s++)
        for (uint32_t i = 0; o->sinks[s].is_side && i < o->sinks[s].count; i++)
            add(groups, &count, &o->sinks[s].rows[i]);
    for (uint32_t n = 0; n < count && n < MOST_GROUPS; n++) {
        uint32_t best = n;
        for (uint32_t i = n + 1; i < count; i++)
            if (is_larger(&groups[i], &groups[best])) best = i;
        thrown g = groups[best];
        memmove(&groups[n + 1], &groups[n], (best - n) * sizeof g);
        groups[n] = g;
        if (!n) buf_put_text(out, "thrown out:\n");
        put_group(out, &g);
    }
    if (count > MOST_GROUPS) buf_printf(out, "  … %u further reasons\n", count - MOST_GROUPS);
    mem_free(groups);
}
