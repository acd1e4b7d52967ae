#pragma once
/* What a Kafka cluster says of one end of a pipeline, as facts in JSON, which
 * lua/sluice/check/facts.lua judges. Nothing is made, committed or kept: the last record of each
 * topic is read, writing is tried with a record that the broker must refuse for its size.
 *
 *   { "brokers": text, "error": text                  nobody there, login or TLS refused: no more
 *     "client": version, "cluster": id, "broker_count": n,
 *     "reads": text,          of sources: why by librdkafka, empty: not so
 *     "acls": n | "acls_error": code,     where there is an authorizer
 *     "broker": { "configs": { name: text } | "configs_error": code },
 *     "group": { "name":, "state":, "members": n | "error": code },           of sources
 *     "topics": [ { "name":, "error": code                                     no more
 *                   "missing": flag, "creatable": flag | "creatable_error": code,
 *                   "partitions": n, "replicas": least number,
 *                   "configs": { name: text } | "configs_error": code,
 *                   "records": n between first and last offset, "recent": n of the last
 *                   "recent_ms", "committed": n behind the group's offsets, or absent
 *                   "read_error" | "write_error": code or absent, "tried": flag where there
 *                   are rules, "value": of the last record, text } ] }
 *
 * thread: any one. */
#include <stdbool.h>

#include "runtime/base/buf.h"
#include "runtime/shared/connect.h"

typedef struct kafka_inspection {
    const sl_value *options; /* of the source or sink; borrowed */
    bool is_source;
} kafka_inspection;

/* Append the facts on one end to `out`; `reached`: somebody answered. ERR_STOPPED; everything else
 * is a fact. */
struct err *kafka_inspect(const kafka_inspection *wanted, const sl_system *system, buf *out,
                          bool *reached);
