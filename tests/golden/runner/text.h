#pragma once
/* Bytes as text in golden files, and back. Escapes: \\ \n \r \t \xHH, \e nothing at all, \~ a tilde
 * (alone it means null), \*COUNT(TEXT) TEXT so many times. thread: any. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/buf.h"

/* Append `len` bytes readably, in the one form that is compared; `data` NULL: `~`. */
void text_put(buf *out, const char *data, size_t len);

/* Append what `text` stands for; false: an escape that is none. */
bool text_parse(buf *out, const char *text, size_t len);

/* Append `line` with its \*COUNT(TEXT) written out, other escapes as they are. */
void text_expand(buf *out, const char *line);

/* Whether `line` is `pattern`, in which `…` stands for anything. */
bool text_matches(const char *pattern, const char *line);

/* A time span ("30 seconds", "500 ms", "-3") in ms; false: not one. */
bool text_span(const char *text, int64_t *ms);
