#pragma once
/* Kafka as the ledger (sl_ledger_ops): progress is the committed offsets of a consumer group, each
 * with the pointer's text as its metadata. Exactly once: outputs and offsets in one transaction of
 * one producer, whose transactional.id is the group's name and nothing else, so that it shuts out
 * whoever worked under that name. At least once: the same by a plain commit of offsets.
 *
 * What breaks this silently, and what is done about it: kafka_ledger.c. thread: flow's main. */
#include "runtime/shared/connect.h"

struct kafka_txn;

extern const sl_ledger_ops kafka_ledger_ops;

/* The transaction that sinks of the cluster write in; NULL: at least once, they write for
 * themselves. Borrowed until the ledger is closed. */
struct kafka_txn *kafka_ledger_txn(void *ledger);
