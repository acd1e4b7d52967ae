#pragma once
/* What a batch took from outside: with the rows of its ranges and the state before it, it gives the
 * same output again. One JSON object a batch:
 *
 *   {"batch":7,"script":"00f3..","processing_time":1700000000000,"folding":"direct","flush":0,
 *    "stages":["counts"],"sources":[{"name":"rides","ended":0,"watermark":null,
 *    "ranges":[["rides",0,10,20]],
 *    "partitions":[["rides",0,20,1699999999000,5]]}],
 *    "refill":{"processing_time":1700000000000,"since":1699996400000,
 *    "ranges":[[0,"rides",0,3,10]]},"sum":"9e37.."}
 *
 * watermark: that judges the rows. A range: topic, partition, offsets [from, to). A partition: its
 * end (null: its leader did not confirm it), the time of the batch that held its last record that
 * counts, and bits: 1 read to its end, 2 nothing will come, 4 confirmed, 8 held back by a
 * transaction. refill: only in front of the first batch of a script with a `backfill`: what was
 * read again (backfill.h): source, topic, partition, offsets. sum: FNV-1a of all before it. Kept in
 * objects and the journal, made durable ahead of its batch (ahead.h), and without a checkpoint
 * written to the log at level debug. */
#include "runtime/flow/pipeline.h"

typedef struct recorded_range {
    const char *topic;
    int32_t number;
    int64_t from, to;
} recorded_range;

typedef struct recorded_partition {
    const char *topic;
    int32_t number;
    int64_t moved_ms; /* WATERMARK_NONE: never */
    watermark_view view;
} recorded_partition;

typedef struct recorded_source {
    sl_string name;
    bool has_ended;    /* bounded, and all of it is read with this batch */
    int64_t watermark; /* that judges its rows */
    recorded_range *ranges;
    uint32_t range_count;
    recorded_partition *partitions;
    uint32_t partition_count;
} recorded_source;

/* Read again before the batch, for what was new in its script. */
typedef struct recorded_refill {
    uint32_t source; /* index into the plan's */
    recorded_range range;
} recorded_refill;

typedef struct recorded {
    uint64_t batch, script_hash;
    int64_t now_ms;
    bool is_flush;
    recorded_source *sources;
    uint32_t source_count;
    bool has_refill;
    int64_t refill_now_ms, refill_since_ms; /* processing time; rows from then on counted */
    recorded_refill *refills;               /* in the order of reading */
    uint32_t refill_count;
    arena memory; /* of all that */
} recorded;

/* The running batch of `p`, which is judged (input_judge). */
void record_put(buf *out, const pipeline *p, const batch_view *b);

/* Write it to the log; `record` is borrowed. */
void record_log(const pipeline *p, buf *record);

/* Read one again. ERR_REFUSED: it is not what record_put writes. `r`: recorded_done, on error, too.
 */
err *record_read(const char *text, size_t len, recorded *r);
void recorded_done(recorded *r);
