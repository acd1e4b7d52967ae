#pragma once
/* The ends of a step: where a row goes, and which of its columns. Part of the plan (plan.h):
 * read-only for C. */
#include "runtime/shared/types.h"

enum sl_output_kind {
    SL_TO_AGGREGATE = 1,
    SL_TO_SINK,
    SL_TO_DISTINCT, /* rows that pass go on into `next`: the same memory and layout */
    SL_TO_EXPAND,   /* flat_map: `driver` makes rows of step `next`, which have their own layout */
};
enum { SL_NO_STEP = 0x7fffffff };
enum sl_key_kind {
    SL_KEY_RECORD = 1, /* the source record's key, bytes as they came */
    SL_KEY_OBJECT,     /* an object of `key` columns */
    SL_KEY_PLAIN,      /* one column: its plain text, when null the object */
    SL_KEY_RAW,        /* one text column of a function: its bytes, when null a null key */
};

/* A header of each message: the plain text of a column; a null one is left out. */
typedef struct sl_header_column {
    sl_string name;   /* of the header */
    sl_column column; /* of the step's rows */
} sl_header_column;

/* What a sink's options say of a message beside its key and the columns of its value. Columns are
 * of the step's rows, like those of the output; texts of functions are hidden columns there. */
typedef struct sl_extras {
    /* text: the topic it goes to, null: the row is refused; NULL: the sink's own */
    const sl_column *topic;
    /* text: the value as it is, null: a tombstone; NULL: the columns as JSON */
    const sl_column *value;
    /* int32: the partition it goes to, null: by the key; NULL: by `place` */
    const sl_column *partition;
    const sl_column *place;          /* columns whose key places it; `place_count` 0: its own key */
    const sl_header_column *headers; /* in their order */
    uint32_t place_count;
    uint32_t header_count;
} sl_extras;

/* One end of a step. Columns say where in the step's rows things lie, so that steps over different
 * row layouts can feed one target. */
typedef struct sl_output {
    int32_t kind;             /* sl_output_kind */
    uint32_t target;          /* index into aggregates, sinks or distincts; EXPAND: 0 */
    const sl_column *columns; /* aggregate: the group, in key order. distinct: the key. sink: the
                                 value, in order */
    uint32_t column_count;
    int32_t key_kind;     /* sink: sl_key_kind */
    const sl_column *key; /* sink: columns of the rows of step `key_step` */
    uint32_t key_count;
    uint32_t key_step;       /* sink: this step, or that of the row from which a flat_map's stems */
    uint32_t driver;         /* aggregate: Lua driver that folds rows of this layout.
                                EXPAND: the one that calls the flat_map's function */
    uint32_t next;           /* DISTINCT, EXPAND: index of the step behind; else SL_NO_STEP */
    uint32_t order;          /* its number in its tree of steps, depth first as in the script */
    const sl_extras *extras; /* sink; NULL: key and value are all */
} sl_output;

/* An output as its target lists it: by tree, there by `order`. */
typedef struct sl_feed {
    uint32_t step, output; /* index of the step; number of the output there */
} sl_feed;
