#include "runtime/operator/extras.h"

#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/codec/encode.h"
#include "runtime/codec/nulls.h"

static const uint32_t NOTHING = UINT32_MAX; /* length of what is null */

struct extras_writer {
    const sl_extras *plan; /* borrowed */
    encoder *place;        /* owned; NULL: there is none */
    encoder **headers;     /* owned, one a header */
};

extras_writer *extras_writer_new(const sl_extras *plan, int32_t times) {
    if (!plan) return NULL;
    extras_writer *x = mem_zalloc(1, sizeof *x);
    x->plan = plan;
    if (plan->place_count) x->place = encoder_new(plan->place, plan->place_count, times);
    x->headers = mem_zalloc(plan->header_count ? plan->header_count : 1, sizeof *x->headers);
    for (uint32_t i = 0; i < plan->header_count; i++)
        x->headers[i] = encoder_new(&plan->headers[i].column, 1, times);
    return x;
}

void extras_writer_free(extras_writer *x) {
    if (!x) return;
    encoder_free(x->place);
    for (uint32_t i = 0; i < x->plan->header_count; i++) encoder_free(x->headers[i]);
    mem_free(x->headers);
    mem_free(x);
}

static const sl_string *text_of(const sl_row *row, const sl_column *column) {
    if (nulls_has(row->nulls, column->null_bit)) return NULL;
    return (const sl_string *)((const char *)row + column->offset);
}

bool extras_put_value(const extras_writer *x, outbox *box, out_message *m, const sl_row *row) {
    if (!x->plan->value) return false;
    const sl_string *text = text_of(row, x->plan->value);
    m->value_at = box->bytes.len;
    m->value_len = text ? text->len : 0;
    m->value_null = !text;
    if (text) buf_put(&box->bytes, text->data, text->len);
    return true;
}

static void put_text(buf *out, const char *data, uint32_t len) {
    buf_put(out, &len, sizeof len);
    buf_put(out, data, len);
}

static void put_column_text(buf *out, const sl_row *row, const sl_column *column) {
    const sl_string *text = text_of(row, column);
    if (text)
        put_text(out, text->data, text->len);
    else
        buf_put(out, &NOTHING, sizeof NOTHING);
}

/* The key that columns would be, with its length in front. */
static void put_key(buf *out, const encoder *e, const sl_row *row, int32_t kind,
                    uint64_t *not_finite) {
    size_t at = out->len;
    uint32_t len = 0;
    buf_put(out, &len, sizeof len);
    encode_key(e, out, row, kind, not_finite);
    len = (uint32_t)(out->len - at - sizeof len);
    memcpy(out->data + at, &len, sizeof len);
}

static void put_headers(const extras_writer *x, buf *out, const sl_row *row, bool retraction,
                        uint64_t *not_finite) {
    for (uint32_t i = 0; i < x->plan->header_count; i++) {
        if (retraction || nulls_has(row->nulls, x->plan->headers[i].column.null_bit))
            buf_put(out, &NOTHING, sizeof NOTHING);
        else
            put_key(out, x->headers[i], row, SL_KEY_PLAIN, not_finite);
    }
}

/* -1 stands for none; what a function calls so is a partition that no topic has. */
static int32_t partition_number(const sl_row *row, const sl_column *column) {
    if (nulls_has(row->nulls, column->null_bit)) return -1;
    int32_t number = *(const int32_t *)((const char *)row + column->offset);
    return number < 0 ? INT32_MAX : number;
}

void extras_put(const extras_writer *x, outbox *box, out_message *m, const sl_row *row,
                bool retraction, uint64_t *not_finite) {
    const sl_extras *plan = x->plan;
    buf *out = &box->bytes;
    m->extras = plan;
    m->extras_at = out->len;
    if (plan->topic) put_column_text(out, row, plan->topic);
    if (plan->partition) {
        int32_t number = partition_number(row, plan->partition);
        buf_put(out, &number, sizeof number);
    }
    if (x->place)
        put_key(out, x->place, row, plan->place_count == 1 ? SL_KEY_PLAIN : SL_KEY_OBJECT,
                not_finite);
    put_headers(x, out, row, retraction, not_finite);
    m->extras_len = (uint32_t)(out->len - m->extras_at);
}

/* Take a text with its length in front. */
static sl_string take_text(const char **at) {
    uint32_t len;
    memcpy(&len, *at, sizeof len);
    *at += sizeof len;
    if (len == NOTHING) return (sl_string){ 0 };
    sl_string text = { .data = *at, .len = len };
    *at += len;
    return text;
}

void extras_read(const outbox *box, const out_message *m, sl_message *message, arena *memory) {
    const sl_extras *plan = m->extras;
    const char *at = box->bytes.data + m->extras_at;
    if (plan->topic) message->topic = take_text(&at);
    if (plan->partition) {
        memcpy(&message->partition, at, sizeof message->partition);
        at += sizeof message->partition;
    }
    if (plan->place_count) message->place = take_text(&at);
    if (!plan->header_count) return;
    sl_header *headers = arena_take(memory, plan->header_count * sizeof *headers, 8);
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->header_count; i++) {
        sl_string text = take_text(&at);
        if (text.data) headers[count++] = (sl_header){ plan->headers[i].name, text };
    }
    message->headers = count ? headers : NULL;
    message->header_count = count;
}
