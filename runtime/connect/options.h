#pragma once
/* Typed reads from the options of a source or sink (sl_value, a table). Lua has checked names and
 * types and filled in the defaults: what is absent here, or of another kind, was optional and not
 * given.
 *
 * A path names a value in nested tables: "tls.ca". Names that hold dots themselves ("linger.ms" of
 * a raw librdkafka table) are not found by path: walk the table's items. Cost: O(items on the
 * way). Everything read is borrowed from the plan. thread: any. */
#include <stdbool.h>

#include "runtime/shared/types.h"

/* The value at `path`; NULL when there is none or it is nil. */
const sl_value *option_find(const sl_value *options, const char *path);

/* A text, not NUL-terminated; `data` NULL when absent. */
sl_string option_text(const sl_value *options, const char *path);

/* A text as an owned C string (mem_free); `fallback` (may be NULL, then: NULL) is copied when
 * absent. */
char *option_copy(const sl_value *options, const char *path, const char *fallback);

double option_number(const sl_value *options, const char *path, double fallback);
bool option_flag(const sl_value *options, const char *path, bool fallback);

/* A table or list; NULL when absent. */
const sl_value *option_table(const sl_value *options, const char *path);
