#pragma once
/* What an error inside a transaction means for its batch: librdkafka's own classes (fatal, abort,
 * retriable), and a table of codes for which these say too little. thread: any. */
#include <librdkafka/rdkafka.h>
#include <stdbool.h>

typedef enum kafka_fate {
    KAFKA_FATE_AGAIN,  /* call the same function again: the outcome is not known */
    KAFKA_FATE_ABORT,  /* nothing is committed; abort, and the same batch can begin again */
    KAFKA_FATE_LOST,   /* the handle is of no more use: by a rival, or by an outage or pause longer
                          than the transaction's timeout. Who has the pointer tells which */
    KAFKA_FATE_FENCED, /* somebody else works here */
    KAFKA_FATE_STOP,   /* it would fail again: a person must act */
} kafka_fate;

/* The fate by code and librdkafka's flags. `*advice`: what a person can do; "": nothing known. */
kafka_fate kafka_fate_of(rd_kafka_resp_err_t code, bool is_fatal, bool must_abort,
                         bool is_retriable, const char **advice);
