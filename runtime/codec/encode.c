#include "runtime/codec/encode.h"

#include <math.h>
#include <string.h>

#include "runtime/base/json_text.h"
#include "runtime/base/mem.h"
#include "runtime/codec/base64.h"
#include "runtime/codec/block.h"
#include "runtime/codec/decimal.h"
#include "runtime/codec/nulls.h"
#include "runtime/codec/number.h"
#include "runtime/codec/rfc3339.h"

enum { SHORT_PREFIX = 32, /* copied at once; so many bytes can be read behind the prefixes */
       SHORT_TIME = 64,   /* likewise, of a time with its prefix */
       TIME_BYTES = RFC3339_TEXT_BYTES + 2 /* numbers are shorter */ };

/* The text of the last time, behind its prefix: the rows of a window all have the same bounds. */
typedef struct last_time {
    int64_t ms;
    uint32_t len; /* with the prefix; 0: none yet */
    char *text;   /* owned */
} last_time;

/* A column, or a value inside of a block, with what stands in front of it. */
typedef struct item {
    sl_column column;
    uint32_t prefix; /* offset of `,"name":` in `prefixes` */
    uint32_t prefix_len;
    last_time *last;    /* owned; timestamps */
    struct item *inner; /* owned; blocks: what is inside, nested.h; NULL: nothing */
    uint32_t inner_count;
} item;

struct encoder {
    item *items;  /* owned; `count` of them */
    buf prefixes; /* owned */
    uint32_t count;
    int32_t times;      /* sl_times */
    size_t room;        /* bytes that items take whose length does not depend on a row, at most */
    uint64_t null_bits; /* of the columns, where all stand in the first word; else: */
    bool has_more_nulls;
};

static last_time *last_new(const char *prefix, size_t len) {
    last_time *last = mem_zalloc(1, sizeof *last);
    last->text = mem_zalloc(1, SHORT_TIME + len + TIME_BYTES);
    memcpy(last->text, prefix, len);
    return last;
}

static void last_free(last_time *last) {
    if (last) mem_free(last->text);
    mem_free(last);
}

/* Make `i` the item number `at` of an object. */
static void item_init(item *i, buf *prefixes, const sl_column *column, uint32_t at) {
    const sl_shape *shape = column->shape;
    size_t start = prefixes->len;
    buf_put_char(prefixes, at ? ',' : '{');
    json_text_put(prefixes, column->name.data, column->name.len);
    buf_put_char(prefixes, ':');
    *i = (item){
        .column = *column,
        .prefix = (uint32_t)start,
        .prefix_len = (uint32_t)(prefixes->len - start),
        .inner_count = shape ? shape->item_count : 0,
    };
    if (column->type == SL_TIMESTAMP) i->last = last_new(prefixes->data + start, i->prefix_len);
    if (!i->inner_count) return;
    i->inner = mem_zalloc(i->inner_count, sizeof *i->inner);
    for (uint32_t k = 0; k < i->inner_count; k++)
        item_init(&i->inner[k], prefixes, &shape->items[k].column, k);
}

static void item_done(item *i) {
    for (uint32_t k = 0; k < i->inner_count; k++) item_done(&i->inner[k]);
    last_free(i->last);
    mem_free(i->inner);
}

encoder *encoder_new(const sl_column *columns, uint32_t count, int32_t times) {
    encoder *e = mem_zalloc(1, sizeof *e);
    e->items = mem_zalloc(count ? count : 1, sizeof *e->items);
    e->count = count;
    e->times = times;
    buf_init(&e->prefixes);
    for (uint32_t i = 0; i < count; i++) {
        item_init(&e->items[i], &e->prefixes, &columns[i], i);
        e->room += SHORT_TIME + e->items[i].prefix_len + TIME_BYTES;
        if (columns[i].null_bit < 64)
            e->null_bits |= UINT64_C(1) << columns[i].null_bit;
        else
            e->has_more_nulls = true;
    }
    memset(buf_need(&e->prefixes, SHORT_PREFIX), 0, SHORT_PREFIX);
    return e;
}

void encoder_free(encoder *e) {
    if (!e) return;
    for (uint32_t i = 0; i < e->count; i++) item_done(&e->items[i]);
    buf_done(&e->prefixes);
    mem_free(e->items);
    mem_free(e);
}

void encode_double(buf *out, double value) {
    if (!isfinite(value)) {
        buf_put(out, "null", 4);
        return;
    }
    out->len += number_write(buf_need(out, NUMBER_TEXT_BYTES), value);
}

void encode_int64(buf *out, int64_t value) {
    out->len += number_write_int64(buf_need(out, NUMBER_TEXT_BYTES), value);
}

/* By `times` (sl_times): the integer, or RFC 3339 in quotes, UTC, with ms. */
static size_t write_time(char *to, int64_t time_ms, int32_t times) {
    if (times != SL_TIMES_ISO) return number_write_int64(to, time_ms);
    size_t len = rfc3339_write(to + 1, time_ms);
    to[0] = to[len + 1] = '"';
    return len + 2;
}

static inline const last_time *time_of(const encoder *e, const item *i, int64_t time_ms) {
    last_time *last = i->last;
    if (time_ms == last->ms && last->len) return last;
    last->ms = time_ms;
    last->len = i->prefix_len + (uint32_t)write_time(last->text + i->prefix_len, time_ms, e->times);
    return last;
}

static void put_time(const encoder *e, buf *out, const item *i, int64_t time_ms) {
    const last_time *last = time_of(e, i, time_ms);
    memcpy(buf_need(out, TIME_BYTES), last->text + i->prefix_len, TIME_BYTES);
    out->len += last->len - i->prefix_len;
}

/* Has the column a text of its own? What is not finite is null in JSON. */
static bool has_plain_text(const sl_row *row, const sl_column *column) {
    if (nulls_has(row->nulls, column->null_bit)) return false;
    if (column->type != SL_DOUBLE) return true;
    return isfinite(*(const double *)((const char *)row + column->offset));
}

static void put_double(buf *out, double value, uint64_t *not_finite) {
    if (!isfinite(value)) ++*not_finite;
    encode_double(out, value);
}

/* Append the text of a decimal or date, without quotes. */
static void put_words(buf *out, const sl_column *column, const char *at) {
    sl_decimal decimal;
    int32_t days;
    if (column->type == SL_DECIMAL) {
        memcpy(&decimal, at, sizeof decimal);
        out->len += decimal_write(buf_need(out, DECIMAL_TEXT_BYTES), &decimal,
                                  column->shape->scale);
    } else {
        memcpy(&days, at, sizeof days);
        out->len += rfc3339_write_date(buf_need(out, RFC3339_TEXT_BYTES), days);
    }
}

/* Append a value that is no text; `at` need not be aligned. */
static inline __attribute__((always_inline)) void
put_fixed(const encoder *e, buf *out, const item *i, const char *at, uint64_t *not_finite) {
    const sl_column *column = &i->column;
    int32_t small;
    int64_t whole;
    double real;
    switch ((enum sl_type)column->type) {
    case SL_BOOL: *at ? buf_put(out, "true", 4) : buf_put(out, "false", 5); return;
    case SL_INT32:
        memcpy(&small, at, sizeof small);
        encode_int64(out, small);
        return;
    case SL_DOUBLE:
        memcpy(&real, at, sizeof real);
        put_double(out, real, not_finite);
        return;
    case SL_TIMESTAMP:
        memcpy(&whole, at, sizeof whole);
        put_time(e, out, i, whole);
        return;
    case SL_DATE:
    case SL_DECIMAL:
        buf_put_char(out, '"');
        put_words(out, column, at);
        buf_put_char(out, '"');
        return;
    default:
        memcpy(&whole, at, sizeof whole);
        encode_int64(out, whole);
    }
}

/* Write what stands in front of a value, SHORT_PREFIX bytes at least; what is behind it. */
static inline char *write_prefix(const encoder *e, char *to, const item *i) {
    const char *prefix = e->prefixes.data + i->prefix;
    memcpy(to, prefix, SHORT_PREFIX);
    if (i->prefix_len > SHORT_PREFIX) memcpy(to, prefix, i->prefix_len);
    return to + i->prefix_len;
}

static inline void put_prefix(const encoder *e, buf *out, const item *i) {
    char *to = buf_need(out, SHORT_PREFIX + i->prefix_len);
    out->len += (size_t)(write_prefix(e, to, i) - to);
}

static void put_base64(buf *out, const char *data, size_t len) {
    size_t text_len = base64_text_len(len);
    char *to = buf_need(out, text_len + 2);
    to[0] = to[text_len + 1] = '"';
    base64_encode(data, len, to + 1);
    out->len += text_len + 2;
}

static uint32_t count_at(const char *at) {
    uint32_t count;
    memcpy(&count, at, sizeof count);
    return count;
}

static const char *put_inner(const encoder *e, buf *out, const item *i, const char *at,
                             uint64_t *not_finite);

/* Append a list's element or a map's value, null or not; returns what lies behind. */
static const char *put_element(const encoder *e, buf *out, const item *i, const char *at,
                               uint64_t *not_finite) {
    if (!*at) return put_inner(e, out, i, at + 1, not_finite);
    buf_put(out, "null", 4);
    return at + 1;
}

static const char *put_list(const encoder *e, buf *out, const item *i, const char *at,
                            uint64_t *not_finite) {
    uint32_t count = count_at(at);
    at += 4;
    buf_put_char(out, '[');
    for (uint32_t k = 0; k < count; k++) {
        if (k) buf_put_char(out, ',');
        at = put_element(e, out, i->inner, at, not_finite);
    }
    buf_put_char(out, ']');
    return at;
}

static const char *put_map(const encoder *e, buf *out, const item *i, const char *at,
                           uint64_t *not_finite) {
    uint32_t count = count_at(at);
    at += 4;
    buf_put_char(out, '{');
    for (uint32_t k = 0; k < count; k++) {
        uint32_t len = count_at(at);
        if (k) buf_put_char(out, ',');
        json_text_put(out, at + 4, len);
        buf_put_char(out, ':');
        at = put_element(e, out, i->inner, at + 4 + len, not_finite);
    }
    buf_put_char(out, '}');
    return at;
}

static const char *put_struct(const encoder *e, buf *out, const item *i, const char *at,
                              uint64_t *not_finite) {
    const char *nulls = at;
    at += (i->inner_count + 7) / 8;
    for (uint32_t k = 0; k < i->inner_count; k++) {
        const item *field = &i->inner[k];
        put_prefix(e, out, field);
        if ((unsigned char)nulls[k / 8] >> (k % 8) & 1)
            buf_put(out, "null", 4);
        else
            at = put_inner(e, out, field, at, not_finite);
    }
    buf_put_char(out, '}');
    return at;
}

/* Append the value at `at` of a block; returns what lies behind. */
static const char *put_inner(const encoder *e, buf *out, const item *i, const char *at,
                             uint64_t *not_finite) {
    switch (i->column.type) {
    case SL_LIST: return put_list(e, out, i, at, not_finite);
    case SL_MAP: return put_map(e, out, i, at, not_finite);
    case SL_STRUCT: return put_struct(e, out, i, at, not_finite);
    case SL_STRING: json_text_put(out, at + 4, count_at(at)); return at + 4 + count_at(at);
    case SL_BYTES: put_base64(out, at + 4, count_at(at)); return at + 4 + count_at(at);
    default:
        put_fixed(e, out, i, at, not_finite);
        return at + block_fixed_len(i->column.type);
    }
}

/* Append the value of a column that is not null. */
static void put_value(const encoder *e, buf *out, const sl_row *row, const item *i,
                      uint64_t *not_finite) {
    const char *at = (const char *)row + i->column.offset;
    const sl_string *text = (const sl_string *)at;
    switch (i->column.type) {
    case SL_STRING: json_text_put(out, text->data, text->len); return;
    case SL_BYTES: put_base64(out, text->data, text->len); return;
    case SL_LIST:
    case SL_MAP:
    case SL_STRUCT: put_inner(e, out, i, text->data, not_finite); return;
    default: put_fixed(e, out, i, at, not_finite);
    }
}

/* Write a column's item where its room is known, and it is a time or a number that is finite; what
 * is behind it. NULL: it is not. */
static inline char *write_usual(const encoder *e, char *to, const sl_row *row, const item *i) {
    const char *at = (const char *)row + i->column.offset;
    const last_time *last;
    double real;
    switch (i->column.type) {
    case SL_TIMESTAMP:
        last = time_of(e, i, *(const int64_t *)at);
        memcpy(to, last->text, SHORT_TIME);
        if (last->len > SHORT_TIME) memcpy(to, last->text, last->len);
        return to + last->len;
    case SL_INT64:
        to = write_prefix(e, to, i);
        return to + number_write_int64(to, *(const int64_t *)at);
    case SL_DOUBLE:
        real = *(const double *)at;
        if (!isfinite(real)) return NULL;
        to = write_prefix(e, to, i);
        return to + number_write(to, real);
    default: return NULL;
    }
}

static inline void put_columns(const encoder *e, buf *out, const sl_row *row, uint32_t from,
                               uint32_t to, uint64_t *not_finite) {
    bool has_nulls = e->has_more_nulls || (row->nulls[0] & e->null_bits);
    char *at = buf_need(out, e->room);
    for (const item *i = e->items + from, *end = e->items + to; i < end; i++) {
        bool is_null = has_nulls && nulls_has(row->nulls, i->column.null_bit);
        char *next = is_null ? NULL : write_usual(e, at, row, i);
        if (next) {
            at = next;
            continue;
        }
        out->len = (size_t)(at - out->data);
        put_prefix(e, out, i);
        if (is_null)
            buf_put(out, "null", 4);
        else
            put_value(e, out, row, i, not_finite);
        at = buf_need(out, e->room);
    }
    out->len = (size_t)(at - out->data);
}

void encode_value_at(const encoder *e, buf *out, const sl_row *row, uint32_t count, size_t *at,
                     uint64_t *not_finite) {
    size_t start = out->len;
    put_columns(e, out, row, 0, count, not_finite);
    *at = out->len - start;
    put_columns(e, out, row, count, e->count, not_finite);
    buf_put_char(out, '}');
}

void encode_value(const encoder *e, buf *out, const sl_row *row, uint64_t *not_finite) {
    put_columns(e, out, row, 0, e->count, not_finite);
    if (e->count)
        buf_put_char(out, '}');
    else
        buf_put(out, "{}", 2);
}

/* The text of a value that is not null: as in JSON, without quotes and escapes; bytes as they
 * are. */
static void put_plain(const encoder *e, buf *out, const sl_row *row, const item *i,
                      uint64_t *not_finite) {
    const sl_column *column = &i->column;
    const char *at = (const char *)row + column->offset;
    if (column->type == SL_STRING || column->type == SL_BYTES) {
        const sl_string *text = (const sl_string *)at;
        buf_put(out, text->data, text->len);
    } else if (column->type == SL_DATE || column->type == SL_DECIMAL) {
        put_words(out, column, at);
    } else if (column->type == SL_TIMESTAMP && e->times == SL_TIMES_ISO) {
        out->len += rfc3339_write(buf_need(out, RFC3339_TEXT_BYTES), *(const int64_t *)at);
    } else {
        put_value(e, out, row, i, not_finite);
    }
}

void encode_key(const encoder *e, buf *out, const sl_row *row, int32_t kind, uint64_t *not_finite) {
    const item *first = &e->items[0];
    bool is_plain = kind == SL_KEY_PLAIN && e->count == 1 && has_plain_text(row, &first->column);
    if (is_plain)
        put_plain(e, out, row, first, not_finite);
    else
        encode_value(e, out, row, not_finite);
}
