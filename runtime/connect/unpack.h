#pragma once
/* Unpacks a stream of compressed bytes piece by piece: gzip (RFC 1952) and zstd (RFC 8878), both
 * with any number of members or frames one behind the other, as `cat a.gz b.gz` and appending
 * writers make them. The only place that knows zlib and libzstd. One owner; thread: the owner's. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/err.h"

typedef struct unpacker unpacker;

/* An unpacker for files of this name; NULL: they are plain. Owned by the caller. */
unpacker *unpacker_for(const char *path);
void unpacker_free(unpacker *u); /* NULL is allowed */

/* Begin anew, at the first byte of a file. */
void unpacker_reset(unpacker *u);

/* Unpack from `in` (`len` bytes) into `out` (`room` bytes): `*used` of the one, `*made` of the
 * other. ERR_DATA: the bytes are damaged, or of another format; `*used` says where. */
err *unpacker_run(unpacker *u, const char *in, size_t len, size_t *used, char *out, size_t room,
                  size_t *made);

/* Whether all of a member was seen and nothing of a next one: a file may end here. */
bool unpacker_is_whole(const unpacker *u);

/* "gzip" or "zstd". */
const char *unpacker_name(const unpacker *u);
