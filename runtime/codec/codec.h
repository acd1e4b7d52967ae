#pragma once
/* From a record's bytes to a row, by the schema of its source. A format is one file and one line
 * in the table of codec.c; it reads the value (and keys that are documents), while plain keys,
 * headers, metadata, defaults and `required` are the same for all formats.
 *
 * A decoder belongs to one worker thread. It copies what it needs of the plan's names; the
 * source itself is borrowed until decoder_free. Strings of a row point into the record's bytes
 * or, where they had escapes, into the arena `strings`; the record's bytes are never written to. */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/shared/row.h"
#include "runtime/shared/source.h"

enum { DRIFT_MAX_NAMES = 100 };

/* Why a record is bad. NUL-terminated, printable. */
typedef struct bad_record {
    char path[128];   /* of the field: "user.id"; "key", "header"; empty: the value as a whole */
    char reason[200]; /* what was seen, cut short, and what was wanted */
} bad_record;

/* A name that the schema does not declare. */
typedef struct drift_name {
    const char *path;   /* "tip", "user.tip"; in keys "key:tip"; owned by the decoder */
    uint64_t count;     /* times seen, in bad records too */
    int64_t offset;     /* where first seen */
    uint32_t partition; /* index into the source's partitions */
} drift_name;

/* What a batch and a partition say of a record beyond its bytes; borrowed as long as the row's
 * strings are. */
typedef struct record_origin {
    int64_t now_ms;    /* processing time */
    const char *topic; /* of the partition */
    int32_t partition; /* its number */
    sl_string header;  /* sl_source.has_header: the record that names the columns, the same bytes
                          at one address for all records of a partition; else empty */
} record_origin;

typedef struct decoder decoder;

/* Make a decoder for `source`. ERR_PLAN: the format is not known, or a field cannot be read by
 * it. */
err *decoder_new(const sl_source *source, decoder **out);
void decoder_free(decoder *d);

/* Fill in `row` (null words and values of all fields; the header's time_ms and record are the
 * caller's) from `record`. False: the record is bad, `bad` says why, and the row is not to be
 * used. thread: worker */
bool decoder_decode(decoder *d, const sl_record *record, const record_origin *origin, sl_row *row,
                    arena *strings, bad_record *bad);

/* Look at the record that names the columns of a partition (sl_source.has_header) before any other
 * of it is decoded. `place`: of the partition, for the message. ERR_DATA: a declared column is not
 * there, and no default stands in for it. */
err *decoder_check_header(const sl_source *source, sl_string header, const char *place);

/* Names seen that the schema does not declare, in the order of first sight, at most
 * DRIFT_MAX_NAMES; `others` counts sightings of further ones. Borrowed until the next decode. */
uint32_t decoder_drift(const decoder *d, const drift_name **names, uint64_t *others);

/* What a format does. `state` belongs to one decoder. */
typedef struct codec_ops {
    const char *name; /* as sl_source.format */
    bool reads_null;  /* a record without a value is read, too; else all its fields are null */
    err *(*open)(const sl_source *source, void **state);
    /* Read the fields of the value and those of a document in the key. The row's nulls are all
     * set. */
    bool (*decode)(void *state, const sl_record *record, const record_origin *origin, sl_row *row,
                   arena *strings, bad_record *bad);
    /* NULL: the format has no names of its own. */
    uint32_t (*drift)(const void *state, const drift_name **names, uint64_t *others);
    /* As decoder_check_header; NULL: the format has no headers. */
    err *(*check_header)(const sl_source *source, sl_string header, const char *place);
    void (*close)(void *state);
} codec_ops;
