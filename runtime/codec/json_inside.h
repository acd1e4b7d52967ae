#pragma once
/* What json_block and json_struct share: values inside of blocks. Results that are pointers into
 * the block are where the next byte goes; NULL: bad, the reader says why. `depth`: objects and
 * arrays open, with the one that is read. thread: worker. */
#include "runtime/codec/json_reader.h"

enum { STRUCT_WORD_FIELDS = 64 }; /* structs of more fields are read one by one */

/* Read the value at token `*at`, which is not null, and step over it. */
char *json_inside_value(json_reader *r, const field *f, const uint32_t **at, char *to,
                        uint32_t depth);

/* Say that there is no value where one must be. */
void json_inside_refuse_null(json_reader *r, const field *f);

/* Is there a null at token `at`, rightly written? */
bool json_inside_null(json_reader *r, const uint32_t *at);

/* Step behind the token at `at`, which must be `bracket`: gives `to`. */
char *json_inside_close(json_reader *r, const uint32_t *at, char bracket, char *to);

/* Read a struct of more fields than a word has bits, at the reader's next token. */
char *json_struct_wide(json_reader *r, const field *f, char *to, uint32_t depth);

/* Read the rest of a struct that begins at `start` of the block, from the name at token `at` on, or
 * it `is_ended` there. Null bits and values of the first `next` fields are written; those of `seen`
 * were there. */
char *json_struct_unordered(json_reader *r, const field *f, const uint32_t *at, char *to,
                            size_t start, uint32_t next, uint64_t seen, uint32_t depth,
                            bool is_ended);
