#pragma once
/* Bytes of one message: key and value of a row for an output that feeds a sink; `number`: see
 * output_number. */
#include "runtime/operator/work.h"

/* Write the key of `row` for `output` into `box` and say so in `m`, the box's last message. */
static inline void message_put_key(worker *w, uint32_t number, const sl_output *output,
                                   const sl_row *row, outbox *box, out_message *m) {
    m->key_at = box->bytes.len;
    encode_key(w->key_encoders[number], &box->bytes, row, output->key_kind, &w->nulled_numbers);
    m->key_len = (uint32_t)(box->bytes.len - m->key_at);
}

/* Write the value of `row`, likewise. */
static inline void message_put_value(worker *w, uint32_t number, const sl_row *row, outbox *box,
                                     out_message *m) {
    m->value_at = box->bytes.len;
    encode_value(w->value_encoders[number], &box->bytes, row, &w->nulled_numbers);
    m->value_len = (uint32_t)(box->bytes.len - m->value_at);
}
