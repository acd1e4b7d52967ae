/* Keys and members of stored states as text (state_view.h). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json_text.h"
#include "runtime/base/mem.h"
#include "runtime/cli/state_view.h"
#include "runtime/operator/key.h"
#include "runtime/shared/output.h"

static void put_hex(buf *out, const char *bytes, size_t len) {
    buf_put_text(out, "0x");
    for (size_t i = 0; i < len; i++) buf_printf(out, "%02x", (unsigned char)bytes[i]);
}

/* -- keys */

static void put_key(const state_table *t, const entry *e, int32_t kind, buf *out) {
    uint64_t not_finite = 0;
    key_read(entry_key(e), entry_key_len(e), t->key.columns, t->key.count, t->key.row);
    if (kind == SL_KEY_OBJECT)
        encode_value(t->key.encoder, out, t->key.row, &not_finite);
    else
        encode_key(t->key.encoder, out, t->key.row, kind, &not_finite);
}

void state_put_key(const state_table *t, const entry *e, buf *out) {
    if (t->key.encoder) {
        put_key(t, e, SL_KEY_OBJECT, out);
        return;
    }
    buf_put_char(out, '"');
    put_hex(out, entry_key(e), entry_key_len(e));
    buf_put_char(out, '"');
}

/* Without the blanks that stand outside of strings. */
static void put_dense(buf *out, const char *json) {
    bool is_inside = false;
    for (const char *at = json; *at; at++) {
        if (!is_inside && strchr(" \t\r\n", *at)) continue;
        if (*at == '"') is_inside = !is_inside;
        buf_put_char(out, *at);
        if (is_inside && *at == '\\' && at[1]) buf_put_char(out, *++at);
    }
}

/* Take a bound of the window off the end: `,"window_end":5}` becomes `}`. */
static void cut_bound(buf *key, const char *name, int64_t *value) {
    char *at = strstr((char *)buf_text(key), name);
    if (!at) return;
    *value = strtoll(at + strlen(name), NULL, 10);
    if (at > key->data && at[-1] == ',') at--;
    key->len = (size_t)(at - key->data);
    buf_put_char(key, '}');
}

static bool is_text(const buf *b, const char *text) {
    return b->len == strlen(text) && !memcmp(b->data, text, b->len);
}

bool state_has_key(const state_table *t, const entry *e, const char *written, int64_t *start) {
    buf wanted, own;
    int64_t end;
    *start = INT64_MIN;
    buf_init(&wanted);
    buf_init(&own);
    if (*written == '{' && t->key.encoder) {
        put_dense(&wanted, written);
        cut_bound(&wanted, "\"window_end\":", &end);
        cut_bound(&wanted, "\"window_start\":", start);
        put_key(t, e, SL_KEY_OBJECT, &own);
    } else {
        buf_put_text(&wanted, written);
        bool is_plain = t->key.encoder && t->key.count == 1 && strncmp(written, "0x", 2) != 0;
        if (is_plain)
            put_key(t, e, SL_KEY_PLAIN, &own);
        else
            put_hex(&own, entry_key(e), entry_key_len(e));
    }
    bool is_same = is_text(&own, buf_text(&wanted));
    buf_done(&wanted);
    buf_done(&own);
    return is_same;
}

/* -- members */

static const sl_part *part_of(const state_table *t, const state_member *m, const entry *e) {
    return (const sl_part *)((const char *)entry_state(e) + t->part_offsets[m->part]);
}

static bool put_number(buf *out, const char *type, const char *at) {
    if (!strncmp(type, "double", 6)) {
        double value;
        memcpy(&value, at, sizeof value);
        encode_double(out, value);
    } else if (!strncmp(type, "int64_t", 7) || !strncmp(type, "uint64_t", 8)) {
        int64_t value;
        memcpy(&value, at, sizeof value);
        buf_printf(out, *type == 'u' ? "%" PRIu64 : "%" PRId64, value);
    } else if (!strncmp(type, "int32_t", 7) || !strncmp(type, "uint32_t", 8)) {
        int32_t value;
        memcpy(&value, at, sizeof value);
        buf_printf(out, *type == 'u' ? "%" PRIu32 : "%" PRId32, value);
    } else if (!strncmp(type, "uint8_t", 7) || !strncmp(type, "bool", 4)) {
        buf_printf(out, "%u", (unsigned char)*at);
    } else {
        return false;
    }
    return true;
}

/* The number of values: "double[8]" has 8. */
static uint32_t count_of(const char *type) {
    const char *bracket = strchr(type, '[');
    int count = bracket ? atoi(bracket + 1) : 1;
    return count > 0 ? (uint32_t)count : 1;
}

static void put_opaque(buf *out, const char *bytes, size_t len) {
    enum { MOST = 64 };
    buf_put_char(out, '"');
    put_hex(out, bytes, len < MOST ? len : MOST);
    if (len > MOST) buf_printf(out, "… %zu bytes", len);
    buf_put_char(out, '"');
}

static void put_part(buf *out, const sl_part *part) {
    if (!part->data)
        buf_put_text(out, "null");
    else if (json_text_is_utf8(part->data, part->len) && !memchr(part->data, 0, part->len))
        json_text_put(out, part->data, part->len);
    else
        put_opaque(out, part->data, part->len);
}

void state_put_member(const state_table *t, const state_member *m, const entry *e, buf *out) {
    const char *at = (const char *)entry_state(e) + m->offset;
    if (m->part >= 0) {
        put_part(out, part_of(t, m, e));
        return;
    }
    uint32_t count = count_of(m->type), size = m->size / count;
    size_t begin = out->len;
    if (count > 1) buf_put_char(out, '[');
    for (uint32_t i = 0; i < count; i++) {
        if (i) buf_put_char(out, ',');
        if (put_number(out, m->type, at + i * size)) continue;
        out->len = begin;
        put_opaque(out, at, m->size);
        return;
    }
    if (count > 1) buf_put_char(out, ']');
}

static bool is_number(const state_member *m) {
    char zero[8] = { 0 };
    buf text;
    buf_init(&text);
    bool is = m->part < 0 && count_of(m->type) == 1 && put_number(&text, m->type, zero);
    buf_done(&text);
    return is;
}

bool state_may_compare(const state_member *a, const state_member *b) {
    bool is_one_type = !strcmp(a->type, b->type) && a->size == b->size;
    return is_one_type ? (a->part < 0) == (b->part < 0) : is_number(a) && is_number(b);
}

/* Numbers of two types. */
static bool looks_same(const state_value *a, const state_value *b) {
    buf x, y;
    buf_init(&x);
    buf_init(&y);
    state_put_member(a->table, a->member, a->entry, &x);
    state_put_member(b->table, b->member, b->entry, &y);
    bool is_same = is_text(&x, buf_text(&y));
    buf_done(&x);
    buf_done(&y);
    return is_same;
}

bool state_same_value(const state_value *a, const state_value *b) {
    if (a->member->part < 0) {
        const char *x = entry_state(a->entry), *y = entry_state(b->entry);
        if (strcmp(a->member->type, b->member->type)) return looks_same(a, b);
        return !memcmp(x + a->member->offset, y + b->member->offset, a->member->size);
    }
    const sl_part *x = part_of(a->table, a->member, a->entry);
    const sl_part *y = part_of(b->table, b->member, b->entry);
    return x->len == y->len && !x->data == !y->data &&
           (!x->len || !memcmp(x->data, y->data, x->len));
}

size_t state_entry_bytes(const state_table *t, const entry *e) {
    size_t bytes = t->state_size + entry_key_len(e);
    for (uint32_t i = 0; i < t->part_count; i++) {
        const char *state = entry_state(e);
        bytes += ((const sl_part *)(state + t->part_offsets[i]))->len;
    }
    return bytes;
}
