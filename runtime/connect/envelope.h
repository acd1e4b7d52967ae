#pragma once
/* Lines of JSON for files: what a topic keeps beside a value (key, headers) is put around it.
 * Nothing here fails: bytes that are no text are written as base64. thread: any. */
#include <stdbool.h>

#include "runtime/base/buf.h"
#include "runtime/shared/connect.h"

/* Append {"key":…,"value":…} and a newline: the row of a sink that can get retractions. The value
 * is JSON already (absent: null); a key that is a JSON object is put as it is, another one as a
 * string. */
void envelope_put_row(buf *out, const sl_message *m);

/* Append {"headers":{…},"key":…,"value":…} and a newline: a late or quarantined record. Raw bytes
 * are a JSON string when they are valid UTF-8, otherwise base64 under NAME_base64; absent ones are
 * null. */
void envelope_put_side(buf *out, const sl_message *m);

/* Whether the bytes are one JSON object in UTF-8 (RFC 8259), at most 64 deep, without blanks
 * around it. */
bool envelope_is_object(const char *data, size_t len);
