#pragma once
/* Making topics. thread: the handle's owner. */
#include "runtime/connect/kafka_client.h"

/* Make `topic`; one that is there already is fine. ERR_AUTH: not allowed; ERR_BROKER: refused or no
 * answer. The message holds the command that makes it. */
err *kafka_topic_create(kafka_client *c, const char *topic, int32_t partitions);
