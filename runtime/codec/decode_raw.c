#include "runtime/codec/decode_raw.h"

#include "runtime/base/mem.h"
#include "runtime/codec/bad.h"
#include "runtime/codec/field.h"

typedef struct raw_state {
    field *fields; /* owned; those of the value */
    uint32_t field_count;
} raw_state;

static void raw_close(void *state) {
    raw_state *s = state;
    for (uint32_t i = 0; i < s->field_count; i++) field_done(&s->fields[i]);
    mem_free(s->fields);
    mem_free(s);
}

static err *raw_open(const sl_source *source, void **state) {
    raw_state *s = mem_zalloc(1, sizeof *s);
    s->fields = mem_zalloc(source->field_count + 1, sizeof *s->fields);
    *state = s; /* decoder_free closes it, after an error too */
    err *e = NULL;
    for (uint32_t i = 0; !e && i < source->field_count; i++)
        if (source->fields[i].from == SL_FROM_VALUE)
            e = field_init(&s->fields[s->field_count++], &source->fields[i]);
    return e;
}

static bool raw_decode(void *state, const sl_record *record, const record_origin *origin,
                       sl_row *row, arena *strings, bad_record *bad) {
    (void)origin, (void)strings;
    const raw_state *s = state;
    if (!record->value.data) return true;
    for (uint32_t i = 0; i < s->field_count; i++) {
        const sl_string *name = &s->fields[i].plan->column.name;
        if (!field_put_plain(&s->fields[i], row, record->value, bad))
            return bad_under(bad, name->data, name->len);
    }
    return true;
}

const codec_ops codec_raw = {
    .name = "raw",
    .reads_null = true,
    .open = raw_open,
    .decode = raw_decode,
    .close = raw_close,
};
