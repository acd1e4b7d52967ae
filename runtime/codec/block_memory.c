#include "runtime/codec/block_memory.h"

#include "runtime/base/mem.h"

enum { USUAL_BYTES = 512 };

void block_memory_init(block_memory *m) {
    *m = (block_memory){ .usual = USUAL_BYTES };
    arena_init(&m->texts, 4096);
    buf_init(&m->ordered);
}

void block_memory_done(block_memory *m) {
    arena_done(&m->texts);
    buf_done(&m->ordered);
    mem_free(m->spans);
}

char *block_grow(block_memory *m, const char *to, size_t more) {
    size_t used = (size_t)(to - m->start), room = (used + more) * 2 + USUAL_BYTES;
    char *start = m->start;
    arena_trim(m->into, start, 0);
    m->start = arena_take(m->into, room, 1);
    m->end = m->start + room;
    memmove(m->start, start, used);
    return m->start + used;
}

char *block_put_bytes(block_memory *m, char *to, const char *data, size_t len) {
    to = block_need(m, to, len);
    return len ? block_put(to, data, len) : to;
}

char *block_put_value(block_memory *m, char *to, const field *f, const field_value *value) {
    if (f->is_block) return block_put_bytes(m, to, value->text.data, value->text.len);
    if (f->type == SL_STRING || f->type == SL_BYTES) {
        to = block_put(block_need(m, to, 4), &value->text.len, 4);
        return block_put_bytes(m, to, value->text.data, value->text.len);
    }
    to = block_need(m, to, sizeof(sl_decimal));
    double number = value->number == 0 ? 0 : value->number; /* equal values, equal bytes */
    switch ((enum sl_type)f->type) {
    case SL_BOOL: *to = (char)value->integer; return to + 1;
    case SL_INT32:
    case SL_DATE: return block_put(to, &(int32_t){ (int32_t)value->integer }, 4);
    case SL_DOUBLE: return block_put(to, &number, sizeof number);
    case SL_DECIMAL: return block_put(to, &value->decimal, sizeof value->decimal);
    default: return block_put(to, &value->integer, sizeof value->integer);
    }
}

uint32_t block_push_spans(block_memory *m, uint32_t count) {
    uint32_t first = m->span_count;
    if (m->span_room - first < count) {
        m->span_room = (first + count) * 2;
        m->spans = mem_realloc(m->spans, m->span_room * sizeof *m->spans);
    }
    memset(m->spans + first, 0, count * sizeof *m->spans);
    m->span_count += count;
    return first;
}

char *block_put_in_order(block_memory *m, uint32_t first, uint32_t count, size_t start) {
    buf_reset(&m->ordered);
    for (uint32_t i = first; i < first + count; i++)
        if (m->spans[i].len) buf_put(&m->ordered, m->start + m->spans[i].start, m->spans[i].len);
    if (m->ordered.len) memcpy(m->start + start, m->ordered.data, m->ordered.len);
    return m->start + start + m->ordered.len;
}
