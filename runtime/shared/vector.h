#pragma once
/* What a Lua driver works on: one vector of rows. C fills it in, calls the driver once (one
 * lua_pcall), and reads it back. Each worker has one, made when its lua_State is; drivers hold it
 * as an upvalue.
 *
 * A driver runs `for i = first, count - 1` and stores `pos = i` (and `node`) before it calls a user
 * function: when it throws, C knows the row.
 *   time, rows (generator): C drops the row and goes on behind it. time: sets each row's `time_ms`;
 *     INT64_MIN: the function gave nil.
 *   checks: outputs[i] = 0, or 1 + the number of the first of the source's checks that the row does
 *     not keep. When a user's function throws: as time.
 *   prepare: C sets the node's bit in dead[pos], `guarded`, and goes on from the same row; a
 *     guarded run does not call nodes whose bit is set in dead[i], nor sets outputs behind them.
 *   flat_map: rows made for row `pos` are taken back, C goes on behind it.
 *   fold: with user code, `scratch` gets the row's state before it is touched. C puts it back,
 *     drops the row and goes on behind it. All user code of a row runs before its sl_part_set.
 *     With a fold_batch C saves all states itself, puts them back, and runs the vector again in
 *     halves.
 *   emit: no second try, the batch fails with group and window. But for a fold in event-time order
 *     (`ordered`): C drops that row and lets the driver resume behind it. `node` counts the
 *     aggregates first, then the functions of the step behind them, at last the merges. */
#include "runtime/shared/types.h"

/* A part of a state with a size of its own (text of first, last, min, max; sketches, lists).
 * Owned by the state's table; a merged state borrows it. data NULL: none. */
typedef struct sl_part {
    char *data;
    uint32_t len;   /* bytes in use */
    uint32_t room;  /* bytes there */
    uint64_t epoch; /* step that made the block: what an older one holds is never overwritten */
} sl_part;

typedef struct sl_bounds {
    double start, stop; /* of a window, Unix ms; `window.start`, `window.stop` in Lua */
} sl_bounds;

typedef struct sl_vector {
    uint32_t count;             /* rows */
    uint32_t first;             /* row to begin at */
    uint32_t pos;               /* out: row being worked on */
    uint32_t node;              /* out: number of the function called (fold: of the aggregate) */
    uint32_t guarded;           /* 1: a row has thrown in this vector */
    uint32_t run;               /* odd while a driver runs, another number in each run */
    uint32_t resumes;           /* emit: 1: `first` threw in a fold in order, which goes on
                                 * behind that row */
    uint32_t part;              /* emit: out: index in `parts` of the one being merged */
    void **rows;                /* `count` rows: struct sl_row and what follows */
    void **states;              /* fold: the state of each row; emit: a copy of its first pane's;
                                 * merge: what takes in a part, maybe several in turn */
    void **parts;               /* emit: states of further panes, oldest first, row after row;
                                 * merge: one for each of `states` */
    const uint32_t *part_first; /* emit: row i has parts part_first[i] .. part_first[i + 1] - 1;
                                 * NULL: there are none, or they are merged */
    const sl_bounds *bounds;    /* emit */
    uint32_t *outputs;          /* prepare, emit: out, mask of outputs the row passed to */
    uint32_t *dead;             /* prepare, guarded: mask of nodes not to be called for the row */
    void *scratch;              /* fold with user code: out, the state of row `pos` before it */
    const int64_t *offsets;     /* rows driver of a generator: the `i` of each row */
    void *text;                 /* for sl_text_copy: arena of this vector; opaque */
    void *grown;                /* flat_map: for sl_row_add, what takes its rows; opaque */
    void *ordered;              /* emit: out, the row that a fold in order works on, or NULL: from
                                 * sl_rows_open */
    void *table;                /* for sl_part_set: table of the states; opaque */
    const double *places;       /* fold: by a row's `partition`; a lower one comes before */
    int64_t now_ms;             /* processing time of the batch */
} sl_vector;

/* Copy `len` bytes into the memory `text` of the vector; borrowed as long as its rows live. NULL:
 * they are not valid UTF-8; never NULL for no bytes. */
const char *sl_text_copy(void *text, const char *data, uint32_t len);

/* The same for any bytes, and for blocks (nested.h); never NULL. */
const char *sl_bytes_copy(void *text, const char *data, uint32_t len);

/* Are the `len` bytes valid UTF-8? 1 or 0. */
int32_t sl_text_is_valid(const char *data, uint32_t len);

/* Put `len` bytes into the part of a state in `table`, so that a failed batch can be undone. */
void sl_part_set(void *table, sl_part *part, const char *data, uint32_t len);

/* Make the part `len` bytes long and writable until the step ends: what it held is kept as far as
 * it reaches, what lies behind is not cleared. A block of this step with room stays where it is,
 * else the bytes move to a new one. As for sl_part_set, no user code of the row runs behind it.
 * Gives its data; O(len) on the first edit of a step. */
char *sl_part_edit(void *table, sl_part *part, uint32_t len);

/* Put `len` bytes behind those that are there. What is there stays as it is, so an older block is
 * appended to in place as well: bytes saved before know its length. Gives where they go, to be
 * written by the caller. Amortised O(len). */
char *sl_part_append(void *table, sl_part *part, uint32_t len);

/* A steady clock, ns: timing of the user's functions for `sluice try`. */
double sl_steady_ns(void);

enum { SL_MAX_ROWS_MADE = 1000000 };

/* Add a row to what a flat_map makes, for row `from` of the vector: header as that one's, all
 * columns null. NULL: it has made SL_MAX_ROWS_MADE for that row already. Borrowed until the chunk
 * is done. */
void *sl_row_add(void *grown, uint32_t from);
