#pragma once
/* Memory of a block (shared/nested.h) while it is written, and of what has to be put in order at
 * its end. The block lies in an arena, as its last allocation. `to` is where the next byte goes,
 * handed from call to call: by way of memory each step would wait for the one before. One owner;
 * thread: worker. */
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/codec/field.h"

/* Where bytes of a block lie while it is written. */
typedef struct block_span {
    uint32_t start; /* in the block; 0: not seen */
    uint32_t len;
} block_span;

/* Memory for blocks, kept from one document to the next. */
typedef struct block_memory {
    arena *into;       /* borrowed; where the block being written lies, its last allocation */
    char *start;       /* of the block */
    char *end;         /* of its room */
    size_t usual;      /* room that blocks get at first */
    arena texts;       /* strings with escapes on their way into a block */
    buf ordered;       /* fields or entries on their way into order */
    block_span *spans; /* owned; of all structs and maps that are open, a stack */
    uint32_t span_count, span_room;
} block_memory;

enum { BLOCK_SHORT_TEXT = 16 }; /* copied at once */

void block_memory_init(block_memory *m);
void block_memory_done(block_memory *m);

/* Slow path of block_need. */
char *block_grow(block_memory *m, const char *to, size_t more);

/* Make room for `more` bytes at `to`, which may move. */
static inline char *block_need(block_memory *m, char *to, size_t more) {
    return (size_t)(m->end - to) < more ? block_grow(m, to, more) : to;
}

static inline char *block_put(char *to, const void *data, size_t len) {
    memcpy(to, data, len);
    return to + len;
}

/* Append text of a document, behind which 64 bytes can be read. */
static inline char *block_put_text(block_memory *m, char *to, sl_string text) {
    to = block_need(m, to, sizeof text.len + text.len + BLOCK_SHORT_TEXT);
    to = block_put(to, &text.len, sizeof text.len);
    memcpy(to, text.data, BLOCK_SHORT_TEXT);
    if (text.len > BLOCK_SHORT_TEXT) memcpy(to, text.data, text.len);
    return to + text.len;
}

/* Append bytes that may end where they end. */
char *block_put_bytes(block_memory *m, char *to, const char *data, size_t len);

/* Append a value of `f`. */
char *block_put_value(block_memory *m, char *to, const field *f, const field_value *value);

/* Push `count` spans, not seen; the number of the first. */
uint32_t block_push_spans(block_memory *m, uint32_t count);

/* Write the bytes of `count` spans in their order over what lies behind `start`; its end. */
char *block_put_in_order(block_memory *m, uint32_t first, uint32_t count, size_t start);
