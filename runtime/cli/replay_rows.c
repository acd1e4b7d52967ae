#include "runtime/cli/replay_rows.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/json_text.h"
#include "runtime/base/mem.h"
#include "runtime/cli/text.h"

enum { LINE_COLUMNS = 4000 };

static uint32_t sink_of(replayed_rows *r, const sl_string *name) {
    for (uint32_t i = 0; i < r->sink_count; i++)
        if (strlen(r->sinks[i]) == name->len && !memcmp(r->sinks[i], name->data, name->len))
            return i;
    r->sinks = mem_realloc(r->sinks, (r->sink_count + 1) * sizeof *r->sinks);
    r->sinks[r->sink_count] = mem_copy_text(name->data, name->len);
    return r->sink_count++;
}

replayed_row replayed_row_new(uint32_t sink, const sl_string *key, const sl_string *value) {
    replayed_row row = { .sink = sink, .key_len = -1, .value_len = -1 };
    row.bytes = mem_alloc(key->len + value->len + 1u);
    if (key->data) {
        memcpy(row.bytes, key->data, key->len);
        row.key_len = key->len;
    }
    if (value->data) {
        memcpy(row.bytes + (row.key_len < 0 ? 0 : key->len), value->data, value->len);
        row.value_len = value->len;
    }
    return row;
}

void replayed_rows_add(void *arg, const sl_sink *sink, const sl_message *m) {
    replayed_rows *r = arg;
    if (r->count == r->room) {
        r->room = r->room ? 2 * r->room : 64;
        r->rows = mem_realloc(r->rows, r->room * sizeof *r->rows);
    }
    r->rows[r->count++] = replayed_row_new(sink_of(r, &sink->name), &m->key, &m->value);
}

void replayed_rows_reset(replayed_rows *r) {
    for (uint32_t i = 0; i < r->count; i++) mem_free(r->rows[i].bytes);
    r->count = 0;
}

void replayed_rows_done(replayed_rows *r) {
    replayed_rows_reset(r);
    for (uint32_t i = 0; i < r->sink_count; i++) mem_free(r->sinks[i]);
    mem_free(r->sinks);
    mem_free(r->rows);
    *r = (replayed_rows){ 0 };
}

/* -- digest */

static uint64_t add_bytes(uint64_t sum, const void *bytes, size_t len) {
    const unsigned char *at = bytes;
    for (size_t i = 0; i < len; i++) sum = (sum ^ at[i]) * 0x100000001b3u;
    return sum;
}

static size_t bytes_of(int64_t len) { return len < 0 ? 0 : (size_t)len; }

uint64_t replayed_rows_digest(const replayed_rows *r, const char *sink, uint32_t *count) {
    uint64_t sum = 0xcbf29ce484222325u;
    *count = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        const replayed_row *row = &r->rows[i];
        if (strcmp(r->sinks[row->sink], sink) != 0) continue;
        sum = add_bytes(sum, &row->key_len, sizeof row->key_len);
        sum = add_bytes(sum, &row->value_len, sizeof row->value_len);
        sum = add_bytes(sum, row->bytes, bytes_of(row->key_len) + bytes_of(row->value_len));
        ++*count;
    }
    return sum;
}

/* -- text */

static void put_bytes(buf *out, const char *name, const char *bytes, int64_t len) {
    bool is_text = len < 0 || json_text_is_utf8(bytes, (size_t)len);
    buf_printf(out, "\"%s%s\":", name, is_text ? "" : "_bytes");
    if (len < 0) {
        buf_put_text(out, "null");
    } else if (is_text) {
        json_text_put(out, bytes, (size_t)len);
    } else {
        buf_put_char(out, '"');
        json_text_put_base64(out, bytes, (size_t)len);
        buf_put_char(out, '"');
    }
}

void replayed_row_put(buf *out, const replayed_row *row) {
    put_bytes(out, "key", row->bytes, row->key_len);
    buf_put_char(out, ',');
    put_bytes(out, "value", row->bytes + bytes_of(row->key_len), row->value_len);
}

/* -- comparing */

/* A row of either list. */
typedef struct compared {
    const replayed_row *row;
    const char *sink;
    uint32_t number; /* in its list */
} compared;

static int by_bytes(const void *a, const void *b) {
    const compared *x = a, *y = b;
    int order = strcmp(x->sink, y->sink);
    if (order) return order;
    if (x->row->key_len != y->row->key_len) return x->row->key_len < y->row->key_len ? -1 : 1;
    if (x->row->value_len != y->row->value_len)
        return x->row->value_len < y->row->value_len ? -1 : 1;
    return memcmp(x->row->bytes, y->row->bytes,
                  bytes_of(x->row->key_len) + bytes_of(x->row->value_len));
}

static int by_number(const void *a, const void *b) {
    const compared *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

static compared *sorted(const replayed_rows *r) {
    compared *all = mem_alloc((r->count + 1u) * sizeof *all);
    for (uint32_t i = 0; i < r->count; i++)
        all[i] = (compared){ &r->rows[i], r->sinks[r->rows[i].sink], i };
    qsort(all, r->count, sizeof *all, by_bytes);
    return all;
}

/* Keep those of `a` that `b` has not: how many. */
static uint32_t keep_others(compared *a, uint32_t a_count, const compared *b, uint32_t b_count) {
    uint32_t kept = 0, at = 0;
    for (uint32_t i = 0; i < a_count; i++) {
        while (at < b_count && by_bytes(&b[at], &a[i]) < 0) at++;
        if (at < b_count && !by_bytes(&b[at], &a[i]))
            at++;
        else
            a[kept++] = a[i];
    }
    qsort(a, kept, sizeof *a, by_number);
    return kept;
}

/* What tells a row best, in a line. */
static void put_short(buf *out, const replayed_row *row) {
    bool is_gone = row->value_len < 0;
    const char *text = row->bytes + (is_gone ? 0 : bytes_of(row->key_len));
    size_t len = bytes_of(is_gone ? row->key_len : row->value_len);
    if (is_gone) buf_put_text(out, "retracted ");
    if (json_text_is_utf8(text, len))
        text_put_clipped(out, text, len, LINE_COLUMNS);
    else
        json_text_put_base64(out, text, len);
    buf_put_char(out, '\n');
}

static void put_others(buf *out, const char *mark, const compared *all, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(out, "%s %s ", mark, all[i].sink);
        put_short(out, all[i].row);
    }
}

uint32_t replayed_rows_compare(const replayed_rows *a, const replayed_rows *b, buf *out) {
    compared *x = sorted(a), *y = sorted(b), *all = sorted(a);
    uint32_t gone = keep_others(x, a->count, y, b->count);
    uint32_t more = keep_others(y, b->count, all, a->count);
    put_others(out, "-", x, gone);
    put_others(out, "+", y, more);
    mem_free(all);
    mem_free(x);
    mem_free(y);
    return gone + more;
}
