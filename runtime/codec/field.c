#include "runtime/codec/field.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/json_text.h"
#include "runtime/base/mem.h"
#include "runtime/codec/bad.h"
#include "runtime/codec/number.h"
#include "runtime/codec/number_short.h"
#include "runtime/codec/rfc3339.h"

enum { PLAIN_BYTES = 1024 }; /* longest number that is read from a key or a header */

/* Bytes that end a JSON scalar. NUL: the end of a key's or header's text. */
static const bool ENDS[256] = {
    [0] = true,
    ['\t'] = true,
    ['\n'] = true,
    ['\r'] = true,
    [' '] = true,
    [','] = true,
    [']'] = true,
    ['}'] = true,
};

const char *field_wants(const field *f) {
    switch ((enum sl_type)f->type) {
    case SL_BOOL: return "true or false";
    case SL_INT32: return "an int32";
    case SL_INT64: return f->plan->column.exact ? "an int64" : "an int64 within 2^53";
    case SL_DOUBLE: return "a number";
    case SL_TIMESTAMP: return f->takes_text ? "an RFC 3339 time" : "an integer time";
    case SL_STRING: return "a string";
    }
    return "";
}

/* The scalar at `token` is not what the field wants: say so. */
static bool refuse_token(const field *f, const char *token, bad_record *bad) {
    size_t len = 0;
    while (len < 48 && !ENDS[(unsigned char)token[len]]) len++;
    if (*token == '{') return bad_because(bad, "seen an object, wanted %s", field_wants(f));
    if (*token == '[') return bad_because(bad, "seen an array, wanted %s", field_wants(f));
    return bad_seen(bad, token, len, field_wants(f));
}

static void store(const field *f, sl_row *row, const field_value *value) {
    char *at = (char *)row + f->offset;
    switch ((enum sl_type)f->type) {
    case SL_BOOL: *(uint8_t *)at = (uint8_t)value->integer; break;
    case SL_INT32: *(int32_t *)at = (int32_t)value->integer; break;
    case SL_INT64:
    case SL_TIMESTAMP: *(int64_t *)at = value->integer; break;
    case SL_DOUBLE: *(double *)at = value->number; break;
    case SL_STRING: *(sl_string *)at = value->text; break;
    }
    field_clear_null(f, row);
}

static bool equal(const field *f, const field_value *a, const field_value *b) {
    if (f->type == SL_DOUBLE) return a->number == b->number;
    if (f->type != SL_STRING) return a->integer == b->integer;
    return a->text.len == b->text.len &&
           (!a->text.len || !memcmp(a->text.data, b->text.data, a->text.len));
}

static bool is_in_range(const field *f, const field_value *value) {
    const sl_field *plan = f->plan;
    if (!plan->has_range) return true;
    if (f->type == SL_DOUBLE) return value->number >= plan->low && value->number <= plan->high;
    long double x = value->integer; /* holds every int64 and every double */
    return x >= plan->low && x <= plan->high;
}

static bool is_one_of(const field *f, const field_value *value) {
    for (uint32_t i = 0; i < f->plan->one_of_count; i++)
        if (equal(f, value, &f->allowed[i])) return true;
    return !f->plan->one_of_count;
}

bool field_allows(const field *f, const field_value *value) {
    return is_in_range(f, value) && is_one_of(f, value);
}

/* Say which of `one_of` and `range` is not kept. */
static bool refuse(const field *f, const field_value *value, bad_record *bad) {
    char text[NUMBER_TEXT_BYTES];
    sl_string seen = value->text;
    if (f->type != SL_STRING) {
        seen.len = (uint32_t)(f->type == SL_DOUBLE ? number_write(text, value->number)
                                                   : number_write_int64(text, value->integer));
        seen.data = text;
    }
    if (!is_in_range(f, value))
        return bad_because(bad, "seen %.*s, wanted a value from %.17g to %.17g", (int)seen.len,
                           text, f->plan->low, f->plan->high);
    return bad_seen(bad, seen.data, seen.len, "one of the values that the field allows");
}

static inline bool put(const field *f, sl_row *row, const field_value *value, bad_record *bad) {
    if (f->has_checks && !field_allows(f, value)) return refuse(f, value, bad);
    store(f, row, value);
    return true;
}

/* Turn an integer of the field's unit into Unix ms, which Lua must be able to hold. */
static bool to_ms(const field *f, int64_t value, int64_t *ms) {
    switch ((enum sl_unit)f->plan->unit) {
    case SL_UNIT_S:
        if (__builtin_mul_overflow(value, INT64_C(1000), ms)) return false;
        break;
    case SL_UNIT_US: *ms = value / 1000 - (value % 1000 < 0); break;
    case SL_UNIT_NS: *ms = value / 1000000 - (value % 1000000 < 0); break;
    default: *ms = value;
    }
    return *ms >= -SAFE_INTEGER && *ms <= SAFE_INTEGER;
}

/* Does the field's type hold `value`? Converts times to ms. */
static bool fit_integer(const field *f, int64_t *value) {
    switch ((enum sl_type)f->type) {
    case SL_INT32: return *value >= INT32_MIN && *value <= INT32_MAX;
    case SL_TIMESTAMP: return to_ms(f, *value, value);
    default: return field_holds_int64(f, *value);
    }
}

/* The true or false at `token`; its end, or NULL. */
static const char *scan_bool(const char *token, int64_t *out) {
    *out = *token == 't';
    if (!strncmp(token, "true", 4)) return token + 4;
    return strncmp(token, "false", 5) ? NULL : token + 5;
}

/* Read the scalar at `token` as the field's type; its end, or NULL. */
static inline const char *scan(const field *f, const char *token, field_value *value) {
    if (f->type == SL_BOOL) return scan_bool(token, &value->integer);
    number n;
    if (!number_scan(token, &n)) return NULL;
    if (f->type == SL_DOUBLE) return number_double(&n, token, &value->number) ? n.end : NULL;
    if (!number_int64(&n, &value->integer) || !fit_integer(f, &value->integer)) return NULL;
    return n.end;
}

/* The whole way, for every type and with checks. */
static bool put_scalar(const field *f, sl_row *row, const char *token, bad_record *bad) {
    field_value value;
    const char *end = scan(f, token, &value);
    if (!end || !ENDS[(unsigned char)*end]) return refuse_token(f, token, bad);
    return put(f, row, &value, bad);
}

bool field_put_scalar(const field *f, sl_row *row, const char *token, size_t len, bad_record *bad) {
    char *at = (char *)row + f->offset;
    if (f->has_checks) return put_scalar(f, row, token, bad);
    bool is_done = false;
    if (f->type == SL_DOUBLE)
        is_done = number_short_double(token, len, (double *)at);
    else if (f->type == SL_INT64)
        is_done = number_short_int64(token, len, (int64_t *)at) && fit_integer(f, (int64_t *)at);
    if (!is_done) return put_scalar(f, row, token, bad);
    field_clear_null(f, row);
    return true;
}

bool field_put_text(const field *f, sl_row *row, sl_string text, bad_record *bad) {
    field_value value = { .text = text };
    if (f->type == SL_TIMESTAMP && !rfc3339_parse(text.data, text.len, &value.integer))
        return bad_seen(bad, text.data, text.len, field_wants(f));
    return put(f, row, &value, bad);
}

bool field_put_plain(const field *f, sl_row *row, sl_string text, bad_record *bad) {
    if (f->takes_text) {
        if (!json_text_is_utf8(text.data, text.len))
            return bad_seen(bad, text.data, text.len, "valid UTF-8");
        return field_put_text(f, row, text, bad);
    }
    char token[PLAIN_BYTES + 1 + NUMBER_PADDING];
    if (text.len > PLAIN_BYTES) return bad_seen(bad, text.data, text.len, field_wants(f));
    if (text.len) memcpy(token, text.data, text.len);
    token[text.len] = 0;
    field_value value;
    if (scan(f, token, &value) != token + text.len)
        return bad_seen(bad, text.data, text.len, field_wants(f));
    return put(f, row, &value, bad);
}

bool field_put_integer(const field *f, sl_row *row, int64_t value, bad_record *bad) {
    field_value v = { .integer = value, .number = (double)value };
    bool fits = f->type != SL_INT32 || (value >= INT32_MIN && value <= INT32_MAX);
    if (!fits) return bad_because(bad, "seen %lld, wanted an int32", (long long)value);
    return put(f, row, &v, bad);
}

void field_put_default(const field *f, sl_row *row) { store(f, row, &f->fallback); }

/* Read a number of the plan. Integers beyond 2^53 and RFC 3339 times come as text. */
static bool read_number(const field *f, const sl_value *from, field_value *out) {
    if (from->kind == SL_TEXT && f->type == SL_TIMESTAMP)
        return rfc3339_parse(from->text.data, from->text.len, &out->integer);
    if (from->kind == SL_TEXT) {
        char digits[NUMBER_TEXT_BYTES + NUMBER_PADDING];
        if (from->text.len >= NUMBER_TEXT_BYTES) return false;
        memcpy(digits, from->text.data, from->text.len);
        digits[from->text.len] = 0;
        return scan(f, digits, out) == digits + from->text.len;
    }
    out->number = from->number;
    if (from->kind != SL_NUMBER || f->type == SL_DOUBLE) return from->kind == SL_NUMBER;
    if (!(from->number >= -0x1p63 && from->number < 0x1p63)) return false;
    out->integer = (int64_t)from->number;
    return (double)out->integer == from->number &&
           (f->type != SL_INT32 || fit_integer(f, &out->integer));
}

/* Read a constant of the plan as the field's type. */
static err *constant(const field *f, const sl_value *from, const char *what, field_value *out) {
    bool fits;
    *out = (field_value){ .text = from->text };
    if (f->type == SL_STRING)
        fits = from->kind == SL_TEXT;
    else if (f->type == SL_BOOL)
        fits = from->kind == SL_FLAG;
    else
        fits = read_number(f, from, out);
    if (f->type == SL_BOOL) out->integer = from->number != 0;
    if (fits) return NULL;
    return err_new(ERR_PLAN, "%s of field %.*s is not %s", what, (int)f->plan->column.name.len,
                   f->plan->column.name.data, field_wants(f));
}

err *field_init(field *f, const sl_field *plan) {
    *f = (field){
        .plan = plan,
        .offset = plan->column.offset,
        .null_bit = plan->column.null_bit,
        .type = plan->column.type,
        .has_checks = plan->one_of_count || plan->has_range,
        .allowed = mem_zalloc(plan->one_of_count + 1, sizeof *f->allowed),
    };
    if (f->type < SL_BOOL || f->type > SL_STRING)
        return err_new(ERR_PLAN, "field %.*s has type %d, which JSON has not",
                       (int)plan->column.name.len, plan->column.name.data, f->type);
    f->takes_text = f->type == SL_STRING || (f->type == SL_TIMESTAMP && plan->unit == SL_UNIT_ISO);
    f->is_any_text = f->type == SL_STRING && !f->has_checks;
    err *e = NULL;
    if (plan->has_default) e = constant(f, plan->default_value, "default", &f->fallback);
    for (uint32_t i = 0; !e && i < plan->one_of_count; i++)
        e = constant(f, &plan->one_of[i], "one_of", &f->allowed[i]);
    return e;
}

void field_done(field *f) { mem_free(f->allowed); }
