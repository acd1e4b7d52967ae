#pragma once
/* Rows and the records they are made from.
 *
 * A row is one struct per source schema, laid out by lua/sluice/row.lua:
 *
 *   OFFSET          SIZE  WHAT
 *   0               8     time_ms   event time, Unix ms; INT64_MIN: none
 *   8               4     record    index into the batch's records of that source
 *   12              4     partition of the record: its place (vector.h), then `offset`, break ties
 *                               of event time
 *   16              8     offset    in its partition; rows that a stage made: their number
 *   24              8*n   null words, bit i of word i/64 = column with null_bit i is null
 *   24+8*n          ..    values at their alignment, hidden members f0, f1, ...
 *
 * Decoded fields come first, then a slot for each column that any stage before the next
 * aggregation adds: a stage that adds columns writes into its row, and a view (a second ctype of
 * the same layout) says which names a function may see. Rows live until their vector is done. */
#include "runtime/shared/types.h"

enum { SL_ROW_HEADER = 24 };

typedef struct sl_row {
    int64_t time_ms;    /* event time, Unix ms; INT64_MIN: none */
    uint32_t record;    /* index into the batch's records of its source */
    uint32_t partition; /* sl_record.partition; 0 in rows that a stage made */
    int64_t offset;     /* sl_record.offset; rows that a stage made: their number, in its order */
    uint64_t nulls[1];  /* null words; more may follow */
} sl_row;

/* The times of rows: what a state keeps of them for windows that depend on its own rows. */
typedef struct sl_span {
    int64_t first_ms; /* event time of the earliest; INT64_MAX: there is none */
    int64_t last_ms;  /* of the latest; INT64_MIN: there is none */
} sl_span;

typedef struct sl_header {
    sl_string name;
    sl_string value; /* data NULL: null */
} sl_header;

/* One record of a source as it came. Bytes are borrowed from the batch's arena until the batch
 * ends, each with 64 readable bytes behind it. */
typedef struct sl_record {
    int64_t offset;  /* in its partition; files: line, from 0; generators: i */
    int64_t time_ms; /* Kafka's timestamp, Unix ms; -1: none */
    sl_string key;   /* data NULL: null */
    sl_string value; /* data NULL: null (a tombstone) */
    const sl_header *headers;
    uint32_t header_count;
    uint32_t partition; /* index into the source's partitions, see sl_partition */
    int32_t time_kind;  /* 0 none, 1 create time, 2 log append time */
    uint32_t unused;
} sl_record;
