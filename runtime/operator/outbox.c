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

void outbox_clear(outbox *box, size_t most) {
    outbox_reset(box);
    if (box->room * sizeof *box->items + box->bytes.room > most) outbox_done(box);
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

/* Bytes that were borrowed are the box's own. */
static void keep_bytes(outbox *box, const char **data, size_t *at, size_t len) {
    if (!*data) return;
    if (!len) {
        *data = ""; /* an empty box has no bytes to point to, and null is a tombstone */
        return;
    }
    *at = box->bytes.len;
    buf_put(&box->bytes, *data, len);
    *data = NULL;
}

static const sl_header *copy_headers(const out_message *m, arena *memory) {
    sl_header *all = arena_take(memory, m->header_count * sizeof *all, sizeof(void *));
    for (uint32_t i = 0; i < m->header_count; i++) {
        all[i] = m->headers[i];
        all[i].name.data = arena_copy(memory, all[i].name.data, all[i].name.len);
        if (all[i].value.data)
            all[i].value.data = arena_copy(memory, all[i].value.data, all[i].value.len);
    }
    return all;
}

void outbox_keep(outbox *box, const outbox *from, uint32_t i, int64_t made_ms, arena *memory) {
    outbox_append_one(box, from, i);
    out_message *m = &box->items[box->count - 1];
    keep_bytes(box, &m->key_data, &m->key_at, m->key_len);
    keep_bytes(box, &m->value_data, &m->value_at, m->value_len);
    if (m->header_count) m->headers = copy_headers(m, memory);
    m->made_ms = made_ms;
    m->has_time = true;
}
