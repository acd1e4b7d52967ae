#pragma once
/* librdkafka's mock cluster in this process: --embedded and tests. Real TCP on 127.0.0.1, free
 * ports. It knows no transactions, no admin calls, and keeps about 5 MiB a partition (facts: "the
 * mock cluster"). thread: any, one at a time. */
#include <stdint.h>

#include "runtime/base/err.h"

typedef struct mock mock;

/* Start `brokers` brokers; `*addresses`: where clients connect, borrowed until mock_free. */
err *mock_new(int brokers, mock **m, const char **addresses);

err *mock_create_topic(mock *m, const char *topic, int32_t partitions);

/* Let the next requests of a kind (`api_key`: of Kafka's protocol) fail with these codes, in order.
 */
void mock_fail(mock *m, int16_t api_key, const int32_t *codes, uint32_t count);

/* Take broker `id` (from 1) off the network, and back. */
err *mock_stop_broker(mock *m, int32_t id);
err *mock_start_broker(mock *m, int32_t id);

void mock_free(mock *m);
