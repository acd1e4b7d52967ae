#pragma once
/* What an answer says of one partition, turned into blocks of records: batches below the offset,
 * markers and, under read_committed, aborted transactions leave no records, but the log is read
 * behind them. Does no I/O. thread: any. */
#include "runtime/connect/fetch_wire.h"
#include "runtime/connect/record_batch.h"

/* Blocks in the order of their offsets. */
typedef struct fetch_chain {
    record_block *first, *last; /* owned */
    int64_t bytes;              /* held by them */
} fetch_chain;

typedef struct fetch_wanted {
    int64_t offset;      /* what was asked for */
    bool is_committed;   /* read_committed */
    size_t most;         /* bytes that a batch may be when unpacked */
    int64_t room;        /* bytes that blocks may hold; the batch that goes beyond is the last */
    unpack_tools *tools; /* borrowed */
} fetch_wanted;

/* The offset behind the last whole batch, `offset` when there is none. Nothing is checked: for
 * asking for more before this is unpacked. */
int64_t fetch_skim(const wire_partition *answer, int64_t offset);

/* Unpack into the empty `chain`: all, or up to the batch that fills `room`, then `*is_cut`.
 * ERR_BROKER: something is damaged, what came before it is in. */
err *fetch_unpack(const wire_partition *answer, const fetch_wanted *wanted, fetch_chain *chain,
                  bool *is_cut);

/* Bytes that a block holds, itself included. */
int64_t fetch_block_held(const record_block *b);

void fetch_chain_add(fetch_chain *chain, record_block *b);
void fetch_chain_free(fetch_chain *chain);
