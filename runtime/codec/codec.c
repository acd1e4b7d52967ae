#include "runtime/codec/codec.h"

#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/codec/bad.h"
#include "runtime/codec/field.h"
#include "runtime/codec/unkept.h"

/* A new format is a line here: its file has codec_NAME. */
#define FORMATS  \
    FORMAT(json) \
    FORMAT(csv)  \
    FORMAT(raw)

#define FORMAT(name) extern const codec_ops codec_##name;
FORMATS
#undef FORMAT

#define FORMAT(name) &codec_##name,
static const codec_ops *const formats[] = { FORMATS };

struct decoder {
    const sl_source *source; /* borrowed */
    const codec_ops *ops;
    void *state;       /* owned: ops->close */
    field *fields;     /* owned; all of the source, in its order */
    uint32_t *outside; /* owned; indices of those the format does not read */
    uint32_t outside_count;
    uint64_t *wanted; /* owned; null words: bits of fields required or with a default */
};

/* NULL: there is none. */
static const codec_ops *find_format(sl_string name) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        const char *known = formats[i]->name;
        if (strlen(known) == name.len && !memcmp(known, name.data, name.len)) return formats[i];
    }
    return NULL;
}

void decoder_free(decoder *d) {
    if (!d) return;
    if (d->state) d->ops->close(d->state);
    for (uint32_t i = 0; i < d->source->field_count; i++) field_done(&d->fields[i]);
    mem_free(d->fields);
    mem_free(d->outside);
    mem_free(d->wanted);
    mem_free(d);
}

/* Take in field `i` of the source. */
static err *add_field(decoder *d, uint32_t i) {
    const sl_field *plan = &d->source->fields[i];
    if (plan->from != SL_FROM_VALUE && plan->from != SL_FROM_KEY_PATH)
        d->outside[d->outside_count++] = i;
    if (plan->required || plan->has_default) nulls_put(d->wanted, plan->column.null_bit);
    return field_init(&d->fields[i], plan);
}

err *decoder_new(const sl_source *source, decoder **out) {
    decoder *d = mem_zalloc(1, sizeof *d);
    d->source = source;
    d->ops = find_format(source->format);
    d->fields = mem_zalloc(source->field_count + 1, sizeof *d->fields);
    d->outside = mem_zalloc(source->field_count + 1, sizeof *d->outside);
    d->wanted = mem_zalloc(source->null_words + 1, sizeof *d->wanted);
    err *e = NULL;
    if (!d->ops) e = err_new(ERR_PLAN, "format %.*s of source %.*s is not known",
                             (int)source->format.len, source->format.data,
                             (int)source->name.len, source->name.data);
    for (uint32_t i = 0; !e && i < source->field_count; i++) e = add_field(d, i);
    if (!e) e = d->ops->open(source, &d->state);
    if (e) {
        decoder_free(d);
        return e;
    }
    *out = d;
    return NULL;
}

static sl_string text_of(const char *text) {
    return (sl_string){ .data = text, .len = (uint32_t)strlen(text) };
}

/* Kafka's time is in ms whatever the field's unit says. */
static bool put_metadata(const field *f, sl_row *row, const sl_record *record,
                         const record_origin *o, bad_record *bad) {
    static const char *const TIME_KINDS[] = { "create", "append" };
    switch ((enum sl_metadata)f->plan->metadata) {
    case SL_META_TOPIC: return field_put_text(f, row, text_of(o->topic), bad);
    case SL_META_PARTITION: return field_put_integer(f, row, o->partition, bad);
    case SL_META_OFFSET: return field_put_integer(f, row, record->offset, bad);
    case SL_META_PROCESSING_TIME: return field_put_integer(f, row, o->now_ms, bad);
    case SL_META_KAFKA_TIME:
        if (record->time_ms == -1) return true;
        return field_put_integer(f, row, record->time_ms, bad);
    case SL_META_KAFKA_TIME_TYPE:
        if (!record->time_kind) return true;
        return field_put_text(f, row, text_of(TIME_KINDS[record->time_kind == 2]), bad);
    }
    return true;
}

/* The last header of the field's name. */
static bool put_header(const field *f, sl_row *row, const sl_record *record, bad_record *bad) {
    const sl_string *name = &f->plan->path[0];
    for (uint32_t i = record->header_count; i-- > 0;) {
        const sl_header *h = &record->headers[i];
        if (h->name.len != name->len || memcmp(h->name.data, name->data, name->len)) continue;
        if (!h->value.data || field_put_plain(f, row, h->value, bad)) return true;
        bad_under(bad, name->data, name->len);
        return bad_under(bad, "header", 6);
    }
    return true;
}

static bool put_outside(const field *f, sl_row *row, const sl_record *record,
                        const record_origin *o, bad_record *bad) {
    const sl_string *name = &f->plan->column.name;
    if (f->plan->from == SL_FROM_HEADER) return put_header(f, row, record, bad);
    if (f->plan->from == SL_FROM_METADATA)
        return put_metadata(f, row, record, o, bad) || bad_under(bad, name->data, name->len);
    if (!record->key.data) return true;
    return field_put_plain(f, row, record->key, bad) || bad_under(bad, "key", 3);
}

/* A required field is null: say where it was looked for. */
static bool refuse_null(const field *f, bad_record *bad) {
    bad_because(bad, "missing or null, wanted %s", field_wants(f));
    return unkept_path(f->plan, bad);
}

/* A field with a default or a `required` is null: give it the one or refuse the record. */
static bool settle_nulls(const decoder *d, sl_row *row, bad_record *bad) {
    for (uint32_t i = 0; i < d->source->field_count; i++) {
        const field *f = &d->fields[i];
        if (!nulls_has(row->nulls, f->null_bit)) continue;
        if (f->plan->has_default)
            field_put_default(f, row);
        else if (f->plan->required)
            return refuse_null(f, bad);
    }
    return true;
}

bool decoder_decode(decoder *d, const sl_record *record, const record_origin *origin, sl_row *row,
                    arena *strings, bad_record *bad) {
    uint32_t words = d->source->null_words; /* 1 as a rule: a loop over all would call memset */
    row->nulls[0] = UINT64_MAX;
    for (uint32_t i = 1; i < words; i++) row->nulls[i] = UINT64_MAX;
    if (record->value.data || d->ops->reads_null) {
        for (uint32_t i = 0; i < d->outside_count; i++)
            if (!put_outside(&d->fields[d->outside[i]], row, record, origin, bad)) return false;
        if (!d->ops->decode(d->state, record, origin, row, strings, bad)) return false;
    }
    uint64_t left = row->nulls[0] & d->wanted[0];
    for (uint32_t i = 1; i < words; i++) left |= row->nulls[i] & d->wanted[i];
    return !left || settle_nulls(d, row, bad);
}

err *decoder_check_header(const sl_source *source, sl_string header, const char *place) {
    const codec_ops *ops = find_format(source->format);
    return ops && ops->check_header ? ops->check_header(source, header, place) : NULL;
}

uint32_t decoder_drift(const decoder *d, const drift_name **names, uint64_t *others) {
    if (d->ops->drift) return d->ops->drift(d->state, names, others);
    *others = 0;
    return 0;
}
