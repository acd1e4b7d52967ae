#pragma once
/* "Did you mean" for topics: by what the cluster has. */
#include "runtime/base/buf.h"
#include "runtime/connect/kafka_client.h"

/* The topic of the cluster whose name is nearest to `name`; NULL: none is near, or nobody tells.
 * Owned by the caller. Asks for all topics: for errors only. */
char *kafka_near_topic(const kafka_client *c, const char *name);

/* The same as a part of a message: ": did you mean `rides`?", else nothing. */
void kafka_near_put(const kafka_client *c, const char *name, buf *out);
