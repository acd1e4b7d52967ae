#pragma once
/* Topics by a pattern of names: POSIX extended, the whole name matches. Kafka's own (`__…`) and
 * those of the option `without` never do. One owner; thread: any once it is read. */
#include <librdkafka/rdkafka.h>
#include <regex.h>
#include <stdbool.h>

#include "runtime/base/err.h"
#include "runtime/shared/types.h"

typedef struct kafka_pattern {
    regex_t regex; /* owned */
    bool is_set;
    sl_string text;          /* as in the script; borrowed */
    const sl_value *without; /* list of topics, or NULL; borrowed */
} kafka_pattern;

/* Read the options `pattern` and `without`; without the first nothing is set. ERR_PLAN: it is no
 * regular expression. */
err *kafka_pattern_read(kafka_pattern *p, const sl_value *options);
void kafka_pattern_done(kafka_pattern *p);

/* Whether the pattern means the topic `name`. */
bool kafka_pattern_matches(const kafka_pattern *p, const char *name);

/* The topics of a metadata answer that match, by name. The list is owned by the caller, the names
 * are the answer's. */
const char **kafka_pattern_names(const kafka_pattern *p, const rd_kafka_metadata_t *answer,
                                 uint32_t *count);
