#pragma once
/* Where the tokens of a JSON document begin: simdjson's first stage behind a C interface. It
 * finds them at several GB/s and refuses invalid UTF-8, control characters inside strings and
 * strings that do not end; everything else (grammar, numbers, escapes) is json_walk's.
 *
 * DESIGN: On-Demand is the same stage with an iterator on top that does not check what it skips.
 * Every value has to be checked here, so the iterator is ours and is exact; simdjson is kept for
 * what it is unmatched at. Tested against Debian's 3.0.1; the instruction set is chosen at run
 * time. A call of it costs some 35 ns however short the document is, more than all else that a
 * record costs here, so short plain documents go by json_scan. One owner; thread: the owner's. */
#include <stdbool.h>
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

typedef struct json_tokens {
    const uint32_t *at; /* offsets, ascending; the document's length follows them; borrowed from
                           the index until the next call */
    uint32_t count;
    bool has_escapes; /* there is a backslash somewhere */
} json_tokens;

#ifdef __cplusplus
extern "C" {
#endif

/* Make an index. NULL: the processor has no instruction set that simdjson supports. */
json_index *json_index_new(void);
void json_index_free(json_index *index);

/* Find the tokens of `text` (`len` bytes, 64 readable ones behind it): { } [ ] : , opening quotes
 * and the first bytes of other scalars. What lies between a closing quote and the next token is
 * blanks only. A document beyond 1 MB gives back its memory at the next call. */
json_index_status json_index_make(json_index *index, const char *text, size_t len,
                                  json_tokens *tokens);

#ifdef __cplusplus
}
#endif
