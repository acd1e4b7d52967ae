#include "runtime/operator/operators.h"

#include "runtime/operator/message.h"

/* Message of row `i`, which goes straight from its source to a sink. */
static void write_row(worker *w, const batch_view *b, chunk *c, uint32_t k, uint32_t i) {
    uint32_t step = b->plan->sources[c->source].step, number = output_number(step, k);
    const sl_output *output = &b->plan->steps[step].outputs[k];
    outbox *box = &c->messages[k];
    const sl_row *row = c->rows[i];
    out_message *m = outbox_add(box);
    m->source = c->source;
    m->record = row->record;
    if (output->key_kind == SL_KEY_RECORD) {
        const sl_record *r = &b->sources[c->source].records[row->record];
        m->key_data = r->key.data;
        m->key_len = r->key.len;
        m->key_null = !r->key.data;
    } else {
        message_put_key(w, number, output, row, box, m);
    }
    message_put_value(w, number, row, box, m);
}

void write_chunk(worker *w, const batch_view *b, chunk *c) {
    const sl_step *step = &b->plan->steps[b->plan->sources[c->source].step];
    for (uint32_t k = 0; k < step->output_count; k++) {
        if (step->outputs[k].kind != SL_TO_SINK) continue;
        outbox_reset(&c->messages[k]);
        for (uint32_t i = 0; i < c->row_count; i++)
            if (c->outputs[i] >> k & 1) write_row(w, b, c, k, i);
    }
}
