#include "runtime/operator/outbox.h"

#include "runtime/base/mem.h"

void outbox_init(outbox *box) {
    *box = (outbox){ 0 };
    buf_init(&box->bytes);
}

void outbox_done(outbox *box) {
    mem_free(box->items);
    buf_done(&box->bytes);
    *box = (outbox){ 0 };
}

void outbox_reset(outbox *box) {
    box->count = 0;
    buf_reset(&box->bytes);
}

void outbox_grow(outbox *box) {
    box->room = box->room ? box->room * 2 : 64;
    box->items = mem_realloc(box->items, box->room * sizeof *box->items);
}

void outbox_append(outbox *box, const outbox *from) {
    for (uint32_t i = 0; i < from->count; i++) outbox_append_one(box, from, i);
}

void outbox_append_one(outbox *box, const outbox *from, uint32_t i) {
    const out_message *source = &from->items[i];
    out_message *m = outbox_add(box);
    *m = *source;
    if (!source->key_data && !source->key_null) {
        m->key_at = box->bytes.len;
        buf_put(&box->bytes, from->bytes.data + source->key_at, source->key_len);
    }
    if (!source->value_data && !source->value_null) {
        m->value_at = box->bytes.len;
        buf_put(&box->bytes, from->bytes.data + source->value_at, source->value_len);
    }
    if (!source->extras) return;
    m->extras_at = box->bytes.len;
    buf_put(&box->bytes, from->bytes.data + source->extras_at, source->extras_len);
}
