#pragma once
/* Messages on their way to a sink, in the order in which they will leave. Bytes that were made lie
 * in the outbox; keys, values and headers that came with a record are borrowed from the batch. Kept
 * until the sink has flushed, so that a refused message can be quarantined. One owner; thread: the
 * owner's. */
#include <stdbool.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/shared/connect.h"

typedef struct out_message {
    const char *key_data;    /* borrowed; NULL: at key_at of `bytes`, if not null */
    const char *value_data;  /* likewise, at value_at */
    size_t key_at, value_at; /* in `bytes` */
    uint32_t key_len, value_len;
    bool key_null, value_null;        /* a null value: a tombstone */
    bool has_time;                    /* else its batch is the one that leaves */
    uint32_t header_count;            /* of `headers` */
    const sl_header *headers;         /* borrowed until the batch ends */
    uint32_t source, record;          /* the record it was made from; record NO_RECORD: a result of
                                         aggregation `source` */
    uint64_t order;                   /* results: place among those of one window, see emit.c */
    int64_t window_start, window_end; /* results; else 0 */
    int64_t made_ms;                  /* with has_time: processing time of its batch */
    const sl_extras *extras;          /* of its output; borrowed; NULL: none */
    size_t extras_at;                 /* in `bytes`: see extras.h */
    uint32_t extras_len;
} out_message;

enum { NO_RECORD = UINT32_MAX };

typedef struct outbox {
    out_message *items; /* owned */
    uint32_t count, room;
    buf bytes; /* owned */
} outbox;

void outbox_init(outbox *box);
void outbox_done(outbox *box);
void outbox_reset(outbox *box);

/* Forget all, room too where it is more than `most` bytes. */
void outbox_clear(outbox *box, size_t most);

/* Slow path of outbox_add. */
void outbox_grow(outbox *box);

/* Add a message and return it, everything zero: the caller sets its parts before the next call. */
static inline out_message *outbox_add(outbox *box) {
    if (box->count == box->room) outbox_grow(box);
    out_message *m = &box->items[box->count++];
    *m = (out_message){ .record = NO_RECORD };
    return m;
}

/* Append all messages of `from`, bytes copied. */
void outbox_append(outbox *box, const outbox *from);

/* Append message `i` of `from`. */
void outbox_append_one(outbox *box, const outbox *from, uint32_t i);

/* The same, and it borrows nothing of its batch, made at `made_ms`: headers go to `memory`. */
void outbox_keep(outbox *box, const outbox *from, uint32_t i, int64_t made_ms, arena *memory);

/* Key of message `m` (len and null are in `m`). */
static inline const char *outbox_key(const outbox *box, const out_message *m) {
    return m->key_data ? m->key_data : box->bytes.data + m->key_at;
}

static inline const char *outbox_value(const outbox *box, const out_message *m) {
    return m->value_data ? m->value_data : box->bytes.data + m->value_at;
}
