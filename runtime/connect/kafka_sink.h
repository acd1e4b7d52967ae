#pragma once
/* Kafka as a sink (sl_sink_ops): an idempotent producer, at least once. Options: topic,
 * compression, create, partitions (with create), and those of kafka_client.h. */
#include "runtime/shared/connect.h"

extern const sl_sink_ops kafka_sink_ops;
