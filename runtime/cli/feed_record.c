#include "runtime/cli/feed_record.h"

#include <inttypes.h>
#include <stdio.h>

#include "runtime/base/buf.h"
#include "runtime/base/json_text.h"
#include "runtime/cli/members.h"

enum { FEW = 12,
       MOST_HEADERS = 16 };

static int64_t in_unit(int64_t now_ms, int32_t unit) {
    switch (unit) {
    case SL_UNIT_S: return now_ms / 1000;
    case SL_UNIT_US: return now_ms * 1000;
    case SL_UNIT_NS: return now_ms * 1000000;
    default: return now_ms;
    }
}

/* A plausible text of a field: one of those allowed, in its range, a time near now. */
static void put_text(buf *out, const sl_field *f, int64_t i, int64_t now_ms) {
    const sl_value *one = f->one_of_count ? &f->one_of[i % f->one_of_count] : NULL;
    if (one && one->kind == SL_TEXT)
        buf_put(out, one->text.data, one->text.len);
    else if (one)
        buf_printf(out, "%.15g", one->number);
    else if (f->has_range)
        buf_printf(out, "%.15g", f->low);
    else if (f->column.type == SL_STRING)
        buf_printf(out, "%.*s-%" PRId64, (int)f->column.name.len, f->column.name.data, i % FEW + 1);
    else if (f->column.type == SL_BOOL)
        buf_put_text(out, i % 2 ? "true" : "false");
    else if (f->column.type == SL_TIMESTAMP)
        buf_printf(out, "%" PRId64, in_unit(now_ms, f->unit));
    else
        buf_printf(out, "%" PRId64, i % FEW + 1);
}

static sl_string text_of(const sl_field *f, int64_t i, int64_t now_ms, arena *memory) {
    buf text;
    buf_init(&text);
    put_text(&text, f, i, now_ms);
    sl_string s = { .data = arena_copy(memory, buf_text(&text), text.len),
                    .len = (uint32_t)text.len };
    buf_done(&text);
    return s;
}

/* An object of the fields that lie in the key; one level. */
static sl_string key_document(const sl_source *source, int64_t i, int64_t now_ms, arena *memory) {
    buf out;
    buf_init(&out);
    for (uint32_t k = 0; k < source->field_count; k++) {
        const sl_field *f = &source->fields[k];
        if (f->from != SL_FROM_KEY_PATH || f->path_count != 1) continue;
        sl_string text = text_of(f, i, now_ms, memory);
        buf_put_char(&out, out.len ? ',' : '{');
        json_text_put(&out, f->path[0].data, f->path[0].len);
        buf_put_char(&out, ':');
        if (f->column.type == SL_STRING)
            json_text_put(&out, text.data, text.len);
        else
            buf_put(&out, text.data, text.len);
    }
    buf_put_text(&out, out.len ? "}" : "{}");
    sl_string s = { .data = arena_copy(memory, out.data, out.len), .len = (uint32_t)out.len };
    buf_done(&out);
    return s;
}

static sl_string key_from_value(const sl_source *source, const sl_string *json, arena *memory) {
    sl_string value;
    for (uint32_t k = 0; k < source->field_count; k++) {
        const sl_field *f = &source->fields[k];
        bool fits = f->from == SL_FROM_VALUE && f->path_count == 1 && f->required &&
                    f->column.type == SL_STRING;
        if (!fits || !members_find(json->data, json->len, f->path[0], &value)) continue;
        if (value.len < 2 || value.data[0] != '"') continue;
        buf text;
        buf_init(&text);
        members_put_plain(&text, value);
        sl_string s = { .data = arena_copy(memory, buf_text(&text), text.len),
                        .len = (uint32_t)text.len };
        buf_done(&text);
        return s;
    }
    return (sl_string){ 0 };
}

static void set_headers(const sl_source *source, int64_t i, int64_t now_ms, arena *memory,
                        sl_message *m) {
    sl_header headers[MOST_HEADERS];
    uint32_t count = 0;
    for (uint32_t k = 0; k < source->field_count && count < MOST_HEADERS; k++) {
        const sl_field *f = &source->fields[k];
        if (f->from != SL_FROM_HEADER || !f->path_count) continue;
        headers[count++] =
            (sl_header){ .name = f->path[0], .value = text_of(f, i, now_ms, memory) };
    }
    if (!count) return;
    sl_header *kept = arena_take(memory, count * sizeof *kept, _Alignof(sl_header));
    memcpy(kept, headers, count * sizeof *kept);
    m->headers = kept;
    m->header_count = count;
}

void feed_record(const sl_source *source, int64_t i, int64_t now_ms, arena *memory, sl_message *m) {
    bool is_document = false;
    m->time_ms = now_ms;
    for (uint32_t k = 0; k < source->field_count && !m->key.data; k++) {
        const sl_field *f = &source->fields[k];
        if (f->from == SL_FROM_KEY) m->key = text_of(f, i, now_ms, memory);
        if (f->from == SL_FROM_KEY_PATH) is_document = true;
    }
    if (!m->key.data && is_document) m->key = key_document(source, i, now_ms, memory);
    if (!m->key.data) m->key = key_from_value(source, &m->value, memory);
    set_headers(source, i, now_ms, memory, m);
}
