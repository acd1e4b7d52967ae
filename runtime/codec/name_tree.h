#pragma once
/* The names that objects of a source may have, as a tree: declared paths from the start, and names
 * nobody declared as they are seen, so that both are found the same way.
 *
 * DESIGN: producers write the fields of an object in one order, so each name remembers which one
 * came behind it last time, and one comparison of up to 16 bytes settles most names. Hashing is
 * the way for those that guess wrong. One owner; thread: worker. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "runtime/codec/field.h"

typedef struct name_node {
    uint64_t head[2]; /* the first 16 bytes of the name and its closing quote */
    uint64_t mask[2]; /* of the bytes of `head` that count */
    const char *name; /* owned by the node */
    uint32_t len;
    uint32_t id;              /* declared: number of its bit among those seen; NAME_UNDECLARED */
    const field *field;       /* what the value is read into; NULL: none */
    const field *block;       /* the same for lists, maps and structs, `field` is NULL then */
    struct name_node *parent; /* NULL: the root */
    struct name_node *behind; /* guess: what comes next in the object */
    struct name_node *first;  /* guess: what the object that it names begins with */
    struct name_node **slots; /* owned; children by hash, open addressing; NULL: none */
    uint32_t slot_count;      /* power of two */
    uint32_t child_count;
    uint32_t drift; /* undeclared: index into the drift names */
    uint32_t unused;
} name_node;

enum { NAME_UNDECLARED = UINT32_MAX };

/* A root called `mark` below `above`, for paths only: no name in a document is found to be it. */
name_node *name_root_new(const char *mark, name_node *above);

/* A node without a name, to hang paths from. Nothing ever compares equal to it. */
name_node *name_tree_new(void);
void name_tree_free(name_node *node);

/* Find the child called `name`; NULL if there is none. */
name_node *name_find(const name_node *parent, const char *name, size_t len);

/* Make a child; there must be none of that name. */
name_node *name_add(name_node *parent, const char *name, size_t len, uint32_t id);

/* Does a string whose first byte behind the opening quote is `text` hold the node's name, written
 * without escapes? `limit` bytes belong to the document, 64 more are readable. */
static inline bool name_matches(const name_node *node, const char *text, size_t limit) {
    uint64_t head[2];
    memcpy(head, text, sizeof head);
    if (((head[0] ^ node->head[0]) & node->mask[0]) | ((head[1] ^ node->head[1]) & node->mask[1]))
        return false;
    if (node->len < sizeof head) return true;
    return node->len < limit && text[node->len] == '"' && !memcmp(text, node->name, node->len);
}
