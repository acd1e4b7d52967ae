#pragma once
/* The transactional producer of a pipeline: one handle at a time, shared by the ledger and all
 * sinks of its cluster. A handle lives from one clean commit to the next: after an abort, or an
 * error of the connection within a transaction, it is made anew before the next one begins, so that
 * a late request of the old one meets a higher epoch (KAFKA-17754; facts: hole 9). Decided by
 * errors seen, never by how long something took.
 *
 * Errors of the calls tell what is to be done by their flags:
 *   retriable              nothing is committed; abort, and begin again
 *   retriable and fatal    the handle is lost; of a commit: the outcome is not known
 *   ERR_FENCED             somebody else works here
 *   ERR_STOPPED            asked to stop while waiting
 *   others                 for good
 * Does not know what is committed: kafka_ledger.c. thread: flow's main. */
#include "runtime/connect/kafka_client.h"

/* A sink that writes in the transaction. */
typedef struct kafka_party {
    void *owner;
    /* A message of its was not delivered. From rd_kafka_poll. */
    void (*failed)(void *owner, const rd_kafka_message_t *message);
    /* The handle is about to go: no topic of it may stay. */
    void (*gone)(void *owner);
} kafka_party;

/* Messages under way, so that a report finds whose it is. */
typedef struct kafka_loan {
    const sl_message *messages; /* borrowed until kafka_txn_forget */
    uint32_t count, party;      /* index into parties */
} kafka_loan;

typedef struct kafka_txn {
    kafka_client client;             /* first: reports come with a pointer to it */
    const sl_checkpoint *plan;       /* borrowed */
    sl_system system;                /* its members are borrowed */
    char *id;                        /* owned; transactional.id */
    int64_t timeout_ms;              /* transaction.timeout.ms */
    int32_t batch_bytes;             /* batch.size; lowered by kafka_txn_fit */
    uint32_t generation;             /* of the handle, from 1; a new one has no topics yet */
    uint32_t errors;                 /* of the client when the transaction began */
    uint32_t failures;               /* transactions in a row that came to nothing */
    bool is_begun;                   /* a transaction is open */
    bool is_doubtful;                /* the handle must be made anew before the next one */
    bool is_unknown;                 /* a commit was begun whose outcome nobody knows */
    struct txn_own *own;             /* owned; NULL: librdkafka has the transaction */
    struct kafka_producer *producer; /* owned, with `own` */
    rd_kafka_resp_err_t said;        /* the last error of it; 0: none since it was registered */
    kafka_party *parties;            /* owned */
    kafka_loan *loans;               /* owned */
    uint32_t party_count, party_room, loan_count, loan_room;
} kafka_txn;

/* Make the handle and shut out whoever had the id before; what it had open is ended by that. Waits
 * KAFKA_START_MS for a broker. On error `t` is clean. */
err *kafka_txn_open(kafka_txn *t, const sl_checkpoint *plan, const sl_system *system);

/* Abort what is open, unless its outcome is unknown, and let go. */
void kafka_txn_close(kafka_txn *t);

/* A new handle in place of the old one; waits, with the broker away too, until stop is set. */
err *kafka_txn_renew(kafka_txn *t);

/* Begin. The handle is not doubtful. */
err *kafka_txn_begin(kafka_txn *t);

/* Add `list` for `group`; never empty: librdkafka would do nothing, and say it is well. */
err *kafka_txn_offsets(kafka_txn *t, const rd_kafka_topic_partition_list_t *list,
                       const char *group);

/* Commit; waits while the outcome is not known, until stop is set. */
err *kafka_txn_commit(kafka_txn *t);

/* Give up what was begun; nothing to do when nothing was. Never fails: a handle that does not
 * answer is doubtful afterwards, as every one is that had to abort. */
void kafka_txn_abort(kafka_txn *t);

/* A sink comes, or goes; one that came gets a number for kafka_txn_lend. */
uint32_t kafka_txn_join(kafka_txn *t, const kafka_party *party);
void kafka_txn_leave(kafka_txn *t, uint32_t party);

/* Messages that `party` hands over next; those of its that are not delivered are told. */
void kafka_txn_lend(kafka_txn *t, uint32_t party, const sl_message *messages, uint32_t count);

/* The party's messages are gone; reports of them are dropped. */
void kafka_txn_forget(kafka_txn *t, uint32_t party);

/* Batches must not be larger than `bytes`, as a topic takes none that are: from the next handle on.
 */
void kafka_txn_fit(kafka_txn *t, int64_t bytes);

/* The error that `code` of a call or a report stands for; never NULL, never AGAIN: what a caller
 * cannot repeat is aborted. */
err *kafka_txn_error(kafka_txn *t, const char *what, rd_kafka_resp_err_t code, const char *said);

/* Nobody has answered a registration for `waited_ms`. */
err *kafka_txn_no_coordinator(const kafka_txn *t, int64_t waited_ms, const char *said);

/* Whether the handle was lost to another one of its id, or to the broker's timeout. */
bool kafka_txn_is_shut_out(const kafka_txn *t);
