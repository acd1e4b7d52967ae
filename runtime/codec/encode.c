#include "runtime/codec/encode.h"

#include <math.h>

#include "runtime/base/json_text.h"
#include "runtime/base/mem.h"
#include "runtime/codec/nulls.h"
#include "runtime/codec/number.h"
#include "runtime/codec/rfc3339.h"

/* A column with what stands in front of its value. */
typedef struct item {
    sl_column column;
    uint32_t prefix; /* offset of `,"name":` in `prefixes` */
    uint32_t prefix_len;
} item;

struct encoder {
    item *items;  /* owned; `count` of them */
    buf prefixes; /* owned */
    uint32_t count;
    int32_t times; /* sl_times */
};

encoder *encoder_new(const sl_column *columns, uint32_t count, int32_t times) {
    encoder *e = mem_zalloc(1, sizeof *e);
    e->items = mem_zalloc(count ? count : 1, sizeof *e->items);
    e->count = count;
    e->times = times;
    buf_init(&e->prefixes);
    for (uint32_t i = 0; i < count; i++) {
        size_t start = e->prefixes.len;
        buf_put_char(&e->prefixes, i ? ',' : '{');
        json_text_put(&e->prefixes, columns[i].name.data, columns[i].name.len);
        buf_put_char(&e->prefixes, ':');
        e->items[i] = (item){
            .column = columns[i],
            .prefix = (uint32_t)start,
            .prefix_len = (uint32_t)(e->prefixes.len - start),
        };
    }
    return e;
}

void encoder_free(encoder *e) {
    if (!e) return;
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

void encode_time(buf *out, int64_t time_ms, int32_t times) {
    if (times != SL_TIMES_ISO) {
        encode_int64(out, time_ms);
        return;
    }
    char *to = buf_need(out, RFC3339_TEXT_BYTES + 2);
    size_t len = rfc3339_write(to + 1, time_ms);
    to[0] = to[len + 1] = '"';
    out->len += len + 2;
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

/* Append the value of a column that is not null. */
static void put_value(const encoder *e, buf *out, const sl_row *row, const sl_column *column,
                      uint64_t *not_finite) {
    const char *at = (const char *)row + column->offset;
    switch ((enum sl_type)column->type) {
    case SL_BOOL: *(const uint8_t *)at ? buf_put(out, "true", 4) : buf_put(out, "false", 5); return;
    case SL_INT32: encode_int64(out, *(const int32_t *)at); return;
    case SL_INT64: encode_int64(out, *(const int64_t *)at); return;
    case SL_DOUBLE: put_double(out, *(const double *)at, not_finite); return;
    case SL_TIMESTAMP: encode_time(out, *(const int64_t *)at, e->times); return;
    case SL_STRING: {
        const sl_string *text = (const sl_string *)at;
        json_text_put(out, text->data, text->len);
        return;
    }
    }
}

void encode_value(const encoder *e, buf *out, const sl_row *row, uint64_t *not_finite) {
    for (const item *i = e->items, *end = i + e->count; i < end; i++) {
        buf_put(out, e->prefixes.data + i->prefix, i->prefix_len);
        if (nulls_has(row->nulls, i->column.null_bit))
            buf_put(out, "null", 4);
        else
            put_value(e, out, row, &i->column, not_finite);
    }
    if (e->count)
        buf_put_char(out, '}');
    else
        buf_put(out, "{}", 2);
}

/* The text of a value that is not null: as in JSON, without quotes and escapes. */
static void put_plain(const encoder *e, buf *out, const sl_row *row, const sl_column *column,
                      uint64_t *not_finite) {
    const char *at = (const char *)row + column->offset;
    if (column->type == SL_STRING) {
        const sl_string *text = (const sl_string *)at;
        buf_put(out, text->data, text->len);
    } else if (column->type == SL_TIMESTAMP && e->times == SL_TIMES_ISO) {
        out->len += rfc3339_write(buf_need(out, RFC3339_TEXT_BYTES), *(const int64_t *)at);
    } else {
        put_value(e, out, row, column, not_finite);
    }
}

void encode_key(const encoder *e, buf *out, const sl_row *row, int32_t kind, uint64_t *not_finite) {
    const sl_column *column = &e->items[0].column;
    bool is_plain = kind == SL_KEY_PLAIN && e->count == 1 && has_plain_text(row, column);
    if (is_plain)
        put_plain(e, out, row, column, not_finite);
    else
        encode_value(e, out, row, not_finite);
}
