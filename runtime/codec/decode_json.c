/* DESIGN: simdjson says where the tokens are (json_index), and one loop over them reads declared
 * values straight into the row and checks all others. Names go through name_tree, which guesses
 * the next one; declared paths that lie in objects are found by recursion as deep as the paths. */
#include "runtime/codec/decode_json.h"

#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/mem.h"
#include "runtime/codec/bad.h"
#include "runtime/codec/field.h"
#include "runtime/codec/json_shape.h"
#include "runtime/codec/json_walk.h"
#include "runtime/codec/name_tree.h"

enum { DRIFT_NAME_BYTES = 256 }; /* a longer path is counted among the others */

typedef struct codec_state {
    json_index *index; /* owned */
    name_node *value;  /* owned; declared paths of the value */
    name_node *key;    /* owned; of a key that is a document; without children: none */
    name_node *other;  /* owned; stands for undeclared names beyond the cap */
    field *fields;     /* owned */
    uint32_t field_count;
    uint32_t name_count; /* declared names, numbered */
    uint64_t *seen;      /* owned; bit `id` of each declared name seen in this document */
    uint32_t seen_words;
    uint32_t drift_count;
    json_shape shape;                  /* of values */
    uint64_t others;                   /* sightings beyond the cap */
    drift_name drift[DRIFT_MAX_NAMES]; /* paths owned */
} codec_state;

/* One document on its way into a row. */
typedef struct reader {
    json_walk walk;
    codec_state *state;
    const sl_record *record;
    sl_row *row;
    arena *strings;
} reader;

/* Hang the path of `f` into the tree. */
static void add_path(codec_state *s, name_node *root, field *f) {
    name_node *node = root;
    for (uint32_t i = 0; i < f->plan->path_count; i++) {
        const sl_string *name = &f->plan->path[i];
        name_node *child = name_find(node, name->data, name->len);
        node = child ? child : name_add(node, name->data, name->len, s->name_count++);
    }
    f->same = node->field;
    node->field = f;
}

static void json_close(void *state) {
    codec_state *s = state;
    if (!s) return;
    for (uint32_t i = 0; i < s->field_count; i++) field_done(&s->fields[i]);
    for (uint32_t i = 0; i < s->drift_count; i++) mem_free((char *)s->drift[i].path);
    name_tree_free(s->value);
    name_tree_free(s->key);
    name_tree_free(s->other);
    json_index_free(s->index);
    mem_free(s->fields);
    mem_free(s->seen);
    mem_free(s);
}

static err *json_open(const sl_source *source, void **state) {
    codec_state *s = mem_zalloc(1, sizeof *s);
    err *e = NULL;
    s->index = json_index_new();
    s->value = name_tree_new();
    s->key = name_tree_new();
    s->other = name_tree_new();
    s->fields = mem_zalloc(source->field_count + 1, sizeof *s->fields);
    if (!s->index) e = err_new(ERR_PLAN, "simdjson supports no instruction set of this processor");
    for (uint32_t i = 0; !e && i < source->field_count; i++) {
        const sl_field *plan = &source->fields[i];
        if (plan->from != SL_FROM_VALUE && plan->from != SL_FROM_KEY_PATH) continue;
        field *f = &s->fields[s->field_count++];
        e = field_init(f, plan);
        if (!e) add_path(s, plan->from == SL_FROM_VALUE ? s->value : s->key, f);
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

/* Append the path from the root to `node`. */
static void put_path(const codec_state *s, buf *out, const name_node *node) {
    if (node == s->value) return;
    if (node == s->key) {
        buf_put_text(out, "key:");
        return;
    }
    put_path(s, out, node->parent);
    if (node->parent->parent) buf_put_char(out, '.');
    buf_put(out, node->name, node->len);
}

/* A name that nobody declared and that was not seen before: remember it while there is room. */
static name_node *learn(reader *r, name_node *parent, sl_string name) {
    codec_state *s = r->state;
    if (s->drift_count == DRIFT_MAX_NAMES || name.len > DRIFT_NAME_BYTES) {
        s->others++;
        return s->other;
    }
    name_node *node = name_add(parent, name.data, name.len, NAME_UNDECLARED);
    node->drift = s->drift_count++;
    buf path;
    buf_init(&path);
    put_path(s, &path, node);
    s->drift[node->drift] = (drift_name){
        .path = mem_copy_text(path.data, path.len),
        .offset = r->record->offset,
        .partition = r->record->partition,
    };
    buf_done(&path);
    return node;
}

/* The node of the name at the next token, which is not what was guessed; NULL: bad. */
static name_node *find_name(reader *r, name_node *parent) {
    sl_string name;
    if (!json_walk_string(&r->walk, r->strings, &name)) return NULL;
    name_node *node = name_find(parent, name.data, name.len);
    return node ? node : learn(r, parent, name);
}

static bool read_object(reader *r, name_node *parent, uint32_t depth);

/* Read the string at the next token into `f`. What needs no check goes straight into the row: a
 * copy on the way costs a stalled load, and three of them more than all else here. */
static inline bool read_text(reader *r, const field *f) {
    json_walk *w = &r->walk;
    sl_string text;
    if (json_walk_peek(w) != '"') return json_walk_refuse(w, field_wants(f));
    sl_string *to = f->is_any_text ? (sl_string *)((char *)r->row + f->offset) : &text;
    if (!json_walk_string(w, r->strings, to)) return false;
    if (!f->is_any_text) return field_put_text(f, r->row, text, w->bad);
    field_clear_null(f, r->row);
    return true;
}

/* Read the value at the next token, which is one token, into the fields of `node`. */
static inline bool read_fields(reader *r, const name_node *node) {
    json_walk *w = &r->walk;
    const char *token = w->json + w->at[0];
    size_t len = w->at[1] - w->at[0];
    if (*token == 'n') return json_walk_null(w);
    for (const field *f = node->field; f; f = f->same) {
        bool is_good = f->takes_text ? read_text(r, f)
                                     : field_put_scalar(f, r->row, token, len, w->bad);
        if (!is_good) return false;
    }
    return true;
}

/* Read an object that declared paths lead into. */
static bool read_inner(reader *r, name_node *node, uint32_t depth) {
    json_walk *w = &r->walk;
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

/* Read the value of `node` at token `at`, whatever it is; the token behind it, or NULL: bad. */
static inline const uint32_t *read_value(reader *r, name_node *node, const uint32_t *at,
                                         uint32_t depth) {
    codec_state *s = r->state;
    r->walk.at = at;
    if (node->id == NAME_UNDECLARED) {
        if (node != s->other) s->drift[node->drift].count++;
        return json_walk_skip(&r->walk, depth) ? r->walk.at : NULL;
    }
    uint64_t *word = &s->seen[node->id / 64], bit = UINT64_C(1) << (node->id % 64);
    if (*word & bit) {
        bad_because(r->walk.bad, "the name stands twice in its object");
        return NULL;
    }
    *word |= bit;
    if (node->field) return read_fields(r, node) ? at + 1 : NULL;
    return read_inner(r, node, depth) ? r->walk.at : NULL;
}

/* Put the name at `token` in front of the path of what is wrong; false. */
static bool refuse_under(reader *r, const uint32_t *token) {
    json_walk at_name = r->walk;
    at_name.at = token;
    return bad_under(r->walk.bad, r->walk.json + *token + 1, json_walk_token_len(&at_name) - 2);
}

/* What stands at token `at` is no name with a colon; NULL. */
static name_node *refuse_name(json_walk *w, const uint32_t *at) {
    bool is_name = w->json[*at] == '"';
    w->at = at + is_name;
    json_walk_refuse(w, is_name ? "a colon" : "a name in quotes");
    return NULL;
}

/* Find the node of the name at token `at`; NULL: that is no name, or no colon follows. */
static inline name_node *read_name(reader *r, name_node *parent, name_node **guess,
                                   const uint32_t *at) {
    json_walk *w = &r->walk;
    const char *name = w->json + *at;
    name_node *node = *guess;
    if (*name != '"' || w->json[at[1]] != ':') return refuse_name(w, at);
    if (name_matches(node, name + 1, w->len - *at - 1)) return node;
    w->at = at;
    node = find_name(r, parent);
    if (node && node != r->state->other) *guess = node;
    return node;
}

/* Read the object at the next token; `depth`: objects open, with this one. The token is kept in
 * `at`: by way of the walk each step would wait for the store of the step before. */
static bool read_object(reader *r, name_node *parent, uint32_t depth) {
    json_walk *w = &r->walk;
    const char *json = w->json;
    const uint32_t *first = w->at + 1, *at = first;
    name_node **guess = &parent->first;
    while (json[*at] != '}' || at != first) {
        const uint32_t *token = at;
        name_node *node = read_name(r, parent, guess, at);
        if (!node) return false;
        at = read_value(r, node, at + 2, depth);
        if (!at) return refuse_under(r, token);
        if (node != r->state->other) guess = &node->behind;
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

static bool read_key(codec_state *s, const sl_record *record, sl_row *row, arena *strings,
                     bad_record *bad) {
    reader r = { .state = s, .record = record, .row = row, .strings = strings };
    return (json_walk_begin(&r.walk, s->index, record->key, bad) && read_document(&r, s->key)) ||
           bad_under(bad, "key", 3);
}

/* Read the value at whose { `w` stands, whatever its shape. */
static bool read_any(codec_state *s, const json_walk *w, const sl_record *record, sl_row *row,
                     arena *strings) {
    reader r = { .walk = *w, .state = s, .record = record, .row = row, .strings = strings };
    if (!read_document(&r, s->value)) return false;
    shape_learn(&s->shape, w, s->value, s->other);
    return true;
}

static bool json_decode(void *state, const sl_record *record, const record_origin *origin,
                        sl_row *row, arena *strings, bad_record *bad) {
    (void)origin;
    codec_state *s = state;
    json_walk walk;
    if (s->key->child_count && record->key.data && !read_key(s, record, row, strings, bad))
        return false;
    if (!json_walk_begin(&walk, s->index, record->value, bad)) return false;
    if (!shape_read(&s->shape, &walk, row)) return read_any(s, &walk, record, row, strings);
    for (uint32_t i = 0; i < s->shape.drift_count; i++) s->drift[s->shape.drift[i]].count++;
    return true;
}

static uint32_t json_drift(const void *state, const drift_name **names, uint64_t *others) {
    const codec_state *s = state;
    *names = s->drift;
    *others = s->others;
    return s->drift_count;
}

const codec_ops codec_json = {
    .name = "json",
    .open = json_open,
    .decode = json_decode,
    .drift = json_drift,
    .close = json_close,
};
