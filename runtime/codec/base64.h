#pragma once
/* Base64 (RFC 4648 section 4), in and out. Pure. thread: any. */
#include <stdbool.h>
#include <stddef.h>

/* Bytes that `len` characters decode to, at most. */
static inline size_t base64_room(size_t len) { return len / 4 * 3; }

/* Characters that `len` bytes are written as. */
static inline size_t base64_text_len(size_t len) { return (len + 2) / 3 * 4; }

/* Decode `text` into `to` (base64_room); padding is needed, blanks and unused bits that are not
 * zero are refused: each value has one text. False: it is none. */
bool base64_decode(const char *text, size_t len, char *to, size_t *bytes);

/* Write `len` bytes into `to` (base64_text_len). */
void base64_encode(const char *data, size_t len, char *to);
