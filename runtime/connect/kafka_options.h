#pragma once
/* Reading an options table for the Kafka connectors. Lua has validated names and kinds; what is absent
 * takes the default given here. thread: any. */
#include <stdbool.h>

#include "runtime/shared/types.h"

/* The item `name` of the table `options`; NULL when it is absent or nil, or `options` is NULL. */
const sl_value *kafka_option(const sl_value *options, const char *name);

/* The text of item `name`, or `otherwise`. Owned by the caller: mem_free. */
char *kafka_option_text(const sl_value *options, const char *name, const char *otherwise);

double kafka_option_number(const sl_value *options, const char *name, double otherwise);
bool kafka_option_flag(const sl_value *options, const char *name, bool otherwise);

/* The texts of `value` (a text, or a list of texts) joined by commas. Owned by the caller: mem_free. */
char *kafka_option_list(const sl_value *value, const char *otherwise);

/* Whether the bytes of `s` are `text`. */
bool kafka_is(const sl_string *s, const char *text);
