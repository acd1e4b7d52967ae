#pragma once
/* What the files of emission share (emit*.c only); operators.h is the interface for others.
 *
 *   emit.c: which windows and groups are due, what goes
 *     └─▶ emit_rows.c: a vector of results ─▶ rows
 *           └─▶ emit_send.c: rows ─▶ messages of the outputs behind
 *
 * One emission is one aggregation on one worker at the end of one batch. thread: worker. */
#include <stdbool.h>

#include "runtime/event/window.h"
#include "runtime/operator/groups.h"
#include "runtime/operator/work.h"

enum { EMIT_ROWS = 1024 };

/* A result to be made: a group in a window. */
typedef struct result {
    group_item group;
    window_bounds window;
    bool final; /* its row is marked final and sent even if unchanged */
} result;

/* A result that user code or an aggregate could not make. */
typedef struct failed_result {
    uint32_t aggregate;
    window_bounds window;
    uint64_t hash;
} failed_result;

typedef struct emit_space {
    group_list groups;
    char *row_memory;   /* EMIT_ROWS result rows; owned */
    char *state_memory; /* EMIT_ROWS states; owned */
    result results[EMIT_ROWS];
    void *rows[EMIT_ROWS], *states[EMIT_ROWS]; /* of each result */
    uint32_t part_first[EMIT_ROWS + 1];
    void **parts;     /* owned */
    entry **found;    /* by pane, then row; owned */
    size_t part_room; /* of both */
    uint32_t asked[EMIT_ROWS];
    entry *like[EMIT_ROWS], *answers[EMIT_ROWS];
    sl_bounds bounds[EMIT_ROWS];
    uint32_t outputs[EMIT_ROWS];
    arena text;
    buf key;              /* of messages about a group */
    failed_result failed; /* the result that failed last; its key in failed_key */
    buf failed_key;
} emit_space;

typedef struct emission {
    worker *w;
    const batch_view *b;
    uint32_t aggregate;
    const sl_aggregate *plan;
    const sl_step *step;
    outbox *retracted, *boxes; /* by output of the step; borrowed */
    pane *const *panes;        /* of the window being emitted, by start */
    uint32_t pane_count;
    window_bounds window; /* being emitted */
    bool final;           /* its rows are marked so */
    bool dirty_only;      /* its groups were listed by dirty entries: others may stand before them */
} emission;

/* emit_rows.c: make the rows of results [0, count) of the space, from the panes of the emission;
 * false: the driver threw. */
bool emit_make_rows(const emission *m, uint32_t count);

/* emit_rows.c: make the rows and send them; an error when a result fails. */
struct err *emit_rows(const emission *m, uint32_t count);

/* emit_rows.c: fill in `row` what is known without its states: time, group, bounds, final. */
void emit_start_row(const emission *m, sl_row *row, const result *r);

/* emit_send.c: give the rows of results [0, count) to the outputs they passed to; what was sent
 * before and does not pass any more is retracted. */
void emit_send(const emission *m, uint32_t count);

/* emit_send.c: forget what was sent for windows that are closed at `watermark`. */
void emit_forget_sent(const emission *m, int64_t watermark);
