#pragma once
/* Where the tokens of a JSON document begin: simdjson's first stage behind a C interface. It
 * finds them at several GB/s and refuses invalid UTF-8, control characters inside strings and
 * strings that do not end; everything else (grammar, numbers, escapes) is json_walk's.
 *
 * DESIGN: On-Demand is the same stage with an iterator on top that does not check what it skips.
 * Every value has to be checked here, so the iterator is ours and is exact; simdjson is kept for
 * what it is unmatched at. Tested against Debian's 3.0.1; the instruction set is chosen at run
 * time. One owner; thread: the owner's. */
#include <stddef.h>
#include <stdint.h>

typedef enum json_index_status {
    JSON_INDEX_OK = 0,
    JSON_INDEX_UTF8,     /* not UTF-8 */
    JSON_INDEX_CONTROL,  /* a character below 0x20 inside a string */
    JSON_INDEX_UNCLOSED, /* a string without an end */
    JSON_INDEX_EMPTY,    /* nothing but blanks */
    JSON_INDEX_ROOM,     /* too large for the memory there is */
} json_index_status;

typedef struct json_index json_index;

#ifdef __cplusplus
extern "C" {
#endif

/* Make an index. NULL: the processor has no instruction set that simdjson supports. */
json_index *json_index_new(void);
void json_index_free(json_index *index);

/* Find the tokens of `text` (`len` bytes, 64 readable ones behind it). `tokens` are the offsets of
 * { } [ ] : , of opening quotes and of the first bytes of other scalars, ascending; `len` follows
 * them. What lies between a closing quote and the next token is blanks only. Borrowed until the
 * next call. A document beyond 1 MB gives back its memory at the next call. */
json_index_status json_index_make(json_index *index, const char *text, size_t len,
                                  const uint32_t **tokens, uint32_t *count);

#ifdef __cplusplus
}
#endif
