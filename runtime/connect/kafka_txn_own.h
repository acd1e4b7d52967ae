#pragma once
/* Transactions without librdkafka (decision 0059): the requests of kafka_txn's calls, for a
 * kafka_txn whose `own` is set. Registering gives id and epoch; partitions are added before the
 * first row of each, offsets and the end by the calls. What the broker did not answer is asked
 * again until it does: each request may come twice. thread: flow's main. */
#include "runtime/connect/kafka_txn.h"

/* Make t->own and t->producer, with the client open; else `*reason` (owned) says why not. */
void txn_own_open(kafka_txn *t, char **reason);
void txn_own_close(kafka_txn *t); /* nothing to do without t->own */

/* Register; `longest_ms` 0: until stop is set. */
err *txn_own_init(kafka_txn *t, int64_t longest_ms);

void txn_own_begin(kafka_txn *t);
err *txn_own_offsets(kafka_txn *t, const rd_kafka_topic_partition_list_t *list, const char *group);

/* Sets t->is_unknown, unless it was committed. */
err *txn_own_commit(kafka_txn *t);

/* As far as that can be done soon. */
void txn_own_abort(kafka_txn *t);

/* Connections that broke, so far. */
uint32_t txn_own_errors(const kafka_txn *t);
