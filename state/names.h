#pragma once
/* Names of a pipeline's objects in its store (checkpoint.h lists them): made and read here alone.
 * thread: any. */
#include <stdbool.h>
#include <stdint.h>

#include "state/pointer.h"

enum { OBJECT_NAME_BYTES = 320 }; /* a pipeline's name has at most 200 */

/* A part of the object that `p` names: "NAME/state/000000000042-<id>.delta", later parts with ".1"
 * and so on behind it. Not for a genesis. */
void names_state(char out[OBJECT_NAME_BYTES], const char *pipeline, const pointer *p,
                 uint32_t part);

/* The plan of the batch behind `parent`. */
void names_plan(char out[OBJECT_NAME_BYTES], const char *pipeline, const pointer *parent);

/* The journal whose last record is that of `p`. */
void names_journal(char out[OBJECT_NAME_BYTES], const char *pipeline, const pointer *p);

void names_script(char out[OBJECT_NAME_BYTES], const char *pipeline, uint64_t hash);

/* Commit `number` of the store's ledger. */
void names_commit(char out[OBJECT_NAME_BYTES], const char *pipeline, uint64_t number);

/* "NAME/<plain>": store, head, lock; "state/" and the like as prefixes. */
void names_plain(char out[OBJECT_NAME_BYTES], const char *pipeline, const char *plain);

/* What the name of an object of state/, plan/ or journal/ says. */
typedef struct object_name {
    pointer p;     /* kind: POINTER_DELTA, POINTER_FULL; plan, journal: POINTER_GENESIS; partitions
                      are not known */
    uint32_t part; /* 0 first */
} object_name;

/* Read such a name, whole or its last component. False: it is none. */
bool names_read(const char *name, object_name *o);

/* The number of a commit; false: it is none. */
bool names_read_commit(const char *name, uint64_t *number);
