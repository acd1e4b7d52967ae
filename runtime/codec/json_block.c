/* DESIGN: a block is written from front to back while its document is read. Producers mostly write
 * fields in the order of the schema, and maps sorted or small: only where that is not so, what was
 * written is put in order once the object has ended. */
#include "runtime/codec/json_block.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/codec/bad.h"
#include "runtime/codec/number_short.h"

enum { MOST_BYTES = 1 << 30 }; /* a block never needs to be longer; offsets fit into 32 bits */

static const block_span SEEN_NULL = { UINT32_MAX, 0 };

void block_memory_done(block_memory *m) {
    buf_done(&m->block);
    buf_done(&m->ordered);
    mem_free(m->spans);
}

static void put_u32(buf *out, uint32_t value) { buf_put(out, &value, sizeof value); }

static void put_text(buf *out, sl_string text) {
    char *to = buf_need(out, text.len + sizeof text.len);
    memcpy(to, &text.len, sizeof text.len);
    if (text.len) memcpy(to + sizeof text.len, text.data, text.len);
    out->len += text.len + sizeof text.len;
}

static void put_double(buf *out, double value) {
    if (value == 0) value = 0; /* equal values, equal bytes */
    buf_put(out, &value, sizeof value);
}

/* Append a value of `f`, as nested.h has it. */
static void put_value(buf *out, const field *f, const field_value *value) {
    uint8_t flag = (uint8_t)value->integer;
    int32_t number = (int32_t)value->integer;
    switch ((enum sl_type)f->type) {
    case SL_BOOL: buf_put(out, &flag, sizeof flag); return;
    case SL_INT32:
    case SL_DATE: buf_put(out, &number, sizeof number); return;
    case SL_INT64:
    case SL_TIMESTAMP: buf_put(out, &value->integer, sizeof value->integer); return;
    case SL_DOUBLE: put_double(out, value->number); return;
    case SL_DECIMAL: buf_put(out, &value->decimal, sizeof value->decimal); return;
    case SL_STRING:
    case SL_BYTES: put_text(out, value->text); return;
    case SL_LIST:
    case SL_MAP:
    case SL_STRUCT: buf_put(out, value->text.data, value->text.len); return;
    }
}

static bool read_string(json_reader *r, const field *f, buf *out) {
    json_walk *w = &r->walk;
    sl_string text;
    field_value value;
    if (json_walk_peek(w) != '"') return json_walk_refuse(w, field_wants(f));
    if (!json_walk_string(w, r->strings, &text)) return false;
    if (f->is_any_text) {
        put_text(out, text);
    } else {
        if (!field_read_string(f, text, r->strings, &value, w->bad)) return false;
        put_value(out, f, &value);
    }
    w->at++;
    return true;
}

/* Read the usual numbers without the long way round. */
static inline bool read_short(const field *f, const char *token, size_t len, buf *out) {
    int64_t integer;
    double number;
    if (f->has_checks) return false;
    if (f->type == SL_DOUBLE && number_short_double(token, len, &number)) {
        put_double(out, number);
        return true;
    }
    if (f->type == SL_INT64 && number_short_int64(token, len, &integer) &&
        field_holds_int64(f, integer)) {
        buf_put(out, &integer, sizeof integer);
        return true;
    }
    return false;
}

static bool read_scalar(json_reader *r, const field *f, buf *out) {
    json_walk *w = &r->walk;
    const char *token = w->json + w->at[0];
    field_value value;
    if (!read_short(f, token, w->at[1] - w->at[0], out)) {
        if (!field_read_scalar(f, token, &value, w->bad)) return false;
        put_value(out, f, &value);
    }
    w->at++;
    return true;
}

static bool read_list(json_reader *r, const field *f, uint32_t depth);
static bool read_map(json_reader *r, const field *f, uint32_t depth);
static bool read_struct(json_reader *r, const field *f, uint32_t depth);

/* Read the value at the next token, which is not null, append it, and step over it. */
static inline bool read_value(json_reader *r, const field *f, uint32_t depth) {
    buf *out = &r->memory->block;
    if (f->takes_text) return read_string(r, f, out);
    if (!f->is_block) return read_scalar(r, f, out);
    if (depth >= JSON_MAX_DEPTH)
        return json_walk_refuse(&r->walk, "at most 64 objects and arrays inside each other");
    if (out->len > MOST_BYTES) return bad_because(r->walk.bad, "a value of more than 1 GiB");
    if (f->type == SL_LIST) return read_list(r, f, depth + 1);
    return f->type == SL_MAP ? read_map(r, f, depth + 1) : read_struct(r, f, depth + 1);
}

/* What is wrong with a null that may not be one. */
static bool refuse_null(json_reader *r, const field *f) {
    return bad_because(r->walk.bad, "missing or null, wanted %s", field_wants(f));
}

/* Read a list's element or a map's value: a byte that says whether it is null, then the value. */
static bool read_element(json_reader *r, const field *f, uint32_t depth) {
    json_walk *w = &r->walk;
    buf *out = &r->memory->block;
    if (json_walk_peek(w) != 'n') {
        buf_put_char(out, 0);
        return read_value(r, f, depth);
    }
    if (!json_walk_null(w)) return false;
    w->at++;
    if (f->plan->required) return refuse_null(r, f);
    buf_put_char(out, !f->plan->has_default);
    if (f->plan->has_default) put_value(out, f, &f->fallback);
    return true;
}

/* Step behind the token that an array or object must begin with. */
static bool open_with(json_walk *w, const field *f, char bracket) {
    if (json_walk_peek(w) != bracket) return json_walk_refuse(w, field_wants(f));
    w->at++;
    return true;
}

static void set_u32(buf *out, size_t at, uint32_t value) {
    memcpy(out->data + at, &value, sizeof value);
}

static bool read_list(json_reader *r, const field *f, uint32_t depth) {
    json_walk *w = &r->walk;
    buf *out = &r->memory->block;
    size_t start = out->len;
    uint32_t count = 0;
    if (!open_with(w, f, '[')) return false;
    put_u32(out, 0);
    if (json_walk_peek(w) != ']') {
        for (;; w->at++) {
            count++;
            if (!read_element(r, f->items, depth)) return bad_at(w->bad, count);
            if (json_walk_peek(w) != ',') break;
        }
    }
    if (json_walk_peek(w) != ']') return json_walk_refuse(w, "a comma or a closing ]");
    set_u32(out, start, count);
    return json_walk_close(w, depth);
}

/* Push `count` spans, not seen; the number of the first. */
static uint32_t push_spans(block_memory *m, uint32_t count) {
    uint32_t first = m->span_count;
    if (m->span_room - first < count) {
        m->span_room = (first + count) * 2;
        m->spans = mem_realloc(m->spans, m->span_room * sizeof *m->spans);
    }
    memset(m->spans + first, 0, count * sizeof *m->spans);
    m->span_count += count;
    return first;
}

/* Write the bytes of `count` spans in their order over what lies behind `start`. */
static void put_in_order(block_memory *m, uint32_t first, uint32_t count, size_t start) {
    buf_reset(&m->ordered);
    for (uint32_t i = first; i < first + count; i++)
        if (m->spans[i].len) buf_put(&m->ordered, m->block.data + m->spans[i].start, m->spans[i].len);
    m->block.len = start;
    buf_put(&m->block, m->ordered.data, m->ordered.len);
}

/* The key of a map's entry at `entry`. */
static sl_string key_of(const char *entry) {
    sl_string key = { .data = entry + 4 };
    memcpy(&key.len, entry, sizeof key.len);
    return key;
}

static int compare_keys(sl_string a, sl_string b) {
    uint32_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.data, b.data, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_entries(const void *a, const void *b, void *block) {
    const block_span *x = a, *y = b;
    return compare_keys(key_of((const char *)block + x->start),
                        key_of((const char *)block + y->start));
}

static bool refuse_twice(json_reader *r, sl_string key) {
    bad_because(r->walk.bad, "the name stands twice in its object");
    return bad_under(r->walk.bad, key.data, key.len);
}

/* Sort the entries from span `first` on, and look for keys that stand twice. */
static bool sort_entries(json_reader *r, uint32_t first, size_t start) {
    block_memory *m = r->memory;
    uint32_t count = m->span_count - first;
    qsort_r(m->spans + first, count, sizeof *m->spans, compare_entries, m->block.data);
    for (uint32_t i = first; i + 1 < m->span_count; i++) {
        if (compare_entries(&m->spans[i], &m->spans[i + 1], m->block.data)) continue;
        return refuse_twice(r, key_of(m->block.data + m->spans[i].start));
    }
    put_in_order(m, first, count, start);
    return true;
}

/* Read an entry of a map: its name, colon and value. */
static bool read_entry(json_reader *r, const field *f, uint32_t depth) {
    json_walk *w = &r->walk;
    block_memory *m = r->memory;
    uint32_t at = push_spans(m, 1);
    const uint32_t *token = w->at;
    sl_string key;
    size_t start = m->block.len;
    if (w->json[token[0]] != '"' || w->json[token[1]] != ':') {
        json_refuse_name(w, token);
        return false;
    }
    if (!json_walk_string(w, r->strings, &key)) return false;
    put_text(&m->block, key);
    w->at += 2;
    if (!read_element(r, f->items, depth)) return json_refuse_under(r, token);
    m->spans[at] = (block_span){ (uint32_t)start, (uint32_t)(m->block.len - start) };
    return true;
}

/* Does the last entry's key stand behind that of the entry before? */
static bool is_ascending(const block_memory *m, uint32_t first) {
    uint32_t last = m->span_count - 1;
    return last == first ||
           compare_entries(&m->spans[last - 1], &m->spans[last], m->block.data) < 0;
}

static bool read_map(json_reader *r, const field *f, uint32_t depth) {
    json_walk *w = &r->walk;
    block_memory *m = r->memory;
    size_t start = m->block.len;
    uint32_t first = m->span_count;
    bool is_sorted = true;
    if (!open_with(w, f, '{')) return false;
    put_u32(&m->block, 0);
    if (json_walk_peek(w) != '}') {
        for (;; w->at++) {
            if (!read_entry(r, f, depth)) return false;
            is_sorted = is_sorted && is_ascending(m, first);
            if (json_walk_peek(w) != ',') break;
        }
    }
    if (json_walk_peek(w) != '}') return json_walk_refuse(w, "a comma or a closing }");
    if (!is_sorted && !sort_entries(r, first, start + 4)) return false;
    set_u32(&m->block, start, m->span_count - first);
    m->span_count = first;
    return json_walk_close(w, depth);
}

/* A struct while it is read. */
typedef struct open_struct {
    const field *f;
    size_t start;   /* of its null bits in the block */
    uint32_t first; /* span of its first field */
    uint32_t next;  /* behind the last field that was written */
    bool is_ordered;
} open_struct;

/* Clear the null bit of field `at` and note where its value lies. */
static void note_field(block_memory *m, open_struct *s, uint32_t at, size_t start) {
    m->block.data[s->start + at / 8] &= (char)~(1 << at % 8);
    m->spans[s->first + at] = (block_span){ (uint32_t)start, (uint32_t)(m->block.len - start) };
    s->is_ordered = s->is_ordered && at >= s->next;
    s->next = at + 1;
}

/* Read the value of declared field `at` of the struct at the next token. */
static bool read_field(json_reader *r, open_struct *s, uint32_t at, uint32_t depth) {
    json_walk *w = &r->walk;
    block_memory *m = r->memory;
    if (m->spans[s->first + at].start)
        return bad_because(w->bad, "the name stands twice in its object");
    if (json_walk_peek(w) == 'n') {
        m->spans[s->first + at] = SEEN_NULL;
        if (!json_walk_null(w)) return false;
        w->at++;
        return true;
    }
    size_t start = m->block.len;
    if (!read_value(r, &s->f->items[at], depth)) return false;
    note_field(m, s, at, start);
    return true;
}

/* Read what is named by the next token into the struct. */
static name_node *read_member(json_reader *r, open_struct *s, name_node **guess, uint32_t depth) {
    json_walk *w = &r->walk;
    const uint32_t *token = w->at;
    name_node *node = json_read_name(r, s->f->names, guess, token);
    if (!node) return NULL;
    bool is_good;
    w->at = token + 2;
    if (node->id == NAME_UNDECLARED) {
        if (node != r->names->other) r->names->drift[node->drift].count++;
        is_good = json_walk_skip(w, depth);
    } else {
        is_good = read_field(r, s, node->id, depth);
    }
    if (is_good) return node;
    json_refuse_under(r, token);
    return NULL;
}

/* Fields that are null: give them their default, or refuse the record. */
static bool settle_fields(json_reader *r, open_struct *s) {
    block_memory *m = r->memory;
    uint32_t count = s->f->plan->column.shape->item_count;
    for (uint32_t i = 0; i < count; i++) {
        const field *item = &s->f->items[i];
        const block_span *span = &m->spans[s->first + i];
        if (span->start && span->len) continue;
        if (item->plan->required) {
            refuse_null(r, item);
            return bad_under(r->walk.bad, item->plan->column.name.data,
                             item->plan->column.name.len);
        }
        if (!item->plan->has_default) continue;
        size_t start = m->block.len;
        put_value(&m->block, item, &item->fallback);
        note_field(m, s, i, start);
    }
    return true;
}

static bool read_struct(json_reader *r, const field *f, uint32_t depth) {
    json_walk *w = &r->walk;
    block_memory *m = r->memory;
    uint32_t count = f->plan->column.shape->item_count, null_bytes = (count + 7) / 8;
    if (!open_with(w, f, '{')) return false;
    open_struct s = { .f = f, .start = m->block.len, .is_ordered = true };
    s.first = push_spans(m, count);
    memset(buf_need(&m->block, null_bytes), 0xff, null_bytes);
    m->block.len += null_bytes;
    if (count % 8) m->block.data[m->block.len - 1] = (char)((1 << count % 8) - 1);
    name_node **guess = &f->names->first;
    if (json_walk_peek(w) != '}') {
        for (;; w->at++) {
            name_node *node = read_member(r, &s, guess, depth);
            if (!node) return false;
            if (node != r->names->other) guess = &node->behind;
            if (json_walk_peek(w) != ',') break;
        }
    }
    if (json_walk_peek(w) != '}') return json_walk_refuse(w, "a comma or a closing }");
    if (f->has_wanted && !settle_fields(r, &s)) return false;
    if (!s.is_ordered) put_in_order(m, s.first, count, s.start + null_bytes);
    m->span_count = s.first;
    return json_walk_close(w, depth);
}

bool json_block_read(json_reader *r, const field *f, uint32_t depth) {
    block_memory *m = r->memory;
    buf_reset(&m->block);
    m->span_count = 0;
    if (!read_value(r, f, depth)) return false;
    sl_string *to = (sl_string *)((char *)r->row + f->offset);
    *to = (sl_string){
        .data = arena_copy(r->strings, m->block.data, m->block.len),
        .len = (uint32_t)m->block.len,
    };
    field_clear_null(f, r->row);
    return true;
}
