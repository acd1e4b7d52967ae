#pragma once
/* Whether an account may read or write a topic, found by trying, since librdkafka 2.0.2 cannot ask
 * for the operations that are allowed. thread: the handle's owner. */
#include "runtime/base/buf.h"
#include "runtime/connect/kafka_client.h"

/* Read `partition` of `topic` from `offset` (or RD_KAFKA_OFFSET_END), waiting for the answer;
 * nothing is kept. The broker's error, or 0: it may be read (or nothing was answered in time). The
 * value of the record that came, if one did, is appended to `value`. */
rd_kafka_resp_err_t kafka_try_read(kafka_client *c, const char *topic, int32_t partition,
                                   int64_t offset, buf *value);

/* Send one record larger than the `limit_bytes` that the topic takes: a broker looks at the rights
 * first, and then refuses it for its size. The error of the rights, or 0: it may be written.
 * `tried` false: it could not be found out (no limit is known, or a very large one). `options`: the
 * sink's. */
rd_kafka_resp_err_t kafka_try_write(const sl_value *options, const sl_system *system,
                                    const char *topic, int64_t limit_bytes, bool *tried);
