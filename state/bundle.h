#pragma once
/* Named bytes one behind the other, each with its checksum: a journal object, and the file of
 * `sluice checkpoint export`.
 *
 *   bundle = "SLBUNDL1" item* end
 *   item   = u32 length of the name, u32 0, u64 length, u64 XXH3 of name and bytes, name, bytes
 *   end    = u32 0xffffffff, u32 0, u64 number of items, u64 XXH3 of all their sums in order
 *
 * Little-endian. thread: any, one at a time. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

/* What the end will say. */
typedef struct bundle_sums {
    uint64_t count;
    uint64_t sum;
} bundle_sums;

void bundle_begin(buf *out, bundle_sums *sums);
void bundle_put(buf *out, bundle_sums *sums, const char *name, const void *bytes, size_t len);
void bundle_end(buf *out, const bundle_sums *sums);

/* Bytes of the end, for whoever takes it off to go on. */
enum { BUNDLE_END_BYTES = 24 };

typedef struct bundle_item {
    const char *name; /* name_len bytes; borrowed from what is read */
    size_t name_len;
    const char *bytes;
    size_t len;
} bundle_item;

typedef struct bundle_reader {
    const char *what; /* borrowed: for messages */
    const char *at, *end;
    bundle_sums sums;
} bundle_reader;

/* Read `len` bytes, borrowed. ERR_REFUSED: they are no bundle, or of a newer version. */
err *bundle_open(bundle_reader *r, const char *what, const char *bytes, size_t len);

/* The next item; `more` false: that was all, and the end is right. ERR_REFUSED: it is damaged or
 * cut. */
err *bundle_next(bundle_reader *r, bundle_item *item, bool *more);
