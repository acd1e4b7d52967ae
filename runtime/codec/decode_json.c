/* DESIGN: simdjson says where the tokens are (json_index), and one loop over them reads declared
 * values straight into the row and checks all others. Names go through name_tree, which guesses
 * the next one; declared paths that lie in objects are found by recursion as deep as the paths. */
#include "runtime/codec/decode_json.h"

#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/codec/bad.h"
#include "runtime/codec/field.h"
#include "runtime/codec/json_block.h"
#include "runtime/codec/json_reader.h"
#include "runtime/codec/json_shape.h"

typedef struct codec_state {
    json_index *index; /* owned */
    field *fields;     /* owned */
    uint32_t field_count;
    uint32_t name_count; /* declared names, numbered */
    uint64_t *seen;      /* owned; bit `id` of each declared name seen in this document */
    uint32_t seen_words;
    json_shape shape; /* of values */
    block_memory memory;
    json_names names;
} codec_state;

/* One document on its way into a row. */
typedef struct reader {
    json_reader base;
    codec_state *state;
} reader;

/* The path of `f` leads through a field, or ends where another's goes on. */
static err *refuse_path(const field *f) {
    const sl_string *name = &f->plan->column.name;
    return err_new(ERR_PLAN, "field %.*s is taken from inside of another field, or that from "
                             "inside of it: declare the outer one only, as a struct",
                   (int)name->len, name->data);
}

/* Hang the path of `f` into the tree. */
static err *add_path(codec_state *s, name_node *root, field *f) {
    name_node *node = root;
    for (uint32_t i = 0; i < f->plan->path_count; i++) {
        const sl_string *name = &f->plan->path[i];
        name_node *child = name_find(node, name->data, name->len);
        if (node->block || node->field) return refuse_path(f);
        node = child ? child : name_add(node, name->data, name->len, s->name_count++);
    }
    if (node->child_count || (f->is_block ? node->field : node->block)) return refuse_path(f);
    if (f->is_block) {
        f->same = node->block;
        node->block = f;
        json_names_inside(&s->names, f, node);
    } else {
        f->same = node->field;
        node->field = f;
    }
    return NULL;
}

static void json_close(void *state) {
    codec_state *s = state;
    if (!s) return;
    for (uint32_t i = 0; i < s->field_count; i++) field_done(&s->fields[i]);
    json_names_done(&s->names);
    block_memory_done(&s->memory);
    json_index_free(s->index);
    mem_free(s->fields);
    mem_free(s->seen);
    mem_free(s);
}

static err *json_open(const sl_source *source, void **state) {
    codec_state *s = mem_zalloc(1, sizeof *s);
    err *e = NULL;
    s->index = json_index_new();
    json_names_init(&s->names);
    block_memory_init(&s->memory);
    s->fields = mem_zalloc(source->field_count + 1, sizeof *s->fields);
    if (!s->index) e = err_new(ERR_PLAN, "simdjson supports no instruction set of this processor");
    for (uint32_t i = 0; !e && i < source->field_count; i++) {
        const sl_field *plan = &source->fields[i];
        if (plan->from != SL_FROM_VALUE && plan->from != SL_FROM_KEY_PATH) continue;
        field *f = &s->fields[s->field_count++];
        e = field_init(f, plan);
        if (!e) e = add_path(s, plan->from == SL_FROM_VALUE ? s->names.value : s->names.key, f);
    }
    s->seen_words = s->name_count / 64 + 1;
    s->seen = mem_zalloc(s->seen_words, sizeof *s->seen);
    if (e) {
        json_close(s);
        return e;
    }
    *state = s;
    return NULL;
}

static bool read_object(reader *r, name_node *parent, uint32_t depth);

/* Read the string at the next token into `f`. What needs no check goes straight into the row: a
 * copy on the way costs a stalled load, and three of them more than all else here. */
static inline bool read_text(reader *r, const field *f) {
    json_reader *base = &r->base;
    json_walk *w = &base->walk;
    sl_string text;
    if (json_walk_peek(w) != '"') return json_walk_refuse(w, field_wants(f));
    sl_string *to = f->is_any_text ? (sl_string *)((char *)base->row + f->offset) : &text;
    if (!json_walk_string(w, base->strings, to)) return false;
    if (!f->is_any_text) return field_put_string(f, base->row, text, base->strings, w->bad);
    field_clear_null(f, base->row);
    return true;
}

/* Read the value at the next token, which is one token, into the fields of `node`. */
static inline bool read_fields(reader *r, const name_node *node) {
    json_walk *w = &r->base.walk;
    const char *token = w->json + w->at[0];
    size_t len = w->at[1] - w->at[0];
    if (*token == 'n') return json_walk_null(w);
    for (const field *f = node->field; f; f = f->same) {
        bool is_good = f->takes_text ? read_text(r, f)
                                     : field_put_scalar(f, r->base.row, token, len, w->bad);
        if (!is_good) return false;
    }
    return true;
}

/* Read an object that declared paths lead into. */
static bool read_inner(reader *r, name_node *node, uint32_t depth) {
    json_walk *w = &r->base.walk;
    char c = json_walk_peek(w);
    if (c == 'n') {
        if (!json_walk_null(w)) return false;
        w->at++;
        return true;
    }
    if (c != '{') return json_walk_refuse(w, "an object");
    if (depth >= JSON_MAX_DEPTH) return json_walk_refuse(w, "at most 64 objects and arrays");
    return read_object(r, node, depth + 1);
}

/* Read the value at the next token into the lists, maps or structs of `node`; the token behind it,
 * or NULL: bad. */
static const uint32_t *read_blocks(reader *r, const name_node *node, uint32_t depth) {
    json_walk *w = &r->base.walk;
    const uint32_t *at = w->at;
    if (json_walk_peek(w) == 'n') return json_walk_null(w) ? at + 1 : NULL;
    for (const field *f = node->block; f; f = f->same) {
        w->at = at;
        if (!json_block_read(&r->base, f, depth)) return NULL;
    }
    return w->at;
}

/* Read the value of `node` at token `at`, whatever it is; the token behind it, or NULL: bad. */
static inline const uint32_t *read_value(reader *r, name_node *node, const uint32_t *at,
                                         uint32_t depth) {
    codec_state *s = r->state;
    r->base.walk.at = at;
    if (node->id == NAME_UNDECLARED) {
        if (node != s->names.other) s->names.drift[node->drift].count++;
        return json_walk_skip(&r->base.walk, depth) ? r->base.walk.at : NULL;
    }
    uint64_t *word = &s->seen[node->id / 64], bit = UINT64_C(1) << (node->id % 64);
    if (*word & bit) {
        bad_because(r->base.walk.bad, "the name stands twice in its object");
        return NULL;
    }
    *word |= bit;
    if (node->field) return read_fields(r, node) ? at + 1 : NULL;
    if (node->block) return read_blocks(r, node, depth);
    return read_inner(r, node, depth) ? r->base.walk.at : NULL;
}

/* Read the object at the next token; `depth`: objects open, with this one. The token is kept in
 * `at`: by way of the walk each step would wait for the store of the step before. */
static bool read_object(reader *r, name_node *parent, uint32_t depth) {
    json_walk *w = &r->base.walk;
    const char *json = w->json;
    const uint32_t *first = w->at + 1, *at = first;
    name_node **guess = &parent->first;
    while (json[*at] != '}' || at != first) {
        const uint32_t *token = at;
        name_node *node = json_read_name(&r->base, parent, guess, at);
        if (!node) return false;
        at = read_value(r, node, at + 2, depth);
        if (!at) return json_refuse_under(&r->base, token);
        if (node != r->state->names.other) guess = &node->behind;
        if (json[*at] != ',') break;
        at++;
    }
    w->at = at;
    if (json[*at] != '}') return json_walk_refuse(w, "a comma or a closing }");
    return json_walk_close(w, depth);
}

/* Read the document of `r` by the names under `root`. */
static bool read_document(reader *r, name_node *root) {
    codec_state *s = r->state;
    for (uint32_t i = 0; i < s->seen_words; i++) s->seen[i] = 0;
    return read_object(r, root, 1);
}

/* Begin reading a document of `record`. */
static void reader_init(reader *r, codec_state *s, const sl_record *record, sl_row *row,
                        arena *strings) {
    *r = (reader){
        .base = {
            .names = &s->names,
            .memory = &s->memory,
            .record = record,
            .row = row,
            .strings = strings,
        },
        .state = s,
    };
}

static bool read_key(codec_state *s, const sl_record *record, sl_row *row, arena *strings,
                     bad_record *bad) {
    reader r;
    reader_init(&r, s, record, row, strings);
    return (json_walk_begin(&r.base.walk, s->index, record->key, bad) &&
            read_document(&r, s->names.key)) ||
           bad_under(bad, "key", 3);
}

/* Count the undeclared names of a document that has the shape. */
static void count_drift(codec_state *s) {
    for (uint32_t i = 0; i < s->shape.drift_count; i++) s->names.drift[s->shape.drift[i]].count++;
}

/* Read the value at whose { `w` stands, which shape_read did not read. */
static bool read_any(codec_state *s, const json_walk *w, const sl_record *record, sl_row *row,
                     arena *strings) {
    reader r;
    reader_init(&r, s, record, row, strings);
    r.base.walk = *w;
    if (s->shape.has_blocks && shape_read_blocks(&s->shape, &r.base)) {
        count_drift(s);
        return true;
    }
    r.base.walk = *w;
    if (!read_document(&r, s->names.value)) return false;
    shape_learn(&s->shape, w, s->names.value, s->names.other);
    return true;
}

static bool json_decode(void *state, const sl_record *record, const record_origin *origin,
                        sl_row *row, arena *strings, bad_record *bad) {
    (void)origin;
    codec_state *s = state;
    json_walk walk;
    if (s->names.key->child_count && record->key.data && !read_key(s, record, row, strings, bad))
        return false;
    if (!s->shape.has_blocks && shape_read(&s->shape, record->value, row, strings, bad)) {
        count_drift(s);
        return true;
    }
    return json_walk_begin(&walk, s->index, record->value, bad) &&
           read_any(s, &walk, record, row, strings);
}

static uint32_t json_drift(const void *state, const drift_name **names, uint64_t *others) {
    const codec_state *s = state;
    *names = s->names.drift;
    *others = s->names.others;
    return s->names.drift_count;
}

const codec_ops codec_json = {
    .name = "json",
    .open = json_open,
    .decode = json_decode,
    .drift = json_drift,
    .close = json_close,
};
