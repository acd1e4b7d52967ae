#pragma once
/* What is known of the messages of a sink: by the plan, and by what they say themselves. Pure. */
#include <stdbool.h>

#include "runtime/shared/plan.h"

/* The first output that leads to `sink`, and the mode of the aggregation in front of it (0: there
 * is none); NULL: side sinks. */
const sl_output *shape_of_sink(const sl_plan *plan, uint32_t sink, int32_t *mode);

/* Whether the value says what the key is; else the key is to be shown, too. */
bool shape_names_key(const sl_output *shape);

/* The member window_start of a key or a value, as written; data NULL: it has none. */
sl_string shape_window(const sl_string *key, const sl_string *value);

/* The same as Unix ms, or by text under `times = "iso"`; INT64_MIN: none. */
int64_t shape_window_ms(const sl_string *window);
