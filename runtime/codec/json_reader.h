#pragma once
/* What reading one JSON document works on, shared by decode_json (fields of the row) and json_block
 * (values inside lists, maps and structs): the names of the schema and those that drift in. One
 * owner; thread: worker. */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/codec/block_memory.h"
#include "runtime/codec/codec.h"
#include "runtime/codec/json_walk.h"
#include "runtime/codec/name_tree.h"

/* Names of a source's documents. */
typedef struct json_names {
    name_node *value;  /* owned; declared paths of the value */
    name_node *key;    /* owned; of a key that is a document; without children: none */
    name_node *other;  /* owned; stands for undeclared names beyond the cap */
    name_node **inner; /* owned, `inner_count`; roots of the names inside blocks */
    uint32_t inner_count;
    uint32_t drift_count;              /* of `drift` */
    uint64_t others;                   /* sightings beyond the cap */
    drift_name drift[DRIFT_MAX_NAMES]; /* paths owned */
} json_names;

/* One document on its way into a row; all borrowed. */
typedef struct json_reader {
    json_walk walk;          /* where it stands in the text */
    json_names *names;       /* of the source; written: drift */
    block_memory *memory;    /* for lists, maps and structs */
    const sl_record *record; /* that the document is of */
    sl_row *row;             /* written */
    arena *strings;          /* of the batch: texts that had escapes */
} json_reader;

void json_names_init(json_names *names);
void json_names_done(json_names *names);

/* Make the names inside block `f`, whose value is named by `above`. */
void json_names_inside(json_names *names, field *f, name_node *above);

/* The node of the name at the next token, which is not what was guessed: one that nobody declared
 * is remembered while there is room. NULL: bad. */
name_node *json_find_name(json_reader *r, name_node *parent);

/* What stands at token `at` is no name with a colon; NULL. */
name_node *json_refuse_name(json_walk *w, const uint32_t *at);

/* Put the name at `token` in front of the path of what is wrong; false. */
bool json_refuse_under(json_reader *r, const uint32_t *token);

/* Find the node of the name at token `at`; NULL: that is no name, or no colon follows. */
static inline name_node *json_read_name(json_reader *r, name_node *parent, name_node **guess,
                                        const uint32_t *at) {
    json_walk *w = &r->walk;
    const char *name = w->json + *at;
    name_node *node = *guess;
    if (*name != '"' || w->json[at[1]] != ':') return json_refuse_name(w, at);
    if (name_matches(node, name + 1, w->len - *at - 1)) return node;
    w->at = at;
    node = json_find_name(r, parent);
    if (node && node != r->names->other) *guess = node;
    return node;
}
