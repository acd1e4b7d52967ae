#pragma once
/* Bytes of one message: key and value of a row for an output that feeds a sink; `number`: see
 * output_number. */
#include "runtime/codec/nulls.h"
#include "runtime/operator/work.h"

/* Write the key of `row` for `output` into `box` and say so in `m`, the box's last message. */
static inline void message_put_key(worker *w, uint32_t number, const sl_output *output,
                                   const sl_row *row, outbox *box, out_message *m) {
    m->key_at = box->bytes.len;
    if (output->key_kind == SL_KEY_RAW) {
        const sl_string *text = (const sl_string *)((const char *)row + output->key->offset);
        m->key_null = nulls_has(row->nulls, output->key->null_bit);
        m->key_len = m->key_null ? 0 : text->len;
        if (!m->key_null) buf_put(&box->bytes, text->data, text->len);
        return;
    }
    encode_key(w->key_encoders[number], &box->bytes, row, output->key_kind, &w->nulled_numbers);
    m->key_len = (uint32_t)(box->bytes.len - m->key_at);
}

/* Write the value of `row`, likewise, and what else its output says of it. */
static inline void message_put_value(worker *w, uint32_t number, const sl_row *row, outbox *box,
                                     out_message *m) {
    const extras_writer *extras = w->extras[number];
    if (!extras || !extras_put_value(extras, box, m, row)) {
        m->value_at = box->bytes.len;
        encode_value(w->value_encoders[number], &box->bytes, row, &w->nulled_numbers);
        m->value_len = (uint32_t)(box->bytes.len - m->value_at);
    }
    if (extras) extras_put(extras, box, m, row, false, &w->nulled_numbers);
}

/* The same, and its key, where the value begins with the key's columns: their text is copied. */
static inline void message_put_both(worker *w, uint32_t number, const sl_row *row, outbox *box,
                                    out_message *m) {
    size_t len;
    m->value_at = box->bytes.len;
    encode_value_at(w->value_encoders[number], &box->bytes, row, w->key_columns[number], &len,
                    &w->nulled_numbers);
    m->key_at = box->bytes.len;
    m->value_len = (uint32_t)(m->key_at - m->value_at);
    char *key = buf_need(&box->bytes, len + 1);
    memcpy(key, box->bytes.data + m->value_at, len);
    key[len] = '}';
    m->key_len = (uint32_t)(len + 1);
    box->bytes.len += m->key_len;
}

/* Take back what was sent under the key of `row`: a null value. */
static inline void message_put_retraction(worker *w, uint32_t number, const sl_output *output,
                                          const sl_row *row, outbox *box, out_message *m) {
    message_put_key(w, number, output, row, box, m);
    m->value_null = true;
    const extras_writer *extras = w->extras[number];
    if (extras) extras_put(extras, box, m, row, true, &w->nulled_numbers);
}
