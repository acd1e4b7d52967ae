#pragma once
/* The members of a JSON object, one after the other, for showing it. Made for values that sluice
 * itself has written: what is not well formed ends the walk early, it is not diagnosed. Pure. */
#include <stdbool.h>

#include "runtime/base/buf.h"
#include "runtime/shared/types.h"

typedef struct members {
    const char *at, *end;
    sl_string name;  /* as written, without its quotes; borrowed from the text */
    sl_string value; /* as written; strings with their quotes */
} members;

/* Stand before the first member. False: the text is no object. */
bool members_begin(members *m, const char *text, size_t len);

/* Step to the next member. */
bool members_next(members *m);

/* Find the member called `name`; false: there is none. */
bool members_find(const char *text, size_t len, sl_string name, sl_string *value);

/* Append what a value says: a string without quotes and escapes, anything else as written. */
void members_put_plain(buf *out, sl_string value);
