#pragma once
/* Writes one record batch of format 2 (record_batch.h draws it), as a Produce request takes it.
 * Records are put one behind the other, then packed and sealed. One owner; thread: the owner's. */
#include "runtime/connect/pack_whole.h"
#include "runtime/shared/connect.h"

typedef struct batch_writer {
    buf records;    /* owned; not packed */
    uint32_t count; /* of them */
    int64_t base_ms, highest_ms;
} batch_writer;

/* Who writes the batch, and in which order. */
typedef struct batch_producer {
    int64_t id;       /* -1: none, the broker sees no doubles */
    int16_t epoch;    /* -1 likewise */
    int32_t sequence; /* of the first record; -1 likewise */
    bool is_transactional;
} batch_producer;

void batch_writer_init(batch_writer *w);
void batch_writer_done(batch_writer *w);
void batch_writer_reset(batch_writer *w);

/* Most bytes that the message may become. */
size_t batch_record_bytes(const sl_message *m);

/* Put a message behind those that are there. */
void batch_writer_put(batch_writer *w, const sl_message *m);

/* Append the batch to `out`; it is not yet stamped. ERR_DATA: it cannot be packed. */
err *batch_writer_seal(const batch_writer *w, pack_tools *tools, unpack_codec codec, buf *out);

/* Write into the sealed `batch` of `len` bytes who writes it, and the checksum; or again. */
void batch_stamp(char *batch, size_t len, const batch_producer *producer);
