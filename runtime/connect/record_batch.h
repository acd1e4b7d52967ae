#pragma once
/* Record batches of Kafka's log, format 2 (KIP-98), as they come over the wire. Sizes and numbers
 * are judged here, once; a batch that is accepted may be walked without fear.
 *
 *   OFFSET SIZE  WHAT
 *   0      8     base offset
 *   8      4     length of what follows
 *   12     4     leader epoch
 *   16     1     format: 2
 *   17     4     CRC-32C of what follows
 *   21     2     attributes: codec (3 bits), append time, transactional, control
 *   23     4     last offset - base offset
 *   27     8     base timestamp, ms
 *   35     8     highest timestamp
 *   43     8     producer id
 *   51     6     its epoch, sequence
 *   57     4     number of records
 *   61           records, packed by the codec
 *
 *   record: length, attributes (1 byte), timestamp - base, offset - base, key length or -1, key,
 *           value length or -1, value, number of headers, headers (name length, name, value length
 *           or -1, value); all lengths and differences are zigzag varints
 *
 * thread: any. */
#include <stdbool.h>

#include "runtime/base/arena.h"
#include "runtime/connect/unpack_whole.h"
#include "runtime/shared/row.h"

enum { BATCH_HEADER = 61 };
static const int64_t BATCH_MOST_BASE = INT64_MAX - 1 - INT32_MAX; /* a batch's end is a number */

/* What stands in front of the records. */
typedef struct batch_header {
    int64_t base, end; /* offsets [base, end) are this batch's */
    int64_t base_ms;   /* of CreateTime; with LogAppendTime the time of all records */
    int64_t producer;
    uint32_t count;    /* records */
    int32_t time_kind; /* as sl_record */
    unpack_codec codec;
    bool is_transactional;
    bool is_control;
    const char *packed; /* borrowed */
    size_t packed_len;
} batch_header;

/* Where a record's bytes lie, from the block's `at`. */
typedef struct record_mark {
    int64_t time_ms;
    uint32_t key, key_len, value, value_len; /* MARK_NULL: there is none */
    uint32_t offset;                         /* from the block's base */
} record_mark;

enum { MARK_NULL = UINT32_MAX };

/* A batch ready to be walked. */
typedef struct record_block {
    struct record_block *next; /* of a queue */
    record_mark *marks;        /* one a record while none is walked, in `bytes`; NULL: walk
                                  them */
    int64_t marked_bytes;      /* of keys and values, if there are marks */
    uint32_t behind;           /* of its taker */
    arena_chunk *bytes;        /* owned; NULL: no records that count (control, aborted) */
    const char *at, *stop;     /* records not yet walked, in `bytes` */
    int64_t base, end, base_ms;
    int64_t size;   /* of `bytes` */
    uint32_t count; /* records not yet walked */
    int32_t time_kind;
} record_block;

/* Read the header at `*at`, check the CRC, and move `*at` behind the batch. True: there is a whole
 * one. False without an error: what is left is cut short, which is how a leader keeps to the size
 * that was asked for. ERR_BROKER: damaged, or of an older format. */
bool batch_read(const char **at, const char *end, batch_header *h, err **e);

/* Unpack the records of `h`, at most `most` bytes, and find where they lie; where that cannot be
 * said (damage, headers) there are no marks. Owned: record_block_free. */
err *batch_unpack(const batch_header *h, unpack_tools *tools, size_t most, record_block **block);

/* One that only says how far the log was read. */
record_block *record_block_empty(int64_t base, int64_t end);
void record_block_free(record_block *b); /* NULL is allowed */

/* The records of a block with marks, in order, as those of `partition`. */
void record_block_expand(const record_block *b, uint32_t partition, sl_record *to);

/* What taking the block costs: bytes, at least those of its records. */
int64_t record_block_cost(const record_block *b);

/* Read the next record; bytes are borrowed from the block, headers from `memory`. `partition` is
 * left as it is. There must be one (count > 0). ERR_BROKER: damaged. */
err *record_block_read(record_block *b, arena *memory, sl_record *r);

/* Whether the control batch is the marker of an abort. */
bool batch_is_abort(const batch_header *h);
