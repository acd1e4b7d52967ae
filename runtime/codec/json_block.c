/* DESIGN: a block is written from front to back while its document is read; `to` is where the next
 * byte goes, handed from call to call, since by way of memory each step would wait for the one
 * before. Producers mostly write fields in the order of the schema, and maps sorted or small: only
 * where that is not so, what was written is put in order once the object has ended. */
#include "runtime/codec/json_block.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/codec/bad.h"
#include "runtime/codec/block.h"
#include "runtime/codec/number_short.h"

enum { MOST_BYTES = 1 << 30, /* a block never needs to be longer; offsets fit into 32 bits */
       SHORT_TEXT = 16,      /* copied at once */
       WORD_FIELDS = 64,     /* structs of more fields are read one by one */
       USUAL_BYTES = 512 };

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

static __attribute__((noinline)) char *grow(block_memory *m, const char *to, size_t more) {
    size_t used = (size_t)(to - m->start), room = (used + more) * 2 + USUAL_BYTES;
    char *start = m->start;
    arena_trim(m->into, start, 0);
    m->start = arena_take(m->into, room, 1);
    m->end = m->start + room;
    memmove(m->start, start, used);
    return m->start + used;
}

/* Make room for `more` bytes at `to`, which may move. */
static inline char *need(block_memory *m, char *to, size_t more) {
    return (size_t)(m->end - to) < more ? grow(m, to, more) : to;
}

static inline char *put(char *to, const void *data, size_t len) {
    memcpy(to, data, len);
    return to + len;
}

/* Append text of a document, behind which 64 bytes can be read. */
static inline char *put_text(block_memory *m, char *to, sl_string text) {
    to = need(m, to, sizeof text.len + text.len + SHORT_TEXT);
    to = put(to, &text.len, sizeof text.len);
    memcpy(to, text.data, SHORT_TEXT);
    if (text.len > SHORT_TEXT) memcpy(to, text.data, text.len);
    return to + text.len;
}

/* Append bytes that may end where they end. */
static char *put_bytes(block_memory *m, char *to, const char *data, size_t len) {
    to = need(m, to, len);
    return len ? put(to, data, len) : to;
}

/* Append a value of `f`, as nested.h has it. */
static char *put_value(block_memory *m, char *to, const field *f, const field_value *value) {
    if (f->is_block) return put_bytes(m, to, value->text.data, value->text.len);
    if (f->type == SL_STRING || f->type == SL_BYTES) {
        to = put(need(m, to, 4), &value->text.len, 4);
        return put_bytes(m, to, value->text.data, value->text.len);
    }
    to = need(m, to, sizeof(sl_decimal));
    double number = value->number == 0 ? 0 : value->number; /* equal values, equal bytes */
    switch ((enum sl_type)f->type) {
    case SL_BOOL: *to = (char)value->integer; return to + 1;
    case SL_INT32:
    case SL_DATE: return put(to, &(int32_t){ (int32_t)value->integer }, 4);
    case SL_DOUBLE: return put(to, &number, sizeof number);
    case SL_DECIMAL: return put(to, &value->decimal, sizeof value->decimal);
    default: return put(to, &value->integer, sizeof value->integer);
    }
}

/* The whole way to read the scalar at token `at`. */
static __attribute__((noinline)) char *read_any(json_reader *r, const field *f, const uint32_t *at,
                                                char *to) {
    json_walk *w = &r->walk;
    field_value value;
    sl_string text;
    w->at = at;
    if (!f->takes_text) {
        if (!field_read_scalar(f, w->json + at[0], &value, w->bad)) return NULL;
        return put_value(r->memory, to, f, &value);
    }
    if (json_walk_peek(w) != '"') {
        json_walk_refuse(w, field_wants(f));
        return NULL;
    }
    if (!json_walk_string(w, r->strings, &text) ||
        !field_read_string(f, text, r->strings, &value, w->bad))
        return NULL;
    return put_value(r->memory, to, f, &value);
}

/* Read the scalar at token `at`: the usual ones without the long way round. */
static inline __attribute__((always_inline)) char *read_scalar(json_reader *r, const field *f, const uint32_t *at, char *to) {
    const json_walk *w = &r->walk;
    const char *token = w->json + at[0];
    size_t len = at[1] - at[0];
    int64_t integer;
    double number;
    if (f->is_any_text) {
        if (w->has_escapes || *token != '"' || token[len - 1] != '"' || len < 2)
            return read_any(r, f, at, to);
        return put_text(r->memory, to, (sl_string){ .data = token + 1, .len = (uint32_t)len - 2 });
    }
    if (f->has_checks) return read_any(r, f, at, to);
    if (f->type == SL_DOUBLE && number_short_double(token, len, &number)) {
        if (number == 0) number = 0; /* equal values, equal bytes */
        return put(need(r->memory, to, sizeof number), &number, sizeof number);
    }
    if (f->type == SL_INT64 && number_short_int64(token, len, &integer) &&
        field_holds_int64(f, integer))
        return put(need(r->memory, to, sizeof integer), &integer, sizeof integer);
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
static inline char *read_value(json_reader *r, const field *f, const uint32_t **at, char *to,
                               uint32_t depth) {
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

/* What is wrong with a null that may not be one. */
static void refuse_null(json_reader *r, const field *f) {
    bad_because(r->walk.bad, "missing or null, wanted %s", field_wants(f));
}

/* Is there a null at token `at`, rightly written? */
static inline bool is_null(json_reader *r, const uint32_t *at) {
    r->walk.at = at;
    return json_walk_null(&r->walk);
}

/* Read a list's element or a map's value that is null at token `at`. */
static __attribute__((noinline)) char *read_null(json_reader *r, const field *f, const uint32_t *at,
                                                 char *to) {
    if (!is_null(r, at)) return NULL;
    *to = 0;
    if (f->plan->required) {
        refuse_null(r, f);
        return NULL;
    }
    if (f->plan->has_default) return put_value(r->memory, to + 1, f, &f->fallback);
    *to = 1;
    return to + 1;
}

/* Read a list's element or a map's value at token `*at`: a byte that says whether it is null, then
 * the value. */
static inline char *read_element(json_reader *r, const field *f, const uint32_t **at, char *to,
                                 uint32_t depth) {
    to = need(r->memory, to, 1);
    if (r->walk.json[**at] == 'n') return read_null(r, f, (*at)++, to);
    *to = 0;
    return read_value(r, f, at, to + 1, depth);
}

/* Step behind the token that ends an array or object; NULL: it is another one. */
static char *close_block(json_reader *r, const uint32_t *at, char bracket, char *to) {
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
    to = need(m, to, sizeof count);
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
    return close_block(r, at, ']', to);
}

/* Push `count` spans, not seen; the number of the first. */
static uint32_t push_spans(block_memory *m, uint32_t count) {
    uint32_t first = m->span_count;
    if (m->span_room - first < count) {
        m->span_room = (first + count) * 2;
        m->spans = mem_realloc(m->spans, m->span_room * sizeof *m->spans);
    }
    memset(m->spans + first, 0, count * sizeof *m->spans);
    m->span_count += count;
    return first;
}

/* Write the bytes of `count` spans in their order over what lies behind `start`; its end. */
static char *put_in_order(block_memory *m, uint32_t first, uint32_t count, size_t start) {
    buf_reset(&m->ordered);
    for (uint32_t i = first; i < first + count; i++)
        if (m->spans[i].len) buf_put(&m->ordered, m->start + m->spans[i].start, m->spans[i].len);
    if (m->ordered.len) memcpy(m->start + start, m->ordered.data, m->ordered.len);
    return m->start + start + m->ordered.len;
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
    return put_in_order(m, first, count, start);
}

/* Read the entry at token `*at`: name, colon, value. */
static char *read_entry(json_reader *r, const field *f, const uint32_t **at, char *to,
                        uint32_t depth) {
    json_walk *w = &r->walk;
    block_memory *m = r->memory;
    const uint32_t *token = *at;
    uint32_t span = push_spans(m, 1);
    sl_string key;
    size_t start = (size_t)(to - m->start);
    w->at = token;
    if (w->json[token[0]] != '"' || w->json[token[1]] != ':') {
        json_refuse_name(w, token);
        return NULL;
    }
    if (!json_walk_string(w, r->strings, &key)) return NULL;
    to = put_bytes(m, put(need(m, to, 4), &key.len, 4), key.data, key.len);
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
    to = need(m, to, sizeof count);
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
    to = close_block(r, at, '}', to);
    if (to && !is_sorted) to = sort_entries(r, first, start + sizeof count);
    m->span_count = first;
    return to;
}

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
    s->first = push_spans(m, s->count);
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
        if (!is_null(r, *at)) return NULL;
        ++*at;
        return to;
    }
    to = read_value(r, &s->f->items[field_at], at, to, depth);
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
            refuse_null(r, item);
            bad_under(r->walk.bad, item->plan->column.name.data, item->plan->column.name.len);
            return NULL;
        }
        if (!item->plan->has_default) continue;
        size_t start = (size_t)(to - m->start);
        to = put_value(m, to, item, &item->fallback);
        note_value(m, s, i, start, to);
    }
    return to;
}

/* Read the rest of a struct, from the name at token `at` on, or it `is_ended` there. */
static __attribute__((noinline)) char *read_rest(json_reader *r, open_struct *s,
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
    to = close_block(r, at, '}', to);
    if (to && s->f->has_wanted) to = settle_fields(r, s, to);
    if (to && !s->is_ordered) to = put_in_order(m, s->first, s->count, s->start + s->null_bytes);
    m->span_count = s->first;
    return to;
}

/* Write the null bits of the first 64 fields. */
static inline void put_nulls(char *to, uint64_t nulls, uint32_t count) {
    for (uint32_t i = 0; i * 8 < count; i++) to[i] = (char)(nulls >> 8 * i);
}

/* Read a struct of more fields than a word has bits. */
static char *read_wide(json_reader *r, const field *f, char *to, uint32_t depth) {
    uint32_t count = f->plan->column.shape->item_count, null_bytes = (count + 7) / 8;
    open_struct s;
    to = need(r->memory, to, null_bytes);
    memset(to, 0xff, null_bytes);
    if (count % 8) to[null_bytes - 1] = (char)((1 << count % 8) - 1);
    open_at(r->memory, &s, f, (size_t)(to - r->memory->start), 0);
    const uint32_t *at = r->walk.at + 1;
    return read_rest(r, &s, at, to + null_bytes, depth, r->walk.json[*at] == '}');
}

/* Read the rest of a struct of which the first `next` fields were read in order; those of `seen`
 * were there. */
static __attribute__((noinline)) char *read_unordered(json_reader *r, const field *f,
                                                      const uint32_t *at, char *to, size_t start,
                                                      uint32_t next, uint64_t seen,
                                                      uint32_t depth, bool is_ended) {
    open_struct s;
    open_at(r->memory, &s, f, start, next);
    s.seen[0] = seen;
    return read_rest(r, &s, at, to, depth, is_ended);
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
    if (count > WORD_FIELDS) return read_wide(r, f, to, depth);
    to = need(m, to, sizeof nulls);
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
            if (!is_null(r, at++)) to = NULL;
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
    if (is_ended && !(nulls & f->wanted)) return close_block(r, at, '}', to);
    return read_unordered(r, f, at, to, start, next, seen, depth, is_ended);
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
    if (len * 2 > m->usual && len < USUAL_BYTES * 64) m->usual = len * 2;
    *(sl_string *)((char *)r->row + f->offset) =
        (sl_string){ .data = m->start, .len = (uint32_t)len };
    field_clear_null(f, r->row);
    return true;
}
