#include "runtime/codec/json_shape.h"

#include "runtime/codec/json_block.h"
#include "runtime/codec/number_short.h"

enum {
    PATIENCE = 8, /* documents of other shapes before one is learned */
    LONG_PATIENCE = 100
}; /* the same, after one that cannot be learned */

enum step_kind {
    STEP_TEXT,
    STEP_LISTED_TEXT,  /* SL_STRING with checks */
    STEP_CHECKED_TEXT, /* by field_put_string */
    STEP_DOUBLE,
    STEP_INT64,
    STEP_SCALAR, /* by field_put_scalar */
    STEP_BLOCK,  /* by json_block_read */
    STEP_UNDECLARED,
    STEP_OPEN,  /* an object that declared paths lead into */
    STEP_CLOSE, /* its end: no name, only what stands behind it */
};

/* A value that is no string or usual number: null, or anything else that is one token. */
static bool read_other(const json_walk *w, const shape_step *step, const uint32_t *at,
                       sl_row *row) {
    json_walk here = *w;
    here.at = at;
    const char *token = w->json + at[0];
    if (step->kind == STEP_UNDECLARED)
        return *token != '{' && *token != '[' && json_walk_skip(&here, 1);
    if (*token == 'n') return json_walk_null(&here);
    return step->kind > STEP_CHECKED_TEXT &&
           field_put_scalar(step->field, row, token, at[1] - at[0], w->bad);
}

static inline bool allows_int64(const field *f, int64_t value) {
    return !f->has_checks || field_allows(f, &(field_value){ .integer = value });
}

/* Read the value at token `at`. */
static inline bool read_step(const json_walk *w, const shape_step *step, const uint32_t *at,
                             sl_row *row, arena *strings) {
    const char *token = w->json + at[0];
    size_t len = at[1] - at[0];
    char *to = (char *)row + step->offset;
    bool is_read = false;
    if (step->kind <= STEP_LISTED_TEXT) {
        is_read = *token == '"' && token[len - 1] == '"' && len > 1;
        if (is_read && step->kind == STEP_LISTED_TEXT &&
            !field_allows_text(step->field, token + 1, (uint32_t)len - 2))
            return false;
        if (is_read) *(sl_string *)to = (sl_string){ .data = token + 1, .len = (uint32_t)len - 2 };
    } else if (step->kind == STEP_CHECKED_TEXT) {
        if (*token == '"' && token[len - 1] == '"' && len > 1)
            return field_put_string(step->field, row,
                                    (sl_string){ .data = token + 1, .len = (uint32_t)len - 2 },
                                    strings, w->bad);
    } else if (step->kind == STEP_DOUBLE) {
        is_read = number_short_double(token, len, (double *)to);
        if (is_read && step->field->has_checks && !field_allows_double(step->field, *(double *)to))
            return false;
    } else if (step->kind == STEP_INT64) {
        is_read = number_short_int64(token, len, (int64_t *)to) &&
                  field_holds_int64(step->field, *(int64_t *)to);
        if (is_read && !allows_int64(step->field, *(int64_t *)to)) return false;
    }
    if (!is_read) return read_other(w, step, at, row);
    row->nulls[step->null_word] &= step->keep;
    return true;
}

bool shape_read(json_shape *s, const json_walk *w, sl_row *row, arena *strings) {
    const char *json = w->json;
    const uint32_t *at = w->at + 1;
    if (w->end - at != 4 * (ptrdiff_t)s->count || w->has_escapes) return false;
    for (const shape_step *step = s->steps, *end = step + s->count; step < end; step++, at += 4) {
        const char *name = json + at[0];
        if (*name != '"' || json[at[1]] != ':' || json[at[3]] != step->behind ||
            !name_matches(step->node, name + 1, w->len - at[0] - 1) ||
            !read_step(w, step, at + 2, row, strings))
            return false;
    }
    s->patience = PATIENCE;
    return true;
}

bool shape_read_deep(json_shape *s, json_reader *r) {
    const json_walk w = r->walk; /* blocks may be of any number of tokens */
    const uint32_t *at = w.at + 1;
    uint32_t depth = 1;
    if (w.has_escapes) return false;
    for (const shape_step *step = s->steps, *end = step + s->count; step < end; step++, at++) {
        if (step->kind == STEP_CLOSE) {
            if (at == w.end || w.json[*at] != step->behind) return false;
            depth--;
            continue;
        }
        const char *name = w.json + at[0];
        if (*name != '"' || w.json[at[1]] != ':' ||
            !name_matches(step->node, name + 1, w.len - at[0] - 1)) return false;
        at += 2;
        if (step->kind == STEP_OPEN) {
            depth++;
        } else if (step->kind != STEP_BLOCK || w.json[*at] == 'n') {
            if (!read_step(&w, step, at, r->row, r->strings)) return false;
            at++;
        } else {
            r->walk.at = at;
            if (!json_block_read(r, step->field, depth)) return false;
            at = r->walk.at;
        }
        if (w.json[*at] != step->behind) return false;
    }
    if (at != w.end) return false;
    s->patience = PATIENCE;
    return true;
}

static enum step_kind kind_of(const field *f) {
    if (!f) return STEP_UNDECLARED;
    if (f->is_block) return STEP_BLOCK;
    if (f->is_any_text) return STEP_TEXT;
    if (f->takes_text) return f->type == SL_STRING ? STEP_LISTED_TEXT : STEP_CHECKED_TEXT;
    if (f->type == SL_DOUBLE) return STEP_DOUBLE;
    return f->type == SL_INT64 ? STEP_INT64 : STEP_SCALAR;
}

/* Make a step of the name at token `at`, with token `behind` behind its value; false: there is none
 * for it. */
static bool add_step(json_shape *s, const json_walk *w, const uint32_t *behind,
                     const name_node *node) {
    const field *f = node->block ? node->block : node->field;
    bool is_declared = node->id != NAME_UNDECLARED;
    if (is_declared && (!f || f->same)) return false;
    shape_step *step = &s->steps[s->count++];
    *step = (shape_step){ .node = node, .field = f, .kind = kind_of(f) };
    step->behind = w->json[*behind];
    s->is_deep |= step->kind == STEP_BLOCK;
    if (!is_declared) {
        s->drift[s->drift_count++] = node->drift;
        return true;
    }
    step->offset = f->offset;
    step->null_word = f->null_bit / 64;
    step->keep = ~(UINT64_C(1) << (f->null_bit % 64));
    return true;
}

/* Where learning is: in the objects around it. */
typedef struct lesson {
    json_walk walk;
    const name_node *names[SHAPE_DEPTH]; /* of each open object, the document first */
    uint32_t depth;
} lesson;

/* Learn the ends of objects, of which `l` stands behind the first one's }. */
static bool learn_ends(json_shape *s, lesson *l) {
    while (l->depth > 1 && l->walk.json[l->walk.at[-1]] == '}') {
        if (s->count == SHAPE_NAMES) return false;
        s->steps[s->count++] =
            (shape_step){ .kind = STEP_CLOSE, .behind = json_walk_peek(&l->walk) };
        l->depth--;
        l->walk.at++;
    }
    return true;
}

/* Learn the { of an object that paths lead into, and step behind it. */
static bool learn_open(json_shape *s, lesson *l, const name_node *node) {
    if (node->id == NAME_UNDECLARED || node->field || l->depth == SHAPE_DEPTH) return false;
    s->steps[s->count++] = (shape_step){ .node = node, .kind = STEP_OPEN, .behind = '{' };
    s->is_deep = true;
    l->names[l->depth++] = node;
    l->walk.at++;
    return true;
}

/* Learn what stands at `l`, of a document that was read well, and step behind the token that
 * follows it. */
static bool learn_step(json_shape *s, lesson *l, const name_node *other) {
    json_walk *w = &l->walk;
    if (json_walk_peek(w) != '"' || s->count == SHAPE_NAMES) return false;
    const char *name = w->json + w->at[0] + 1, *quote = w->json + w->at[1] - 1;
    const name_node *node = name_find(l->names[l->depth - 1], name, (size_t)(quote - name));
    w->at += 2;
    char c = json_walk_peek(w);
    if (*quote != '"' || !node || node == other) return false;
    if (!node->block && c == '{') return learn_open(s, l, node);
    if (!node->block && c == '[') return false;
    return json_walk_skip(w, 1) && add_step(s, w, w->at++, node) && learn_ends(s, l);
}

void shape_learn(json_shape *s, const json_walk *w, const name_node *root, const name_node *other) {
    lesson l = { .walk = *w, .names = { root }, .depth = 1 };
    l.walk.at++;
    if (s->patience) {
        s->patience--;
        return;
    }
    s->count = s->drift_count = 0;
    s->is_deep = false;
    s->patience = LONG_PATIENCE;
    if (w->has_escapes) return;
    while (l.walk.at < w->end) {
        if (learn_step(s, &l, other)) continue;
        s->count = 0;
        return;
    }
    s->patience = PATIENCE;
}
