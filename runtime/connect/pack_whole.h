#pragma once
/* Packs the records of one record batch, by each of Kafka's codecs; unpack_whole.h is the other way
 * round. One owner; thread: the owner's. */
#include <stdbool.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/connect/unpack_whole.h"

typedef struct pack_tools pack_tools;

/* A packer for `codec`; `level` -1: the codec's own. Owned: pack_tools_free. */
pack_tools *pack_tools_new(unpack_codec codec, int level);
void pack_tools_free(pack_tools *t); /* NULL is allowed */

/* Append `data` to `out`, packed. ERR_MEMORY and the like do not happen: what the libraries can
 * refuse is a size, which a batch never has. */
err *pack_whole(pack_tools *t, const char *data, size_t len, buf *out);
