#pragma once
/* The sources of a plan: schema, event time, limits. Part of the plan (plan.h): read-only for C. */
#include "runtime/shared/nested.h"
#include "runtime/shared/types.h"

/* Where a field is taken from. */
enum sl_from {
    SL_FROM_VALUE = 1,
    SL_FROM_KEY,
    SL_FROM_KEY_PATH,
    SL_FROM_HEADER,
    SL_FROM_METADATA,
};
enum sl_metadata {
    SL_META_TOPIC = 1,
    SL_META_PARTITION,
    SL_META_OFFSET,
    SL_META_KAFKA_TIME,
    SL_META_KAFKA_TIME_TYPE,
    SL_META_PROCESSING_TIME,
};
enum sl_unit {
    SL_UNIT_S = 1,
    SL_UNIT_MS,
    SL_UNIT_US,
    SL_UNIT_NS,
    SL_UNIT_ISO,
};

/* A declared field of a source, or one inside a list, map or struct (nested.h): there `from`,
 * `metadata`, `path`, and of the column offset and null_bit, mean nothing. */
typedef struct sl_field {
    sl_column column;
    int32_t from;          /* sl_from */
    int32_t metadata;      /* sl_metadata, for SL_FROM_METADATA */
    const sl_string *path; /* SL_FROM_VALUE, SL_FROM_KEY_PATH: object keys from the outside in;
                              HEADER: one name */
    uint32_t path_count;
    int32_t unit; /* SL_TIMESTAMP: sl_unit; ISO = an RFC 3339 string */
    uint8_t required;
    uint8_t has_default;
    uint8_t has_range;
    uint8_t unused;
    uint32_t one_of_count;
    const sl_value *default_value; /* SL_FLAG, SL_NUMBER or SL_TEXT; exact int64 beyond 2^53 as
                                      SL_TEXT digits; dates as days; decimals as SL_TEXT; list,
                                      map, struct: SL_TEXT, the block */
    const sl_value *one_of;        /* allowed values */
    double low, high;              /* has_range: low <= v <= high; numbers, dates, timestamps */
    const sl_value *bounds;        /* has_range of a decimal: two SL_TEXT, least and most */
} sl_field;

/* A constraint that the checks driver tests: what is said of values that do not keep it. */
typedef struct sl_check {
    uint32_t field; /* index into the source's fields */
    uint32_t unused;
    sl_string refusal; /* "does not match `^%d+$`", "check failed at p.lua:7" */
} sl_check;

enum sl_bad_policy {
    SL_BAD_QUARANTINE = 1,
    SL_BAD_FAIL,
    SL_BAD_SKIP,
};
enum sl_skew_policy {
    SL_SKEW_QUARANTINE = 1,
    SL_SKEW_ACCEPT,
    SL_SKEW_SKIP,
};
enum sl_rule {
    SL_WATERMARK_MIN = 1,
    SL_WATERMARK_MAX,
};

/* Event time of a source. Absent in the script: kind SL_TIME_NONE, no watermark. */
enum sl_time_kind {
    SL_TIME_NONE = 0,
    SL_TIME_FIELD,
    SL_TIME_FUNCTION,
};

typedef struct sl_time {
    int32_t kind;          /* sl_time_kind */
    int32_t unit;          /* sl_unit of an integer field or of a function's result */
    sl_column column;      /* SL_TIME_FIELD */
    uint8_t has_watermark; /* `delay` was given */
    uint8_t wall_clock;    /* advance = "wall-clock" */
    uint8_t skew_given;    /* max_skew stands in the script: keep it for bounded inputs and manual
                              clocks */
    uint8_t unused;
    int32_t rule;        /* sl_rule */
    int32_t on_skew;     /* sl_skew_policy */
    int64_t delay_ms;    /* >= 0 */
    int64_t idle_ms;     /* > 0; -1: never */
    int64_t max_skew_ms; /* >= 0 */
    uint32_t driver;     /* SL_TIME_FUNCTION: Lua driver that writes time_ms of each row */
    uint32_t unused2;
} sl_time;

typedef struct sl_source {
    sl_string name;                 /* for `source.X` and metrics: topics or path; unique */
    sl_string connector;            /* a line in connect/connectors.c */
    sl_string at;                   /* FILE:LINE in the script; empty: not known */
    sl_string format;               /* a line in codec.c; empty: a Lua driver makes rows */
    const sl_value *options;        /* SL_TABLE, defaults filled in */
    const sl_value *format_options; /* SL_TABLE, of the format; NULL: it has none */
    const sl_field *fields;
    uint32_t field_count;
    uint32_t row_size;      /* bytes, a multiple of 8 */
    uint32_t null_words;    /* 64-bit words behind the header */
    uint32_t step;          /* index of its step */
    int32_t on_bad;         /* sl_bad_policy */
    int32_t quarantine;     /* index of a sink; -1: nothing is quarantined */
    uint32_t rows_driver;   /* generator: Lua driver that fills rows from offsets */
    uint32_t bounded;       /* ends by itself (file not followed, generator with count) */
    uint32_t has_header;    /* the first record of each partition names the columns */
    const sl_check *checks; /* of all fields, in their order */
    uint32_t check_count;
    uint32_t checks_driver; /* check_count > 0: Lua driver that tests good rows */
    double max_bad_share;   /* 0..1 */
    int64_t max_records;    /* per batch, > 0 */
    int64_t max_bytes;      /* per batch, > 0 */
    int64_t max_time_ms;    /* of fetching, > 0 */
    double max_rate;        /* records a second; 0: none */
    int64_t min_records;    /* 0: none */
    int64_t max_delay_ms;   /* with min_records */
    sl_time time;
} sl_source;
