#pragma once
/* The usual shape of a source's documents: an object whose names come in one order, with scalars,
 * lists, maps and structs that are declared, and objects that declared paths lead into. A document
 * that has it is read in one loop without looking anything up; any other, and any that is wrong,
 * is left to decode_json, which reads it from its beginning and says what is wrong.
 *
 * DESIGN: the shape is learned from a document that was read well, and learned anew after some
 * documents in a row did not have it. A step accepts no value that decode_json would not accept,
 * and makes the same of it. Where all values are scalars, what stands between them (names, colons,
 * braces, blanks) is the same text in every document: it is compared as it is, values end where
 * they end, and nobody needs the tokens of the document (decision 0062). With lists, maps or
 * structs the steps go over tokens. One owner; thread: worker. */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/codec/json_reader.h"

enum { SHAPE_NAMES = 64,    /* longer documents have no shape */
       SHAPE_DEPTH = 8,     /* nor do deeper ones */
       SHAPE_TEXT = 4096 }; /* nor those with more bytes between their values */

/* One name and what to do with its value. */
typedef struct shape_step {
    const name_node *node; /* borrowed from the tree */
    const field *field;    /* borrowed; NULL: undeclared */
    const char *before;    /* what stands in front of a scalar, with the quote of a string; in the
                              shape's text */
    uint64_t keep;         /* null bits of the word that stay when the value is not null */
    uint32_t offset;       /* of the value in the row */
    uint32_t beyond;       /* of the first 16 bytes at `before` those that do not count: as bits
                              of json_bytes_same, and all above */
    uint16_t before_len;   /* bytes */
    uint16_t null_word;
    uint8_t kind;      /* see json_shape.c */
    uint8_t is_string; /* `before` ends with the quote */
    char behind;       /* the token behind the value */
} shape_step;

/* Null bits that go when no value of a document is null. */
typedef struct shape_nulls {
    uint64_t keep;
    uint32_t word;
} shape_nulls;

typedef struct json_shape {
    shape_step steps[SHAPE_NAMES]; /* in the order of the document's names */
    uint32_t count;                /* 0: none is known */
    bool has_blocks;               /* then steps go over tokens, else over text */
    uint32_t patience;             /* other documents to let pass before one is learned */
    uint32_t drift[SHAPE_NAMES];   /* name_node.drift of the undeclared names */
    uint32_t drift_count;
    shape_nulls nulls[SHAPE_NAMES]; /* words of all steps */
    uint32_t null_count;            /* of them */
    const char *last;               /* what stands behind the last value, in `text` */
    uint16_t last_len;              /* bytes */
    uint16_t text_len;
    char text[SHAPE_TEXT + 16]; /* 16 bytes can be read at each piece */
} json_shape;

/* Read `document`, which 64 readable bytes follow, into `row`, by a shape without blocks; bytes are
 * decoded into `strings`. False: it does not have the shape; `bad` is worth nothing, values of the
 * row and their null bits may have been set, as reading it otherwise would set them. */
bool shape_read(json_shape *s, sl_string document, sl_row *row, arena *strings, bad_record *bad);

/* The same by a shape with blocks, for the document at whose { the walk of `r` stands. */
bool shape_read_blocks(json_shape *s, json_reader *r);

/* Note that the document `w`, of which shape_read did not know the shape, was read well; `root`:
 * of its names, `other` stands for names that are not in the tree. */
void shape_learn(json_shape *s, const json_walk *w, const name_node *root, const name_node *other);
