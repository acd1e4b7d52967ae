/* DESIGN: a block is written from front to back while its document is read; `to` is where the next
 * byte goes, handed from call to call, since by way of memory each step would wait for the one
 * before. Producers mostly write fields in the order of the schema, and maps sorted or small: only
 * where that is not so, what was written is put in order once the object has ended. */
#include "runtime/codec/json_block.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/codec/bad.h"
#include "runtime/codec/json_inside.h"
#include "runtime/codec/number_short.h"

enum { MOST_BYTES = 1 << 30, /* a block never needs to be longer; offsets fit into 32 bits */
       MOST_USUAL = 1 << 15 };

/* The whole way to read the scalar at token `at`. */
static __attribute__((noinline)) char *read_any(json_reader *r, const field *f, const uint32_t *at,
                                                char *to) {
    json_walk *w = &r->walk;
    field_value value;
    sl_string text;
    w->at = at;
    if (!f->takes_text) {
        if (!field_read_scalar(f, w->json + at[0], &value, w->bad)) return NULL;
        return block_put_value(r->memory, to, f, &value);
    }
    if (json_walk_peek(w) != '"') {
        json_walk_refuse(w, field_wants(f));
        return NULL;
    }
    if (!json_walk_string(w, r->strings, &text) ||
        !field_read_string(f, text, r->strings, &value, w->bad))
        return NULL;
    return block_put_value(r->memory, to, f, &value);
}

/* Read the scalar at token `at`: the usual ones without the long way round. */
static inline __attribute__((always_inline)) char *
read_scalar(json_reader *r, const field *f, const uint32_t *at, char *to) {
    const json_walk *w = &r->walk;
    const char *token = w->json + at[0];
    size_t len = at[1] - at[0];
    int64_t integer;
    double number;
    if (f->is_any_text) {
        if (w->has_escapes || *token != '"' || token[len - 1] != '"' || len < 2)
            return read_any(r, f, at, to);
        sl_string text = { .data = token + 1, .len = (uint32_t)len - 2 };
        return block_put_text(r->memory, to, text);
    }
    if (f->has_checks) return read_any(r, f, at, to);
    if (f->type == SL_DOUBLE && number_short_double(token, len, &number)) {
        if (number == 0) number = 0; /* equal values, equal bytes */
        return block_put(block_need(r->memory, to, sizeof number), &number, sizeof number);
    }
    if (f->type == SL_INT64 && number_short_int64(token, len, &integer) &&
        field_holds_int64(f, integer))
        return block_put(block_need(r->memory, to, sizeof integer), &integer, sizeof integer);
    return read_any(r, f, at, to);
}

static char *read_list(json_reader *r, const field *f, char *to, uint32_t depth);
static char *read_map(json_reader *r, const field *f, char *to, uint32_t depth);
static char *read_struct(json_reader *r, const field *f, char *to, uint32_t depth);

/* Read the array or object at the next token and step over it; `depth`: those open around it. */
static char *read_block(json_reader *r, const field *f, char *to, uint32_t depth) {
    json_walk *w = &r->walk;
    if (depth >= JSON_MAX_DEPTH) {
        json_walk_refuse(w, "at most 64 objects and arrays inside each other");
        return NULL;
    }
    if (to - r->memory->start > MOST_BYTES) {
        bad_because(w->bad, "a value of more than 1 GiB");
        return NULL;
    }
    if (json_walk_peek(w) != (f->type == SL_LIST ? '[' : '{')) {
        json_walk_refuse(w, field_wants(f));
        return NULL;
    }
    if (f->type == SL_LIST) return read_list(r, f, to, depth + 1);
    return f->type == SL_MAP ? read_map(r, f, to, depth + 1) : read_struct(r, f, to, depth + 1);
}

/* Read the value at token `*at`, which is not null, and step over it. */
static inline __attribute__((always_inline)) char *
read_value(json_reader *r, const field *f, const uint32_t **at, char *to, uint32_t depth) {
    if (!f->is_block) {
        to = read_scalar(r, f, *at, to);
        ++*at;
        return to;
    }
    r->walk.at = *at;
    to = read_block(r, f, to, depth);
    *at = r->walk.at;
    return to;
}

char *json_inside_value(json_reader *r, const field *f, const uint32_t **at, char *to,
                        uint32_t depth) {
    return read_value(r, f, at, to, depth);
}

void json_inside_refuse_null(json_reader *r, const field *f) {
    bad_because(r->walk.bad, "missing or null, wanted %s", field_wants(f));
}

bool json_inside_null(json_reader *r, const uint32_t *at) {
    r->walk.at = at;
    return json_walk_null(&r->walk);
}

/* Read a list's element or a map's value that is null at token `at`. */
static __attribute__((noinline)) char *read_null(json_reader *r, const field *f, const uint32_t *at,
                                                 char *to) {
    if (!json_inside_null(r, at)) return NULL;
    *to = 0;
    if (f->plan->required) {
        json_inside_refuse_null(r, f);
        return NULL;
    }
    if (f->plan->has_default) return block_put_value(r->memory, to + 1, f, &f->fallback);
    *to = 1;
    return to + 1;
}

/* Read a list's element or a map's value at token `*at`: a byte that says whether it is null, then
 * the value. */
static inline __attribute__((always_inline)) char *
read_element(json_reader *r, const field *f, const uint32_t **at, char *to, uint32_t depth) {
    to = block_need(r->memory, to, 1);
    if (r->walk.json[**at] == 'n') return read_null(r, f, (*at)++, to);
    *to = 0;
    return read_value(r, f, at, to + 1, depth);
}

char *json_inside_close(json_reader *r, const uint32_t *at, char bracket, char *to) {
    json_walk *w = &r->walk;
    w->at = at;
    if (json_walk_peek(w) != bracket) {
        json_walk_refuse(w, bracket == ']' ? "a comma or a closing ]" : "a comma or a closing }");
        return NULL;
    }
    return json_walk_close(w, 2) ? to : NULL; /* never the document's own end */
}

static char *read_list(json_reader *r, const field *f, char *to, uint32_t depth) {
    block_memory *m = r->memory;
    const char *json = r->walk.json;
    const uint32_t *at = r->walk.at + 1;
    uint32_t count = 0;
    to = block_need(m, to, sizeof count);
    size_t start = (size_t)(to - m->start);
    to += sizeof count;
    if (json[*at] != ']') {
        for (;; at++) {
            count++;
            to = read_element(r, f->items, &at, to, depth);
            if (!to) {
                bad_at(r->walk.bad, count);
                return NULL;
            }
            if (json[*at] != ',') break;
        }
    }
    memcpy(m->start + start, &count, sizeof count);
    return json_inside_close(r, at, ']', to);
}

/* The key of a map's entry at `entry`. */
static sl_string key_of(const char *entry) {
    sl_string key = { .data = entry + sizeof key.len };
    memcpy(&key.len, entry, sizeof key.len);
    return key;
}

static int compare_entries(const void *a, const void *b, void *block) {
    sl_string x = key_of((const char *)block + ((const block_span *)a)->start);
    sl_string y = key_of((const char *)block + ((const block_span *)b)->start);
    uint32_t len = x.len < y.len ? x.len : y.len;
    int order = len ? memcmp(x.data, y.data, len) : 0;
    return order ? order : (x.len > y.len) - (x.len < y.len);
}

/* Sort the entries from span `first` on, which begin at `start`, and look for keys that stand
 * twice. */
static char *sort_entries(json_reader *r, uint32_t first, size_t start) {
    block_memory *m = r->memory;
    uint32_t count = m->span_count - first;
    qsort_r(m->spans + first, count, sizeof *m->spans, compare_entries, m->start);
    for (uint32_t i = first; i + 1 < m->span_count; i++) {
        if (compare_entries(&m->spans[i], &m->spans[i + 1], m->start)) continue;
        sl_string key = key_of(m->start + m->spans[i].start);
        bad_because(r->walk.bad, "the name stands twice in its object");
        bad_under(r->walk.bad, key.data, key.len);
        return NULL;
    }
    return block_put_in_order(m, first, count, start);
}

/* Read the entry at token `*at`: name, colon, value. */
static char *read_entry(json_reader *r, const field *f, const uint32_t **at, char *to,
                        uint32_t depth) {
    json_walk *w = &r->walk;
    block_memory *m = r->memory;
    const uint32_t *token = *at;
    uint32_t span = block_push_spans(m, 1);
    sl_string key;
    size_t start = (size_t)(to - m->start);
    w->at = token;
    if (w->json[token[0]] != '"' || w->json[token[1]] != ':') {
        json_refuse_name(w, token);
        return NULL;
    }
    if (!json_walk_string(w, r->strings, &key)) return NULL;
    to = block_put_bytes(m, block_put(block_need(m, to, 4), &key.len, 4), key.data, key.len);
    *at += 2;
    to = read_element(r, f->items, at, to, depth);
    if (!to) {
        json_refuse_under(r, token);
        return NULL;
    }
    m->spans[span] = (block_span){ (uint32_t)start, (uint32_t)(to - m->start - (ptrdiff_t)start) };
    return to;
}

/* Does the last entry's key stand behind that of the entry before? */
static bool is_ascending(const block_memory *m, uint32_t first) {
    uint32_t last = m->span_count - 1;
    return last == first || compare_entries(&m->spans[last - 1], &m->spans[last], m->start) < 0;
}

static char *read_map(json_reader *r, const field *f, char *to, uint32_t depth) {
    block_memory *m = r->memory;
    const char *json = r->walk.json;
    const uint32_t *at = r->walk.at + 1;
    uint32_t first = m->span_count, count;
    bool is_sorted = true;
    to = block_need(m, to, sizeof count);
    size_t start = (size_t)(to - m->start);
    to += sizeof count;
    if (json[*at] != '}') {
        for (;; at++) {
            to = read_entry(r, f, &at, to, depth);
            if (!to) return NULL;
            is_sorted = is_sorted && is_ascending(m, first);
            if (json[*at] != ',') break;
        }
    }
    count = m->span_count - first;
    memcpy(m->start + start, &count, sizeof count);
    to = json_inside_close(r, at, '}', to);
    if (to && !is_sorted) to = sort_entries(r, first, start + sizeof count);
    m->span_count = first;
    return to;
}

/* Write the null bits of the first 64 fields. */
static inline void put_nulls(char *to, uint64_t nulls, uint32_t count) {
    for (uint32_t i = 0; i * 8 < count; i++) to[i] = (char)(nulls >> 8 * i);
}

static char *read_struct(json_reader *r, const field *f, char *to, uint32_t depth) {
    block_memory *m = r->memory;
    json_walk *w = &r->walk;
    const char *json = w->json;
    const field *items = f->items;
    const uint32_t *at = w->at + 1;
    uint32_t count = f->item_count, next = 0;
    uint64_t nulls = UINT64_MAX >> (-count % 64), seen = 0;
    bool is_ended = false;
    if (count > STRUCT_WORD_FIELDS) return json_struct_wide(r, f, to, depth);
    to = block_need(m, to, sizeof nulls);
    size_t start = (size_t)(to - m->start);
    to += (count + 7) / 8;
    if (json[*at] == '}') goto end;
    for (;; at++) {
        const uint32_t *token = at;
        const char *name = json + token[0];
        uint32_t i = next;
        if (*name != '"' || json[token[1]] != ':') goto unordered;
        for (; i < count; i++)
            if (name_matches(items[i].node, name + 1, w->len - token[0] - 1)) break;
        if (i == count) goto unordered;
        next = i + 1;
        seen |= UINT64_C(1) << i;
        at += 2;
        if (json[*at] == 'n') {
            if (!json_inside_null(r, at++)) to = NULL;
        } else if (items[i].is_block) {
            nulls &= ~(UINT64_C(1) << i);
            w->at = at;
            to = read_block(r, &items[i], to, depth);
            at = w->at;
        } else {
            nulls &= ~(UINT64_C(1) << i);
            to = read_scalar(r, &items[i], at++, to);
        }
        if (!to) {
            json_refuse_under(r, token);
            return NULL;
        }
        if (json[*at] != ',') break;
    }
end:
    is_ended = true;
unordered:
    put_nulls(m->start + start, nulls, count);
    if (is_ended && !(nulls & f->wanted)) return json_inside_close(r, at, '}', to);
    return json_struct_unordered(r, f, at, to, start, next, seen, depth, is_ended);
}

bool json_block_read(json_reader *r, const field *f, uint32_t depth) {
    block_memory *m = r->memory;
    m->span_count = 0;
    m->into = r->strings;
    m->start = arena_take(m->into, m->usual, 1);
    m->end = m->start + m->usual;
    if (m->texts.current) arena_reset(&m->texts, 1 << 16);
    r->strings = &m->texts; /* what is copied into the block need not stay */
    char *to = read_block(r, f, m->start, depth);
    r->strings = m->into;
    size_t len = to ? (size_t)(to - m->start) : 0;
    arena_trim(m->into, m->start, len);
    if (!to) return false;
    if (len * 2 > m->usual && len < MOST_USUAL) m->usual = len * 2;
    *(sl_string *)((char *)r->row + f->offset) =
        (sl_string){ .data = m->start, .len = (uint32_t)len };
    field_clear_null(f, r->row);
    return true;
}
