#pragma once
/* Which topics a Kafka source reads: those it names, or all whose names match a pattern. Topics of
 * a pattern stand in the order of their names; those that appear later behind them, those of one
 * look by name. Kafka's own topics (`__…`) and those that the pipeline writes never match.
 * Part of the source (kafka_state.h). */
#include "runtime/connect/kafka_state.h"

/* Read the options `topics`, or `pattern` and `without`. ERR_PLAN: they mean nothing. */
err *kafka_discover_read(kafka_source *s, const sl_value *options);
void kafka_discover_done(kafka_source *s);

/* Ask for the partitions of all topics, waiting for a first broker; `*total`: how many.
 * ERR_MISSING: there are no such topics, all of them are told. ERR_BROKER: none matches the
 * pattern. thread: main, at open. */
err *kafka_discover(kafka_source *s, int32_t *total);

/* Take in topics of a metadata answer that the source does not know yet and that match; they begin
 * at their earliest offsets. thread: the watcher that asks for metadata. */
void kafka_discover_new(kafka_source *s, const rd_kafka_metadata_t *answer);
