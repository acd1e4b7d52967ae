#include "runtime/codec/unkept.h"

#include "runtime/codec/bad.h"
#include "runtime/codec/encode.h"

enum { EXCERPT_BYTES = 60 };

bool unkept_path(const sl_field *plan, bad_record *bad) {
    for (uint32_t i = plan->path_count; i-- > 0;)
        bad_under(bad, plan->path[i].data, plan->path[i].len);
    if (plan->from == SL_FROM_HEADER) return bad_under(bad, "header", 6);
    if (plan->from == SL_FROM_KEY || plan->from == SL_FROM_KEY_PATH)
        return bad_under(bad, "key", 3);
    if (plan->path_count) return false;
    return bad_under(bad, plan->column.name.data, plan->column.name.len);
}

/* Bytes of `text` that fit, at the end of a character. */
static int cut(const char *text, size_t len) {
    if (len <= EXCERPT_BYTES) return (int)len;
    len = EXCERPT_BYTES;
    while (len && ((unsigned char)text[len] & 0xc0) == 0x80) len--;
    return (int)len;
}

void unkept_check(const sl_source *source, const sl_check *check, const sl_row *row,
                  bad_record *bad) {
    const sl_field *plan = &source->fields[check->field];
    sl_column column = plan->column;
    column.name = (sl_string){ .data = "" };
    encoder *e = encoder_new(&column, 1, SL_TIMES_MS);
    uint64_t not_finite = 0;
    buf json; /* {"":VALUE} */
    buf_init(&json);
    encode_value(e, &json, row, &not_finite);
    const char *value = json.data + 4;
    size_t len = json.len - 5;
    int shown = cut(value, len);
    bad_because(bad, "%.*s: got %.*s%s", (int)check->refusal.len, check->refusal.data, shown,
                value, (size_t)shown < len ? "..." : "");
    buf_done(&json);
    encoder_free(e);
    unkept_path(plan, bad);
}
