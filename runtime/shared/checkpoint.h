#pragma once
/* Where the state of a pipeline is kept, and how a batch is committed: a part of the plan (plan.h),
 * decided in lua/sluice/analyse/delivery.lua. */
#include "runtime/shared/types.h"

enum sl_delivery {
    SL_AT_LEAST_ONCE = 1,
    SL_EXACTLY_ONCE,
};
enum sl_state_limit {
    SL_LIMIT_SPILL = 1,
    SL_LIMIT_FAIL,
};

typedef struct sl_checkpoint {
    sl_string url;           /* "file:DIR", "s3://BUCKET/PATH"; data NULL: nothing is kept */
    sl_string ledger;        /* "kafka" or "store" (no Kafka in it): shared/ledger.h */
    sl_string group;         /* Kafka: consumer group; transactional.id is made of it alone */
    sl_string topic;         /* Kafka, no Kafka source: the output topic whose partition 0 holds the
                                pointer; data NULL: the sources' partitions do */
    const sl_value *options; /* Kafka: brokers, config, tls, sasl of the cluster; else NULL */
    const sl_value *store;   /* SL_TABLE: options of the store (region, endpoint ..) */
    sl_string state_dir;     /* the pipeline's own folder for RocksDB: base and spill; not made
                                yet; data NULL: there is none ("memory:") */
    sl_string shape;         /* what stored state depends on: JSON, lua/sluice/compat.lua */
    int32_t delivery;        /* sl_delivery */
    int32_t on_state_limit;  /* sl_state_limit */
    uint32_t plans_ahead;    /* 1: a batch's plan is durable before its first row (a sink outside
                                the transaction relies on it) */
    uint32_t unused;
    int64_t commit_interval_ms; /* least time between commits under `continuous`; 0: none */
    int64_t history_ms;         /* >= 0 */
    int64_t memory_bytes;       /* budget of the state in memory; > 0 */
} sl_checkpoint;
