#pragma once
/* Text as JSON needs it: escaping, the check for UTF-8, base64. Knows nothing of values or schemas;
 * that is codec's. thread: any. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/buf.h"

/* Append `text` (`len` bytes of valid UTF-8) as a JSON string with its quotes. Only `"`, `\` and
 * control characters are escaped: \b \f \n \r \t, others \u00xx in lower case; `/` is not. */
void json_text_put(buf *out, const char *text, size_t len);

/* Is `text` well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, up to U+10FFFF)? */
bool json_text_is_utf8(const char *text, size_t len);

/* Append `len` bytes as base64 (RFC 4648 section 4: `+`, `/`, padded), without quotes. */
void json_text_put_base64(buf *out, const void *bytes, size_t len);

/* Append `"name":`, with a comma in front unless `out` ends in an opening bracket; and a value
 * behind it: text that is valid UTF-8, a number. */
void json_put_name(buf *out, const char *name);
void json_put_text(buf *out, const char *name, const char *value);
void json_put_number(buf *out, const char *name, int64_t value);

/* Append bytes that may be no text: null for NULL, a string, or {"base64":"…"}. */
void json_text_put_bytes(buf *out, const char *data, size_t len);
