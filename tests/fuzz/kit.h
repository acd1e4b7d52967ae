#pragma once
/* What the fuzz targets share: sources of a script, and records decoded by them. A record's bytes
 * lie at the end of a block of their own, with the 64 readable bytes that every record has and not
 * one more, so that the sanitizer sees whoever reads on. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/codec/codec.h"
#include "runtime/codec/encode.h"
#include "runtime/script/script.h"

/* A source with all it needs. */
typedef struct fuzz_source {
    const sl_source *plan;
    decoder *decoder;
    sl_column *columns; /* of all fields, in their order */
    encoder *encoder;
    sl_row *row;
    arena strings;
} fuzz_source;

_Noreturn static inline void fuzz_fail(const char *what, const char *more) {
    fprintf(stderr, "%s: %s\n", what, more);
    abort();
}

/* The plan of a script, which lives as long as the process. */
static inline const sl_plan *fuzz_plan(const char *text) {
    script *s = NULL;
    err *e = script_open(&(script_options){ .path = "fuzz.lua",
                                            .text = text,
                                            .text_len = strlen(text),
                                            .load_timeout_ms = 60000 },
                         &s);
    if (e) fuzz_fail("the script of the target", e->message);
    return script_plan(s);
}

static inline fuzz_source fuzz_open(const sl_source *plan) {
    fuzz_source f = { .plan = plan };
    err *e = decoder_new(plan, &f.decoder);
    if (e) fuzz_fail("the decoder", e->message);
    f.columns = calloc(plan->field_count, sizeof *f.columns);
    for (uint32_t i = 0; i < plan->field_count; i++) f.columns[i] = plan->fields[i].column;
    f.encoder = encoder_new(f.columns, plan->field_count, SL_TIMES_MS);
    f.row = aligned_alloc(64, (plan->row_size + 63u) / 64 * 64);
    arena_init(&f.strings, 1 << 16);
    return f;
}

static inline void fuzz_close(fuzz_source *f) {
    decoder_free(f->decoder);
    encoder_free(f->encoder);
    arena_done(&f->strings);
    free(f->columns);
    free(f->row);
}

/* Decode a record whose key or value is `data`. Good: the row goes to `out` (or NULL) as JSON. */
static inline bool fuzz_decode(fuzz_source *f, const uint8_t *data, size_t len, bool is_key,
                               sl_string header, buf *out) {
    static const char EMPTY[ARENA_PADDING + 2] = "{}";
    char *copy = malloc(len + ARENA_PADDING);
    if (len) memcpy(copy, data, len);
    memset(copy + len, '1', ARENA_PADDING);
    sl_string bytes = { .data = copy, .len = (uint32_t)len };
    sl_record record = { .time_ms = -1, .value = bytes };
    if (is_key) record.key = bytes;
    if (is_key) record.value = (sl_string){ .data = EMPTY, .len = 2 };
    const record_origin origin = { .topic = "fuzz", .header = header };
    bad_record bad = { .reason = "" };
    arena_reset(&f->strings, 1 << 20);
    bool is_good = decoder_decode(f->decoder, &record, &origin, f->row, &f->strings, &bad);
    uint64_t not_finite = 0;
    if (!is_good && !memchr(bad.reason, 0, sizeof bad.reason)) fuzz_fail("the reason", "no end");
    if (!is_good && !bad.reason[0]) fuzz_fail("a bad record", "no reason");
    if (is_good && out) encode_value(f->encoder, out, f->row, &not_finite);
    if (not_finite) fuzz_fail("a number", "not finite");
    free(copy);
    return is_good;
}
