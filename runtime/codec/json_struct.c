/* Structs whose fields do not stand in the order of the schema, or have names that nobody declared:
 * where each value lies is noted, and what was written is put in order at the end. */
#include "runtime/codec/bad.h"
#include "runtime/codec/block.h"
#include "runtime/codec/json_inside.h"

/* A struct whose fields do not stand in the order of the schema, while it is read. */
typedef struct open_struct {
    const field *f;
    size_t start;                         /* of its null bits in the block */
    uint32_t count;                       /* fields */
    uint32_t null_bytes;                  /* of its null bits */
    uint32_t first;                       /* span of its first field */
    uint32_t next;                        /* behind the last field that was written */
    bool is_ordered;                      /* so far */
    uint64_t seen[SL_STRUCT_FIELDS / 64]; /* bits of the fields that were read, null or not */
} open_struct;

static bool is_seen(const open_struct *s, uint32_t at) {
    return s->seen[at / 64] >> (at % 64) & 1;
}

static bool has_value(const block_memory *m, const open_struct *s, uint32_t at) {
    return !((unsigned char)m->start[s->start + at / 8] >> (at % 8) & 1);
}

/* Note where field `at` lies, from `start` to `to`. */
static void note_value(block_memory *m, open_struct *s, uint32_t at, size_t start, const char *to) {
    m->start[s->start + at / 8] &= (char)~(1 << at % 8);
    m->spans[s->first + at] =
        (block_span){ (uint32_t)start, (uint32_t)((size_t)(to - m->start) - start) };
    s->is_ordered = s->is_ordered && at >= s->next;
    s->next = at + 1;
}

/* Open `s` at `start`, where null bits and the values of the first `next` fields stand. */
static void open_at(block_memory *m, open_struct *s, const field *f, size_t start, uint32_t next) {
    *s = (open_struct){ .f = f, .start = start, .next = next, .is_ordered = true };
    s->count = f->plan->column.shape->item_count;
    s->null_bytes = (s->count + 7) / 8;
    s->first = block_push_spans(m, s->count);
    const char *at = m->start + start + s->null_bytes;
    for (uint32_t i = 0; i < next; i++) {
        if (!has_value(m, s, i)) continue;
        size_t len = block_value_len(&f->items[i].plan->column, at);
        m->spans[s->first + i] = (block_span){ (uint32_t)(at - m->start), (uint32_t)len };
        at += len;
    }
}

/* Read the value of field `field_at` at token `*at`. */
static char *read_field(json_reader *r, open_struct *s, uint32_t field_at, const uint32_t **at,
                        char *to, uint32_t depth) {
    block_memory *m = r->memory;
    size_t start = (size_t)(to - m->start);
    if (is_seen(s, field_at)) {
        bad_because(r->walk.bad, "the name stands twice in its object");
        return NULL;
    }
    s->seen[field_at / 64] |= UINT64_C(1) << (field_at % 64);
    if (r->walk.json[**at] == 'n') {
        if (!json_inside_null(r, *at)) return NULL;
        ++*at;
        return to;
    }
    to = json_inside_value(r, &s->f->items[field_at], at, to, depth);
    if (to) note_value(m, s, field_at, start, to);
    return to;
}

/* Read what the name at token `*at` names, whatever it is. */
static char *read_member(json_reader *r, open_struct *s, name_node ***guess, const uint32_t **at,
                         char *to, uint32_t depth) {
    json_walk *w = &r->walk;
    const uint32_t *token = *at;
    name_node *node = json_read_name(r, s->f->names, *guess, token);
    if (!node) return NULL;
    if (node != r->names->other) *guess = &node->behind;
    *at += 2;
    if (node->id == NAME_UNDECLARED) {
        if (node != r->names->other) r->names->drift[node->drift].count++;
        w->at = *at;
        if (!json_walk_skip(w, depth)) to = NULL;
        *at = w->at;
    } else {
        to = read_field(r, s, node->id, at, to, depth);
    }
    if (!to) json_refuse_under(r, token);
    return to;
}

/* Give fields that are null their default, or refuse the record. */
static char *settle_fields(json_reader *r, open_struct *s, char *to) {
    block_memory *m = r->memory;
    for (uint32_t i = 0; i < s->count; i++) {
        const field *item = &s->f->items[i];
        if (has_value(m, s, i)) continue;
        if (item->plan->required) {
            json_inside_refuse_null(r, item);
            bad_under(r->walk.bad, item->plan->column.name.data, item->plan->column.name.len);
            return NULL;
        }
        if (!item->plan->has_default) continue;
        size_t start = (size_t)(to - m->start);
        to = block_put_value(m, to, item, &item->fallback);
        note_value(m, s, i, start, to);
    }
    return to;
}

/* Read the rest of a struct, from the name at token `at` on, or it `is_ended` there. */
static char *read_rest(json_reader *r, open_struct *s,
                       const uint32_t *at, char *to, uint32_t depth,
                       bool is_ended) {
    block_memory *m = r->memory;
    const char *json = r->walk.json;
    name_node **guess = s->next ? &s->f->items[s->next - 1].node->behind : &s->f->names->first;
    if (!is_ended) {
        for (;; at++) {
            to = read_member(r, s, &guess, &at, to, depth);
            if (!to) return NULL;
            if (json[*at] != ',') break;
        }
    }
    to = json_inside_close(r, at, '}', to);
    if (to && s->f->has_wanted) to = settle_fields(r, s, to);
    if (to && !s->is_ordered)
        to = block_put_in_order(m, s->first, s->count, s->start + s->null_bytes);
    m->span_count = s->first;
    return to;
}

char *json_struct_wide(json_reader *r, const field *f, char *to, uint32_t depth) {
    uint32_t count = f->plan->column.shape->item_count, null_bytes = (count + 7) / 8;
    open_struct s;
    to = block_need(r->memory, to, null_bytes);
    memset(to, 0xff, null_bytes);
    if (count % 8) to[null_bytes - 1] = (char)((1 << count % 8) - 1);
    open_at(r->memory, &s, f, (size_t)(to - r->memory->start), 0);
    const uint32_t *at = r->walk.at + 1;
    return read_rest(r, &s, at, to + null_bytes, depth, r->walk.json[*at] == '}');
}

char *json_struct_unordered(json_reader *r, const field *f,
                            const uint32_t *at, char *to, size_t start,
                            uint32_t next, uint64_t seen,
                            uint32_t depth, bool is_ended) {
    open_struct s;
    open_at(r->memory, &s, f, start, next);
    s.seen[0] = seen;
    return read_rest(r, &s, at, to, depth, is_ended);
}
