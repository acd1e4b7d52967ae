#pragma once
/* The broker that coordinates a transaction or a group: found, connected to, and asked until it
 * answers for good. What passes is not seen: a coordinator that moves, loads, is busy with the
 * transaction before, or away. Every request that is made is one that may be made twice. One owner;
 * thread: the owner's. */
#include "runtime/connect/kafka_dial.h"
#include "runtime/connect/txn_wire.h"

typedef struct coordinator {
    kafka_client *client;   /* borrowed */
    const kafka_dial *dial; /* borrowed */
    const char *key;        /* borrowed; transactional.id or group */
    coordinator_kind kind;
    char address[272]; /* "": not known */
    fetch_conn *conn;  /* owned; NULL: there is none */
    buf frame, answer;
    int32_t request;
    uint32_t turn;   /* which broker is asked where it is */
    char said[256];  /* what was in the way last */
    uint32_t errors; /* connections that broke, so far */
    /* of the question under way */
    int64_t start_ms, patience_ms, end_ms;
    bool is_late; /* it has taken longer than `end_ms` */
    err *end;     /* owned; what ends it */
} coordinator;

void coordinator_init(coordinator *c, kafka_client *client, const kafka_dial *dial,
                      coordinator_kind kind, const char *key);
void coordinator_done(coordinator *c);

/* Close the connection: what is still under way on it is of no interest. */
void coordinator_hang_up(coordinator *c);

typedef struct question {
    void (*put)(buf *out, txn_head head, const void *arg);
    int16_t (*read)(wire_reader *r, void *arg);
    void *arg;
    int64_t patience_ms; /* asked to stop, the answer is still waited for so long */
    int64_t limit_ms;    /* of all of it; 0: none */
    int64_t missing_ms;  /* so long a topic may be unknown */
} question;

/* Ask; `*code` is what the answer says for good, or RD_KAFKA_RESP_ERR__TIMED_OUT. An error is what
 * ends the work: ERR_STOPPED, ERR_AUTH, ERR_BROKER (TLS). */
err *coordinator_ask(coordinator *c, const question *q, rd_kafka_resp_err_t *code);
