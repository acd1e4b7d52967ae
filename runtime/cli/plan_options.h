#pragma once
/* Building the options that connectors take, and reading names out of them: what Lua does for
 * scripts, for the ends that --embedded makes itself. */
#include <stdbool.h>
#include <string.h>

#include "runtime/shared/plan.h"

static inline sl_string plan_text(const char *text) {
    return (sl_string){ .data = text, .len = (uint32_t)strlen(text) };
}

static inline sl_value plan_option(const char *name, sl_string value) {
    return (sl_value){ .name = plan_text(name), .kind = SL_TEXT, .text = value };
}

static inline sl_value plan_table(const char *name, const sl_value *items, uint32_t count) {
    return (
        sl_value){ .name = plan_text(name), .kind = SL_TABLE, .items = items, .item_count = count };
}

/* Whether the bytes of `s` are `text`. */
static inline bool plan_is(const sl_string *s, const char *text) {
    return s->len == strlen(text) && !memcmp(s->data, text, s->len);
}
