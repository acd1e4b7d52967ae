#pragma once
/* Words for what is wrong with a record. Only bad records get here, so nothing needs to be fast. */
#include <stdbool.h>
#include <stddef.h>

#include "runtime/codec/codec.h"

/* Fill in the reason: "seen EXCERPT, wanted WANTED". `seen`: `len` bytes of anything; cut to
 * about 40 and made printable. The path becomes empty. Returns false, for `return
 * bad_seen(...)`. */
bool bad_seen(bad_record *bad, const char *seen, size_t len, const char *wanted);

/* Fill in the reason by printf; the path becomes empty. Arguments must be printable. Returns
 * false. */
bool bad_because(bad_record *bad, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Put the place of an element, from 1, in front of the path: "[2].lat". Returns false. */
bool bad_at(bad_record *bad, uint32_t place);

/* Put the name of the enclosing field (`len` bytes of anything) in front of the path. Returns
 * false. */
bool bad_under(bad_record *bad, const char *name, size_t len);
