#pragma once
/* The keyed state that is stored of a pipeline, loaded as a start would, to be looked at: tables
 * by operator, what lies in their states, and keys as they leave in messages. One owner; thread:
 * main. */
#include "runtime/cli/checkpoint_target.h"
#include "runtime/codec/encode.h"
#include "state/table.h"

/* How keys are read: columns as the script has them, in a row of their own. */
typedef struct state_key {
    sl_column *columns; /* owned; offsets are those in `row` */
    uint32_t count;     /* 0 and no encoder: keys are shown as hex */
    encoder *encoder;   /* owned */
    sl_row *row;        /* owned */
} state_key;

typedef struct state_member {
    const char *name, *type; /* type: of C, "double", "int64_t", "double[8]", .. */
    uint32_t offset, size;
    int32_t part; /* its number; -1: none */
} state_member;

typedef struct state_table {
    char *section; /* "aggregate NAME", "sent NAME", "distinct NAME"; owned */
    table *table;  /* owned */
    uint32_t state_size, part_count;
    uint32_t *part_offsets; /* owned */
    char *text;             /* of the members; owned */
    state_member *members;  /* owned */
    uint32_t member_count;
    state_key key;
} state_table;

typedef struct state_view {
    state_table *tables; /* by section; owned */
    uint32_t count;
    uint64_t batch;
    int64_t created_ms;
} state_view;

/* Load the state of a pointer. `v`: state_view_done, always. */
err *state_view_open(const stored *s, const pointer *p, state_view *v);
void state_view_done(state_view *v);

/* The table that `name` means: its section, or the operator's name where one kind alone has it.
 * NULL: none, or several; `names` then has those there are, a line each. */
const state_table *state_view_find(const state_view *v, const char *name, buf *names);

/* Append the key of `e`: JSON as in messages, else 0x… */
void state_put_key(const state_table *t, const entry *e, buf *out);

/* Whether `e` has the key that somebody wrote: as JSON with or without the window's bounds, the
 * plain text of an only column, or 0x… `start`: out, the window_start that was written; INT64_MIN:
 * none. */
bool state_has_key(const state_table *t, const entry *e, const char *written, int64_t *start);

/* Append a member's value as JSON: numbers, lists of them; parts and what is opaque as "0x…". */
void state_put_member(const state_table *t, const state_member *m, const entry *e, buf *out);

/* A member's value in one entry; all borrowed. */
typedef struct state_value {
    const state_table *table;
    const state_member *member;
    const entry *entry;
} state_value;

/* Whether values of both can be the same: they are of one type, or numbers. */
bool state_may_compare(const state_member *a, const state_member *b);
bool state_same_value(const state_value *a, const state_value *b);

/* Bytes of an entry: state, parts and key. */
size_t state_entry_bytes(const state_table *t, const entry *e);
