#include "runtime/codec/json_shape.h"

#include <string.h>

#include "runtime/codec/json_block.h"
#include "runtime/codec/json_ends.h"
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

static inline bool allows_int64(const field *f, int64_t value) {
    return !f->has_checks || field_allows(f, &(field_value){ .integer = value });
}

/* What a step makes of a value. */
typedef enum outcome {
    REFUSED, /* what is wrong, if anything, decode_json says */
    NULL_READ,
    VALUE_READ, /* the null bit is still set */
} outcome;

/* Read what stands between the quotes of a string, which has no escapes. */
static inline outcome read_string(const shape_step *step, const char *text, size_t len, sl_row *row,
                                  arena *strings, bad_record *bad) {
    sl_string value = { .data = text, .len = (uint32_t)len };
    switch ((enum step_kind)step->kind) {
    case STEP_LISTED_TEXT:
        if (!field_allows_text(step->field, text, value.len)) return REFUSED;
        break;
    case STEP_TEXT: break;
    case STEP_CHECKED_TEXT:
        return field_put_string(step->field, row, value, strings, bad) ? VALUE_READ : REFUSED;
    case STEP_UNDECLARED: return VALUE_READ;
    default: /* a decimal may stand in quotes */
        return field_put_scalar(step->field, row, text - 1, len + 2, bad) ? VALUE_READ : REFUSED;
    }
    *(sl_string *)((char *)row + step->offset) = value;
    return VALUE_READ;
}

/* A value that is no string or usual number: null, or anything else that is one token. */
static __attribute__((noinline)) outcome read_other(const shape_step *step, const char *token,
                                                    size_t len, sl_row *row, bad_record *bad) {
    if (step->kind == STEP_UNDECLARED) return json_is_scalar(token) ? VALUE_READ : REFUSED;
    if (*token == 'n') return json_is_null(token) ? NULL_READ : REFUSED;
    return step->kind > STEP_CHECKED_TEXT && field_put_scalar(step->field, row, token, len, bad)
               ? VALUE_READ
               : REFUSED;
}

/* Read a token that is no string; `len`: up to the next token, or without blanks in front of it. */
static inline outcome read_scalar(const shape_step *step, const char *token, size_t len,
                                  sl_row *row, bad_record *bad) {
    char *to = (char *)row + step->offset;
    const field *f = step->field;
    if (step->kind == STEP_DOUBLE && number_short_double(token, len, (double *)to))
        return !f->has_checks || field_allows_double(f, *(double *)to) ? VALUE_READ : REFUSED;
    if (step->kind == STEP_INT64 && number_short_int64(token, len, (int64_t *)to) &&
        field_holds_int64(f, *(int64_t *)to))
        return allows_int64(f, *(int64_t *)to) ? VALUE_READ : REFUSED;
    return read_other(step, token, len, row, bad);
}

/* Each piece of text is held against what is left of the document, so a value begins inside of it
 * or right behind, and one that ends beyond it has too little behind it. */
bool shape_read(json_shape *s, sl_string document, sl_row *row, arena *strings, bad_record *bad) {
    const char *at = document.data, *end = at + document.len;
    uint64_t keep = UINT64_MAX; /* of the null bits in `word`: each store would wait for the last */
    uint32_t word = 0;
    if (!s->count) return false;
    for (const shape_step *step = s->steps, *last = step + s->count; step < last; step++) {
        if (end - at < step->before_len ||
            !json_text_stands(at, s->text + step->before, step->before_len)) return false;
        const char *value = at + step->before_len;
        outcome got;
        if (*value == '"') {
            at = json_string_end(++value, end);
            if (!at) return false;
            got = read_string(step, value, (size_t)(at++ - value), row, strings, bad);
        } else {
            at = json_scalar_end(value);
            if (!at) return false;
            got = read_scalar(step, value, (size_t)(at - value), row, bad);
        }
        if (got == REFUSED) return false;
        if (got == NULL_READ) continue;
        if (step->null_word != word) {
            row->nulls[word] &= keep;
            keep = UINT64_MAX;
            word = step->null_word;
        }
        keep &= step->keep;
    }
    row->nulls[word] &= keep;
    if (end - at != s->last_len || !json_text_stands(at, s->text + s->last, s->last_len))
        return false;
    s->patience = PATIENCE;
    return true;
}

/* Read the value at token `at`, which is one token. */
static bool read_token(const shape_step *step, const json_reader *r, const uint32_t *at) {
    const char *token = r->walk.json + at[0];
    size_t len = at[1] - at[0];
    if (*token == '"' && (len < 2 || token[len - 1] != '"')) return false; /* blanks behind it */
    outcome got =
        *token == '"' ? read_string(step, token + 1, len - 2, r->row, r->strings, r->walk.bad)
                      : read_scalar(step, token, len, r->row, r->walk.bad);
    if (got == VALUE_READ) r->row->nulls[step->null_word] &= step->keep;
    return got != REFUSED;
}

bool shape_read_blocks(json_shape *s, json_reader *r) {
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
            if (!read_token(step, r, at++)) return false;
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

/* Where learning is: in the objects around it. */
typedef struct lesson {
    json_walk walk;
    const name_node *names[SHAPE_DEPTH]; /* of each open object, the document first */
    uint32_t depth;
    uint32_t behind; /* byte of the document behind the last value */
} lesson;

/* Keep the text from behind the last value up to byte `end`. */
static bool keep_text(json_shape *s, const lesson *l, uint32_t end, uint16_t *at, uint16_t *len) {
    uint32_t count = end - l->behind, start = (s->text_len + 15u) / 16 * 16;
    if (start + count > SHAPE_TEXT) return false;
    memcpy(s->text + start, l->walk.json + l->behind, count);
    *at = (uint16_t)start;
    *len = (uint16_t)count;
    s->text_len = (uint16_t)(start + count);
    return true;
}

/* Make a step of the name in front of the value at the next token, and step over that; false: there
 * is none for it. */
static bool add_step(json_shape *s, lesson *l, const name_node *node) {
    json_walk *w = &l->walk;
    const field *f = node->block ? node->block : node->field;
    bool is_declared = node->id != NAME_UNDECLARED;
    if (is_declared && (!f || f->same)) return false;
    shape_step *step = &s->steps[s->count++];
    *step = (shape_step){ .node = node, .field = f, .kind = kind_of(f), .keep = UINT64_MAX };
    if (!keep_text(s, l, *w->at, &step->before, &step->before_len)) return false;
    l->behind = *w->at + (uint32_t)json_walk_token_len(w);
    if (!json_walk_skip(w, 1)) return false;
    step->behind = json_walk_peek(w);
    s->has_blocks |= step->kind == STEP_BLOCK;
    if (!is_declared) {
        s->drift[s->drift_count++] = node->drift;
        return true;
    }
    step->offset = f->offset;
    step->null_word = f->null_bit / 64;
    step->keep = ~(UINT64_C(1) << (f->null_bit % 64));
    return true;
}

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
    if (!add_step(s, l, node)) return false;
    w->at++;
    return learn_ends(s, l);
}

/* The braces of inner objects are in the text between the values. */
static void drop_braces(json_shape *s) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->count; i++)
        if (s->steps[i].kind < STEP_OPEN) s->steps[kept++] = s->steps[i];
    s->count = kept;
}

void shape_learn(json_shape *s, const json_walk *w, const name_node *root, const name_node *other) {
    lesson l = { .walk = *w, .names = { root }, .depth = 1 };
    l.walk.at++;
    if (s->patience) {
        s->patience--;
        return;
    }
    s->count = s->drift_count = s->text_len = 0;
    s->has_blocks = false;
    s->patience = LONG_PATIENCE;
    if (w->has_escapes) return;
    while (l.walk.at < w->end) {
        if (learn_step(s, &l, other)) continue;
        s->count = 0;
        return;
    }
    if (!keep_text(s, &l, w->len, &s->last, &s->last_len)) s->count = 0;
    if (!s->has_blocks) drop_braces(s);
    if (s->count) s->patience = PATIENCE;
}
