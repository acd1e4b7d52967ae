#pragma once
/* Questions to a Kafka cluster about itself, for `sluice check --connect`: nothing is made, written
 * or committed. Each waits KAFKA_ASK_MS at most and appends what it learned to `out` as members of
 * a JSON object, `"name":value,` each; what was refused or did not come stands there as text in a
 * member whose name ends in `_error`. thread: the handle's owner. */
#include "runtime/base/buf.h"
#include "runtime/connect/kafka_client.h"

enum { KAFKA_ASK_MS = 4000 };

/* Append `"name":` and a text, number or flag, and a comma. */
void kafka_say_text(buf *out, const char *name, const char *text);
void kafka_say_number(buf *out, const char *name, int64_t number);
void kafka_say_flag(buf *out, const char *name, bool flag);

/* Take back the last comma and close the object or list. */
void kafka_say_end(buf *out, char end);

/* `configs`: { name: text } of a topic, or of the broker with the id `name`. Else `configs_error`.
 * `max_bytes`: its max.message.bytes, 0 when not told; may be NULL. */
void kafka_ask_configs(kafka_client *c, rd_kafka_ResourceType_t type, const char *name, buf *out,
                       int64_t *max_bytes);

/* `acls`: how many rules there are. Else `acls_error`. (librdkafka 2.0.2 does not tell that a
 * cluster has no authorizer: it looks like one without rules.) */
void kafka_ask_acls(kafka_client *c, buf *out);

/* `state`, `members` (live ones) of a consumer group. Else `error`. */
void kafka_ask_group(kafka_client *c, const char *name, buf *out);

/* `creatable`: whether `topic` could be made, by the broker's own check. Else `creatable_error`. */
void kafka_ask_creatable(kafka_client *c, const char *topic, int32_t partitions, buf *out);
