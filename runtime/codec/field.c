#include "runtime/codec/field.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json_text.h"
#include "runtime/base/mem.h"
#include "runtime/codec/bad.h"
#include "runtime/codec/base64.h"
#include "runtime/codec/decimal.h"
#include "runtime/codec/number.h"
#include "runtime/codec/number_short.h"
#include "runtime/codec/rfc3339.h"

enum { SHOWN_BYTES = 48 };
enum { PLAIN_BYTES = 1024 }; /* longest number that is read from a key or a header */

/* Bytes that end a JSON scalar. */
static const bool ENDS[256] = {
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
    case SL_TIMESTAMP:
        return f->takes_text ? "an RFC 3339 time (others: sluice.time.parse)" : "an integer time";
    case SL_STRING: return "a string";
    case SL_BYTES: return "bytes in base64";
    case SL_DATE: return "a date like 2024-05-01";
    case SL_DECIMAL: return "a decimal that fits";
    case SL_LIST: return "an array";
    case SL_MAP:
    case SL_STRUCT: return "an object";
    }
    return "";
}

/* What a decimal may be: precision and scale are the field's. */
static bool refuse_decimal(const field *f, const char *token, size_t len, bad_record *bad) {
    char wanted[60];
    const sl_shape *shape = f->plan->column.shape;
    snprintf(wanted, sizeof wanted, "a decimal of %u digits, %u of them behind the point",
             shape->precision, shape->scale);
    return bad_seen(bad, token, len, wanted);
}

/* How much of the token to show: a string to its quote, what ends a scalar by itself, else all up
 * to that. */
static size_t token_shown(const char *token) {
    size_t len = *token != 0;
    if (*token == '"') {
        while (len < SHOWN_BYTES && token[len] && token[len] != '"') len++;
        return len + (token[len] == '"');
    }
    if (ENDS[(unsigned char)*token]) return len;
    while (len < SHOWN_BYTES && !ENDS[(unsigned char)token[len]]) len++;
    return len;
}

/* The scalar at `token` is not what the field wants: say so. */
static bool refuse_token(const field *f, const char *token, bad_record *bad) {
    size_t len = token_shown(token);
    if (*token == '{') return bad_because(bad, "seen an object, wanted %s", field_wants(f));
    if (*token == '[') return bad_because(bad, "seen an array, wanted %s", field_wants(f));
    if (f->type == SL_DECIMAL) return refuse_decimal(f, token, len, bad);
    return bad_seen(bad, token, len, field_wants(f));
}

static void store(const field *f, sl_row *row, const field_value *value) {
    char *at = (char *)row + f->offset;
    switch ((enum sl_type)f->type) {
    case SL_BOOL: *(uint8_t *)at = (uint8_t)value->integer; break;
    case SL_INT32:
    case SL_DATE: *(int32_t *)at = (int32_t)value->integer; break;
    case SL_INT64:
    case SL_TIMESTAMP: *(int64_t *)at = value->integer; break;
    case SL_DOUBLE: *(double *)at = value->number; break;
    case SL_DECIMAL: *(sl_decimal *)at = value->decimal; break;
    case SL_STRING:
    case SL_BYTES:
    case SL_LIST:
    case SL_MAP:
    case SL_STRUCT: *(sl_string *)at = value->text; break;
    }
    field_clear_null(f, row);
}

static bool equal(const field *f, const field_value *a, const field_value *b) {
    if (f->type == SL_DOUBLE) return a->number == b->number;
    if (f->type == SL_DECIMAL) return !decimal_compare(&a->decimal, &b->decimal);
    if (f->type != SL_STRING && f->type != SL_BYTES) return a->integer == b->integer;
    return a->text.len == b->text.len &&
           (!a->text.len || !memcmp(a->text.data, b->text.data, a->text.len));
}

static bool is_in_range(const field *f, const field_value *value) {
    const sl_field *plan = f->plan;
    if (!plan->has_range) return true;
    if (f->type == SL_DOUBLE) return value->number >= plan->low && value->number <= plan->high;
    if (f->type == SL_DECIMAL)
        return decimal_compare(&value->decimal, &f->low) >= 0 &&
               decimal_compare(&value->decimal, &f->high) <= 0;
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

bool field_allows_text(const field *f, const char *text, uint32_t len) {
    if (!f->plan->one_of_count) return true;
    text_ends ends = text_ends_of(text, len);
    for (uint32_t at = text_ends_mix(&ends);; at++) {
        uint32_t place = f->places[at & f->place_mask];
        if (!place) return false;
        const field_text *t = &f->texts[place - 1];
        if (t->text.len == len && text_ends_same(&t->ends, &ends) &&
            (len <= TEXT_ENDS || !memcmp(text, t->text.data, len)))
            return true;
    }
}

bool field_allows_double(const field *f, double value) {
    const sl_field *plan = f->plan;
    if (plan->has_range && !(value >= plan->low && value <= plan->high)) return false;
    return !plan->one_of_count || is_one_of(f, &(field_value){ .number = value });
}

/* Write a value that is no text, as JSON has it but without quotes; its length. */
static size_t write_shown(const field *f, const field_value *value, char *to) {
    switch (f->type) {
    case SL_DOUBLE: return number_write(to, value->number);
    case SL_DATE: return rfc3339_write_date(to, (int32_t)value->integer);
    case SL_DECIMAL: return decimal_write(to, &value->decimal, f->plan->column.shape->scale);
    default: return number_write_int64(to, value->integer);
    }
}

static void write_bounds(const field *f, char *low, char *high) {
    if (f->type == SL_DECIMAL || f->type == SL_DATE) {
        field_value least = { .integer = (int64_t)f->plan->low, .decimal = f->low };
        field_value most = { .integer = (int64_t)f->plan->high, .decimal = f->high };
        low[write_shown(f, &least, low)] = high[write_shown(f, &most, high)] = 0;
        return;
    }
    snprintf(low, DECIMAL_TEXT_BYTES, "%.17g", f->plan->low);
    snprintf(high, DECIMAL_TEXT_BYTES, "%.17g", f->plan->high);
}

/* Say which of `one_of` and `range` is not kept. */
static bool refuse(const field *f, const field_value *value, bad_record *bad) {
    char text[DECIMAL_TEXT_BYTES], low[DECIMAL_TEXT_BYTES], high[DECIMAL_TEXT_BYTES];
    sl_string seen = value->text;
    if (f->type != SL_STRING && f->type != SL_BYTES) {
        seen.len = (uint32_t)write_shown(f, value, text);
        seen.data = text;
    }
    if (!is_in_range(f, value)) {
        write_bounds(f, low, high);
        return bad_because(bad, "seen %.*s, wanted a value from %s to %s", (int)seen.len, text,
                           low, high);
    }
    return bad_seen(bad, seen.data, seen.len, "one of the values that the field allows");
}

static inline bool is_kept(const field *f, const field_value *value, bad_record *bad) {
    return !f->has_checks || field_allows(f, value) || refuse(f, value, bad);
}

static inline bool put(const field *f, sl_row *row, const field_value *value, bad_record *bad) {
    if (!is_kept(f, value, bad)) return false;
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

/* The decimal at `token`, in quotes or not; its end, or NULL. */
static const char *scan_decimal(const field *f, const char *token, sl_decimal *out) {
    const sl_shape *shape = f->plan->column.shape;
    bool is_quoted = *token == '"';
    const char *end = decimal_scan(token + is_quoted, shape->precision, shape->scale, out);
    if (!end || !is_quoted) return end;
    return *end == '"' ? end + 1 : NULL;
}

/* Read the scalar at `token` as the field's type; its end, or NULL. */
static inline const char *scan(const field *f, const char *token, field_value *value) {
    if (f->type == SL_BOOL) return scan_bool(token, &value->integer);
    if (f->type == SL_DECIMAL) return scan_decimal(f, token, &value->decimal);
    number n;
    if (!number_scan(token, &n)) return NULL;
    if (f->type == SL_DOUBLE) return number_double(&n, token, &value->number) ? n.end : NULL;
    if (!number_int64(&n, &value->integer) || !fit_integer(f, &value->integer)) return NULL;
    return n.end;
}

bool field_read_scalar(const field *f, const char *token, field_value *out, bad_record *bad) {
    const char *end = scan(f, token, out);
    if (!end || !ENDS[(unsigned char)*end]) return refuse_token(f, token, bad);
    return is_kept(f, out, bad);
}

/* The whole way, for every type and with checks. */
static bool put_scalar(const field *f, sl_row *row, const char *token, bad_record *bad) {
    field_value value;
    if (!field_read_scalar(f, token, &value, bad)) return false;
    store(f, row, &value);
    return true;
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

/* Read the times and dates that text says. */
static bool scan_text(const field *f, field_value *value) {
    if (f->type == SL_TIMESTAMP)
        return rfc3339_parse(value->text.data, value->text.len, &value->integer);
    if (f->type == SL_DATE)
        return rfc3339_parse_date(value->text.data, value->text.len, &value->integer);
    return true;
}

bool field_put_text(const field *f, sl_row *row, sl_string text, bad_record *bad) {
    field_value value = { .text = text };
    if (!scan_text(f, &value)) return bad_seen(bad, text.data, text.len, field_wants(f));
    return put(f, row, &value, bad);
}

/* Decode base64 into `strings`. */
static bool read_base64(sl_string text, arena *strings, sl_string *out) {
    size_t len;
    char *bytes = arena_take(strings, base64_room(text.len), 1);
    if (!base64_decode(text.data, text.len, bytes, &len)) return false;
    *out = (sl_string){ .data = bytes, .len = (uint32_t)len };
    return true;
}

bool field_read_string(const field *f, sl_string text, arena *strings, field_value *out,
                       bad_record *bad) {
    out->text = text;
    bool is_good = f->type == SL_BYTES ? read_base64(text, strings, &out->text)
                                       : scan_text(f, out);
    if (!is_good) return bad_seen(bad, text.data, text.len, field_wants(f));
    return is_kept(f, out, bad);
}

bool field_put_string(const field *f, sl_row *row, sl_string text, arena *strings,
                      bad_record *bad) {
    field_value value;
    if (!field_read_string(f, text, strings, &value, bad)) return false;
    store(f, row, &value);
    return true;
}

static bool refuse_plain(const field *f, sl_string text, bad_record *bad) {
    if (f->type == SL_DECIMAL) return refuse_decimal(f, text.data, text.len, bad);
    return bad_seen(bad, text.data, text.len, field_wants(f));
}

bool field_put_plain(const field *f, sl_row *row, sl_string text, bad_record *bad) {
    if (f->type == SL_BYTES) return put(f, row, &(field_value){ .text = text }, bad);
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
    if (*token == '"' || scan(f, token, &value) != token + text.len)
        return refuse_plain(f, text, bad);
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
           (f->type != SL_INT32 || fit_integer(f, &out->integer)) &&
           (f->type != SL_DATE || (int32_t)out->integer == out->integer);
}

static bool read_decimal(const field *f, const sl_value *from, sl_decimal *out) {
    char text[DECIMAL_TEXT_BYTES];
    if (from->kind != SL_TEXT || from->text.len >= sizeof text) return false;
    memcpy(text, from->text.data, from->text.len);
    text[from->text.len] = 0;
    const char *end = scan_decimal(f, text, out);
    return end && !*end;
}

/* Read a constant of the plan as the field's type. */
static err *constant(const field *f, const sl_value *from, const char *what, field_value *out) {
    bool fits;
    *out = (field_value){ .text = from->text };
    if (f->type == SL_STRING || f->type == SL_BYTES || f->is_block)
        fits = from->kind == SL_TEXT;
    else if (f->type == SL_DECIMAL)
        fits = read_decimal(f, from, &out->decimal);
    else if (f->type == SL_BOOL)
        fits = from->kind == SL_FLAG;
    else
        fits = read_number(f, from, out);
    if (f->type == SL_BOOL) out->integer = from->number != 0;
    if (fits) return NULL;
    return err_new(ERR_PLAN, "%s of field %.*s is not %s", what, (int)f->plan->column.name.len,
                   f->plan->column.name.data, field_wants(f));
}

static bool has_shape(uint8_t type) { return type >= SL_DECIMAL && type <= SL_STRUCT; }

/* Does the format know the type, and does what it needs stand in the plan? */
static bool is_sound(const sl_column *column) {
    if (column->type < SL_BOOL || column->type > SL_STRUCT) return false;
    return !has_shape(column->type) || column->shape;
}

/* Make the fields inside a block. */
static err *init_items(field *f) {
    const sl_shape *shape = f->plan->column.shape;
    err *e = NULL;
    f->items = mem_zalloc(shape->item_count + 1, sizeof *f->items);
    f->item_count = shape->item_count;
    for (uint32_t i = 0; !e && i < shape->item_count; i++) {
        bool is_wanted = shape->items[i].required || shape->items[i].has_default;
        f->has_wanted |= is_wanted;
        if (is_wanted && i < 64) f->wanted |= UINT64_C(1) << i;
        e = field_init(&f->items[i], &shape->items[i]);
    }
    return e;
}

/* Read the range of a decimal. */
static err *init_bounds(field *f) {
    const sl_value *bounds = f->plan->bounds;
    const sl_string *name = &f->plan->column.name;
    if (read_decimal(f, &bounds[0], &f->low) && read_decimal(f, &bounds[1], &f->high)) return NULL;
    return err_new(ERR_PLAN, "bounds of field %.*s are no decimals", (int)name->len, name->data);
}

/* Put all texts where they lie by hash, in `room` places. False: some had to go behind their
 * place. */
static bool place_texts(field *f, uint32_t room) {
    bool is_direct = true;
    f->places = mem_realloc(f->places, room * sizeof *f->places);
    memset(f->places, 0, room * sizeof *f->places);
    f->place_mask = room - 1;
    for (uint32_t i = 0; i < f->plan->one_of_count; i++) {
        uint32_t at = text_ends_mix(&f->texts[i].ends);
        for (; f->places[at & f->place_mask]; at++) is_direct = false;
        f->places[at & f->place_mask] = i + 1;
    }
    return is_direct;
}

/* Room is tried for until each text is found at once: how many looks it takes cannot be guessed. */
static void init_texts(field *f) {
    enum { MOST = 64 }; /* places a text */
    uint32_t count = f->plan->one_of_count, room = 2;
    f->texts = mem_zalloc(count + 1, sizeof *f->texts);
    for (uint32_t i = 0; i < count; i++) {
        f->texts[i].text = f->allowed[i].text;
        f->texts[i].ends = text_ends_of(f->allowed[i].text.data, f->allowed[i].text.len);
    }
    while (room < 2 * count) room *= 2;
    while (!place_texts(f, room) && room < MOST * count) room *= 2;
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
    if (!is_sound(&plan->column))
        return err_new(ERR_PLAN, "field %.*s has type %d, which is not known",
                       (int)plan->column.name.len, plan->column.name.data, f->type);
    f->takes_text = f->type == SL_STRING || f->type == SL_BYTES || f->type == SL_DATE ||
                    (f->type == SL_TIMESTAMP && plan->unit == SL_UNIT_ISO);
    f->is_any_text = f->type == SL_STRING && !f->has_checks;
    f->is_block = f->type >= SL_LIST;
    err *e = NULL;
    if (f->is_block) e = init_items(f);
    if (!e && plan->has_default) e = constant(f, plan->default_value, "default", &f->fallback);
    if (!e && plan->has_range && f->type == SL_DECIMAL) e = init_bounds(f);
    for (uint32_t i = 0; !e && i < plan->one_of_count; i++)
        e = constant(f, &plan->one_of[i], "one_of", &f->allowed[i]);
    if (!e && f->type == SL_STRING) init_texts(f);
    return e;
}

void field_done(field *f) {
    uint32_t count = f->items ? f->plan->column.shape->item_count : 0;
    for (uint32_t i = 0; i < count; i++) field_done(&f->items[i]);
    mem_free(f->items);
    mem_free(f->allowed);
    mem_free(f->texts);
    mem_free(f->places);
}
