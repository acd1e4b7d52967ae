#pragma once
/* Unpacks bytes that lie there whole: the records of a batch, by the four codecs of Kafka. With
 * unpack.h the only place that knows the libraries. One owner; thread: the owner's. */
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"

/* As in the attributes of a record batch. */
typedef enum unpack_codec {
    UNPACK_NONE = 0,
    UNPACK_GZIP,
    UNPACK_SNAPPY, /* plain, or in frames as Java's library writes them */
    UNPACK_LZ4,
    UNPACK_ZSTD,
    UNPACK_CODECS,
} unpack_codec;

typedef struct unpack_tools unpack_tools;

/* Contexts, and what was learned of sizes, kept from one call to the next. */
unpack_tools *unpack_tools_new(void);
void unpack_tools_free(unpack_tools *tools); /* NULL is allowed */

/* Unpack `in` (`len` bytes) by `codec` into `*out`, behind `head` bytes that are the caller's:
 * `*out_len` bytes, with padding; owned: mem_free, or an arena's. ERR_DATA: it is damaged, or would
 * be more than `most` bytes. */
err *unpack_whole(unpack_tools *tools, unpack_codec codec, const char *in, size_t len, size_t head,
                  size_t most, arena_chunk **out, size_t *out_len);

/* "gzip", "snappy", …. */
const char *unpack_codec_name(unpack_codec codec);
