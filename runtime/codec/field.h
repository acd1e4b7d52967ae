#pragma once
/* A declared field, made ready for decoding: its place in the row, its default, what `one_of`
 * and `range` allow. Read-only after field_init; every put function sets the value, clears the
 * null bit and returns true, or fills in `bad` and returns false. thread: worker */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/text_ends.h"
#include "runtime/codec/codec.h"
#include "runtime/codec/nulls.h"

static const int64_t SAFE_INTEGER = INT64_C(1) << 53;

/* A value of any field type. */
typedef struct field_value {
    int64_t integer;    /* SL_BOOL, SL_INT32, SL_INT64, SL_TIMESTAMP, SL_DATE */
    double number;      /* SL_DOUBLE */
    sl_string text;     /* SL_STRING, SL_BYTES, blocks; borrowed from the plan or the record */
    sl_decimal decimal; /* SL_DECIMAL */
} field_value;

/* A text that a field may have, ready to be compared. */
typedef struct field_text {
    text_ends ends;
    sl_string text; /* borrowed from the plan */
} field_text;

typedef struct field {
    const sl_field *plan;     /* borrowed */
    uint32_t offset;          /* of the value in the row */
    uint16_t null_bit;        /* of the column */
    uint8_t type;             /* sl_type */
    uint8_t takes_text;       /* made from a string: SL_STRING, SL_BYTES, SL_DATE, or
                                 SL_TIMESTAMP as RFC 3339 */
    uint8_t has_checks;       /* one_of or range */
    uint8_t is_any_text;      /* SL_STRING without checks */
    struct name_node *node;   /* inside a struct: its name; borrowed from the format; or NULL */
    uint8_t is_block;         /* SL_LIST, SL_MAP, SL_STRUCT: the format reads it itself */
    field_value fallback;     /* plan->has_default */
    sl_decimal low, high;     /* SL_DECIMAL with plan->has_range */
    uint8_t has_wanted;       /* SL_STRUCT: a field inside is required or has a default */
    uint32_t item_count;      /* blocks: of `items` */
    uint64_t wanted;          /* SL_STRUCT: bits of these among the first 64 fields */
    struct name_node *names;  /* blocks: what is inside; borrowed from the format; or NULL */
    struct field *items;      /* owned; blocks: plan->column.shape->item_count fields inside */
    field_value *allowed;     /* owned; plan->one_of_count values */
    field_text *texts;        /* owned; the same of SL_STRING */
    uint32_t *places;         /* owned; where `texts` lie by hash: number + 1; 0: none */
    uint32_t place_mask;      /* their number - 1; more than half are 0 */
    const struct field *same; /* next field with the same path; NULL: none */
} field;

/* Make `f` of `plan`. ERR_PLAN: a type or a constant that does not fit. */
err *field_init(field *f, const sl_field *plan);
void field_done(field *f);

/* Put the number (a decimal: or the number in quotes), true or false that `token` begins with; the
 * next token stands `len` bytes on. A byte that ends a JSON scalar must follow it. */
bool field_put_scalar(const field *f, sl_row *row, const char *token, size_t len, bad_record *bad);

/* Mark the field as not null. */
static inline void field_clear_null(const field *f, sl_row *row) {
    nulls_delete(row->nulls, f->null_bit);
}

/* Does an int64 field without checks hold `value`? Lua's numbers are exact up to 2^53 only. */
static inline bool field_holds_int64(const field *f, int64_t value) {
    return (value >= -SAFE_INTEGER && value <= SAFE_INTEGER) || f->plan->column.exact;
}

/* Are `one_of` and `range` kept? */
bool field_allows(const field *f, const field_value *value);

/* The same of an SL_STRING or SL_DOUBLE with checks, without a way round. */
bool field_allows_text(const field *f, const char *text, uint32_t len);
bool field_allows_double(const field *f, double value);

/* Put valid UTF-8; only if `takes_text` and not SL_BYTES. The row borrows `text`. */
bool field_put_text(const field *f, sl_row *row, sl_string text, bad_record *bad);

/* Put the string of a JSON document; only if `takes_text`. Bytes are decoded into `strings`. */
bool field_put_string(const field *f, sl_row *row, sl_string text, arena *strings,
                      bad_record *bad);

/* Read a scalar without putting it: a token as for field_put_scalar, or a string. Constraints are
 * held. */
bool field_read_scalar(const field *f, const char *token, field_value *out, bad_record *bad);
bool field_read_string(const field *f, sl_string text, arena *strings, field_value *out,
                       bad_record *bad);

/* Put what `text`, any bytes, says by the field's type: a key or a header. SL_BYTES: `text`
 * itself. */
bool field_put_plain(const field *f, sl_row *row, sl_string text, bad_record *bad);

/* Put an integer from metadata, converted to the field's type. */
bool field_put_integer(const field *f, sl_row *row, int64_t value, bad_record *bad);

/* Put the default. */
void field_put_default(const field *f, sl_row *row);

/* What the field's type wants, for messages: "an int64". */
const char *field_wants(const field *f);
