#pragma once
/* Reading what options.h does not cover: items whose names hold dots (topics, librdkafka's options)
 * and lists of texts. thread: any. */
#include <stdbool.h>

#include "runtime/shared/types.h"

/* The item `name` of the table `options`; NULL when it is absent or nil, or `options` is NULL. */
const sl_value *kafka_option(const sl_value *options, const char *name);

/* The texts of `value` (a text, or a list of texts) joined by commas. Owned by the caller:
 * mem_free. */
char *kafka_option_list(const sl_value *value, const char *otherwise);

/* Whether the bytes of `s` are `text`. */
bool kafka_is(const sl_string *s, const char *text);
