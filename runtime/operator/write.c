#include "runtime/operator/message.h"
#include "runtime/operator/operators.h"

/* The row from which row `i` of step `s` stems, at step `before`. */
static const sl_row *row_before(const batch_view *b, const chunk *c, uint32_t s, uint32_t i,
                                uint32_t before) {
    while (s != before) {
        i = chunk_rows(c, s)->parents[i];
        s = b->plan->steps[s].parent;
    }
    return chunk_rows(c, s)->rows[i];
}

static void put_key(worker *w, const batch_view *b, const chunk *c, uint32_t s, uint32_t k,
                    uint32_t i, outbox *box, out_message *m) {
    const sl_output *output = &b->plan->steps[s].outputs[k];
    if (output->key_kind == SL_KEY_RECORD) {
        const sl_row *row = chunk_rows(c, s)->rows[i];
        const sl_record *r = &b->sources[c->source].records[row->record];
        m->key_data = r->key.data;
        m->key_len = r->key.len;
        m->key_null = !r->key.data;
    } else {
        const sl_row *row = row_before(b, c, s, i, output->key_step);
        message_put_key(w, output_number(s, k), output, row, box, m);
    }
}

/* Where a row stems from: a record, or a result. */
static void put_origin(const chunk *c, const sl_row *row, out_message *m) {
    if (c->source == NO_SOURCE) {
        const onward *from = &c->onward[row->record];
        m->source = c->aggregate;
        m->window_start = from->window_start;
        m->window_end = from->window_end;
        m->order = from->order;
    } else {
        m->source = c->source;
        m->record = row->record;
    }
}

static void write_row(worker *w, const batch_view *b, chunk *c, uint32_t s, uint32_t k,
                      uint32_t i) {
    row_set *set = chunk_rows(c, s);
    outbox *box = &set->messages[k];
    out_message *m = outbox_add(box);
    put_origin(c, set->rows[i], m);
    if (w->key_columns[output_number(s, k)]) {
        message_put_both(w, output_number(s, k), set->rows[i], box, m);
        return;
    }
    put_key(w, b, c, s, k, i, box, m);
    message_put_value(w, output_number(s, k), set->rows[i], box, m);
}

void write_rows(worker *w, const batch_view *b, chunk *c, uint32_t s) {
    const sl_step *step = &b->plan->steps[s];
    row_set *set = chunk_rows(c, s);
    for (uint32_t k = 0; k < step->output_count; k++) {
        if (step->outputs[k].kind != SL_TO_SINK) continue;
        outbox_reset(&set->messages[k]);
        for (uint32_t i = 0; i < set->count; i++)
            if (set->outputs[i] >> k & 1) write_row(w, b, c, s, k, i);
    }
}
