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
    if (step->kind == STEP_TEXT) {
        *(sl_string *)((char *)row + step->offset) = value;
        return VALUE_READ;
    }
    switch ((enum step_kind)step->kind) {
    case STEP_LISTED_TEXT:
        if (!field_allows_text(step->field, text, value.len)) return REFUSED;
        break;
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
static outcome read_other(const shape_step *step, const char *token, size_t len, sl_row *row,
                          bad_record *bad) {
    if (step->kind == STEP_UNDECLARED) return json_is_scalar(token) ? VALUE_READ : REFUSED;
    if (*token == 'n') return json_is_null(token) ? NULL_READ : REFUSED;
    return step->kind > STEP_CHECKED_TEXT && field_put_scalar(step->field, row, token, len, bad)
               ? VALUE_READ
               : REFUSED;
}

/* Read a token that is no string; `len`: up to the next token, or without blanks in front of it. */
static __attribute__((noinline)) outcome read_scalar(const shape_step *step, const char *token,
                                                     size_t len, sl_row *row, bad_record *bad) {
    char *to = (char *)row + step->offset;
    const field *f = step->field;
    if (step->kind == STEP_DOUBLE && number_short_double(token, len, (double *)to))
        return !f->has_checks || field_allows_double(f, *(double *)to) ? VALUE_READ : REFUSED;
    if (step->kind == STEP_INT64 && number_short_int64(token, len, (int64_t *)to) &&
        field_holds_int64(f, *(int64_t *)to))
        return allows_int64(f, *(int64_t *)to) ? VALUE_READ : REFUSED;
    return read_other(step, token, len, row, bad);
}

/* Does what is known to stand in front of the value of `step` stand at `at`? Of a long one all lies
 * in the document. */
static inline bool stands_before(const shape_step *step, const char *at, const char *end) {
    unsigned same = json_bytes_same(json_bytes_at(at), json_bytes_at(step->before));
    if ((same | step->beyond) != UINT32_MAX) return false;
    return step->before_len <= JSON_BYTES ||
           (end - at >= step->before_len &&
            json_text_stands(at + JSON_BYTES, step->before + JSON_BYTES,
                             (size_t)step->before_len - JSON_BYTES));
}

/* Where the value of `step` stands behind the text at `at`, if it is a scalar although strings are
 * the rule; NULL: there is none. */
static __attribute__((noinline)) const char *find_scalar(const shape_step *step, const char *at,
                                                         const char *end) {
    size_t len = (size_t)step->before_len - 1;
    if (!step->is_string || end - at < (ptrdiff_t)len) return NULL;
    return json_text_stands(at, step->before, len) ? at + len : NULL;
}

/* Read the string whose first byte is at `value`; what stands behind it, or NULL: the document does
 * not have the shape. */
static inline const char *step_over_string(const shape_step *step, const char *value,
                                           const char *end, sl_row *row, arena *strings,
                                           bad_record *bad) {
    const char *quote = json_string_end(value, end);
    if (!quote ||
        read_string(step, value, (size_t)(quote - value), row, strings, bad) == REFUSED)
        return NULL;
    return quote + 1;
}

/* The same of a scalar that is no string, what it is in `got`: REFUSED as well. */
static inline const char *step_over_scalar(const shape_step *step, const char *value, sl_row *row,
                                           bad_record *bad, outcome *got) {
    json_bytes bytes = json_bytes_at(value);
    unsigned ends = json_bytes_behind(bytes);
    char *to = (char *)row + step->offset;
    const char *behind = ends ? value + (unsigned)__builtin_ctz(ends) : json_scalar_end(value);
    if (!behind) return NULL;
    size_t len = (size_t)(behind - value);
    bool is_plain = false;
    if (step->kind == STEP_INT64 && ends) {
        is_plain = number_plain_int64(value, len, (int64_t *)to) &&
                   allows_int64(step->field, *(int64_t *)to);
    } else if (step->kind == STEP_DOUBLE && ends) {
        size_t point = (size_t)__builtin_ctz(json_bytes_equal(bytes, '.') | 1u << JSON_BYTES);
        is_plain = number_plain_double(value, len, point, (double *)to) &&
                   (!step->field->has_checks || field_allows_double(step->field, *(double *)to));
    }
    *got = is_plain ? VALUE_READ : read_scalar(step, value, len, row, bad);
    return behind;
}

/* Note which of the steps `nulls` (bit i: step i) had null. */
static __attribute__((noinline)) void put_nulls(const json_shape *s, uint64_t nulls, sl_row *row) {
    for (uint32_t i = 0; i < s->count; i++)
        if (nulls >> i & 1) row->nulls[s->steps[i].null_word] |= ~s->steps[i].keep;
}

/* A text of up to 16 bytes is compared without a look at how much of the document is left, as 64
 * bytes behind it can be read: so a value may seem to begin behind its end, where none is read. */
bool shape_read(json_shape *s, sl_string document, sl_row *row, arena *strings, bad_record *bad) {
    const char *at = document.data, *end = at + document.len;
    uint64_t nulls = 0;
    if (!s->count) return false;
    for (const shape_step *step = s->steps, *last = step + s->count; step < last; step++) {
        const char *value = at + step->before_len;
        bool is_string = step->is_string;
        if (!stands_before(step, at, end)) {
            value = find_scalar(step, at, end);
            if (!value) return false;
            is_string = false;
        }
        if (!is_string) {
            if (value >= end) return false;
            is_string = *value == '"';
            value += is_string;
        }
        if (is_string) {
            at = step_over_string(step, value, end, row, strings, bad);
            if (!at) return false;
            continue;
        }
        outcome got;
        at = step_over_scalar(step, value, row, bad, &got);
        if (!at || got == REFUSED) return false;
        if (got == NULL_READ) nulls |= UINT64_C(1) << (step - s->steps);
    }
    if (end - at != s->last_len || !json_text_stands(at, s->last, s->last_len)) return false;
    for (uint32_t i = 0; i < s->null_count; i++) row->nulls[s->nulls[i].word] &= s->nulls[i].keep;
    if (nulls) put_nulls(s, nulls, row);
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
static bool keep_text(json_shape *s, const lesson *l, uint32_t end, const char **at,
                      uint16_t *len) {
    uint32_t count = end - l->behind, start = (s->text_len + 15u) / 16 * 16;
    if (start + count > SHAPE_TEXT) return false;
    memcpy(s->text + start, l->walk.json + l->behind, count);
    *at = s->text + start;
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
    step->is_string = json_walk_peek(w) == '"';
    if (!keep_text(s, l, *w->at + step->is_string, &step->before, &step->before_len)) return false;
    step->beyond = UINT32_MAX << (step->before_len < JSON_BYTES ? step->before_len : JSON_BYTES);
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

/* The null bits of all steps, by word. */
static void gather_nulls(json_shape *s) {
    s->null_count = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        const shape_step *step = &s->steps[i];
        uint32_t at = 0;
        while (at < s->null_count && s->nulls[at].word != step->null_word) at++;
        if (at == s->null_count)
            s->nulls[s->null_count++] = (shape_nulls){ UINT64_MAX, step->null_word };
        s->nulls[at].keep &= step->keep;
    }
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
    if (!s->has_blocks) {
        drop_braces(s);
        gather_nulls(s);
    }
    if (s->count) s->patience = PATIENCE;
}
