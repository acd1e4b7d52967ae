#pragma once
/* What the files of emission share (emit*.c only); operators.h is the interface for others.
 *
 *   emit.c: which windows and groups are due, what goes
 *   emit_session.c, emit_rolling.c, emit_running.c: the same where groups have their own times
 *   emit_try.c: results of windows that are open, to see whether they can be made
 *   emit_close.c, emit_spilled.c: windows that close, a range of their groups at a time
 *     └─▶ emit_rows.c: a vector of results ─▶ rows
 *           ├─▶ emit_ordered.c: rows that a fold in event-time order throws out
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
    group_item group;     /* its entry is borrowed from the table */
    window_bounds window; /* Unix ms */
    entry *const *chain;  /* its entries, oldest first; NULL: in the emission's panes */
    uint32_t chain_count; /* of them */
    bool final;           /* its row is marked final and sent even if unchanged */
} result;

/* A result that user code or an aggregate could not make. */
typedef struct failed_result {
    uint32_t aggregate;   /* index in the plan */
    window_bounds window; /* Unix ms */
    uint64_t hash;        /* of the group's key */
} failed_result;

/* What a worker works in while it emits; kept from batch to batch. */
typedef struct emit_space {
    group_list groups;  /* of the window being emitted */
    group_list waiting; /* emit_spilled.c: its groups that are in memory */
    table **kept;       /* emit_spilled.c: what was read, while rows that go on borrow from it */
    uint32_t kept_count;
    char *row_memory;   /* EMIT_ROWS result rows; owned */
    char *state_memory; /* EMIT_ROWS states; owned */
    result results[EMIT_ROWS];
    void *rows[EMIT_ROWS], *states[EMIT_ROWS];   /* of each result */
    uint32_t part_first[EMIT_ROWS + 1];          /* sl_vector.part_first */
    void **parts, **merged;                      /* sl_vector.parts, what takes them in; owned */
    entry **found;                               /* by pane, then row; owned */
    size_t part_room;                            /* of the three */
    uint32_t asked[EMIT_ROWS];                   /* results whose group is looked for in a pane */
    entry *like[EMIT_ROWS], *answers[EMIT_ROWS]; /* of these: an entry; what was found */
    sl_bounds bounds[EMIT_ROWS];                 /* sl_vector.bounds */
    pane *sent_panes[EMIT_ROWS];                 /* emit_send.c: where what was sent stands */
    uint64_t sent_hashes[EMIT_ROWS];
    const char *sent_keys[EMIT_ROWS];
    uint32_t sent_key_lens[EMIT_ROWS];
    uint32_t outputs[EMIT_ROWS]; /* of each row: mask of those it passed to */
    arena text;                  /* that results make, until the next ones */
    buf key;                     /* of messages about a group */
    failed_result failed;        /* the one that failed last */
    buf failed_key;              /* its group's */
    entry **going;               /* running, session: those that go; owned */
    uint32_t going_count, going_room;
    struct session_space *sessions; /* emit_session.c's own; owned */
    struct close_space *close;      /* emit_close.c's own; owned */
} emit_space;

/* One aggregation's emission in one batch; all borrowed. */
typedef struct emission {
    worker *w;
    const batch_view *b;
    uint32_t aggregate;        /* index in the plan */
    const sl_aggregate *plan;  /* of it */
    const sl_step *step;       /* the one behind it */
    outbox *retracted, *boxes; /* by output of the step; borrowed */
    pane *const *panes;        /* of the window being emitted, by start */
    uint32_t pane_count;
    window_bounds window; /* being emitted */
    bool final;           /* its rows are marked so */
    bool dirty_only;      /* its groups were listed by dirty entries: older panes may have them */
    entry *const *chains; /* of the list of its groups, if that is chained; else NULL */
} emission;

/* emit.c: find the panes of the emission's window among `all`, by start; `near`: index of one of
 * them, or close to it. */
void emit_find_panes(emission *m, pane *const *all, uint32_t count, uint32_t near);

/* emit.c: make the groups of the space's list results of the emission's window and send them. */
struct err *emit_groups(const emission *m);

/* emit.c: the same of `count` groups. */
struct err *emit_items(const emission *m, const group_item *items, uint32_t count);

/* emit_spilled.c: the same of a window of which panes are spilled or cached: all of its groups. */
struct err *emit_spilled(emission *m);
bool emit_has_spilled(const emission *m);
void emit_free_kept(emit_space *s);

/* emit_ordered.c: the driver threw: when a fold in order did, note its row and set the vector up to
 * go on behind it. */
bool emit_drop_ordered(const emission *m);

/* emit.c: list in the space what goes by its own time at the batch's end. */
void emit_list_going(const emission *m);

/* emit_rolling.c: one row for each group touched: the last `size` up to its newest pane. Panes that
 * nothing can need any more go. */
struct err *emit_rolling(emission *m, table *t);

/* emit_running.c: groups touched (complete: all); those whose time is over go. */
struct err *emit_running(emission *m, table *t, bool reached);

/* emit_session.c: sessions touched, closed, or all; those closed go. */
struct err *emit_sessions(emission *m, table *t, bool reached);
struct session_space *session_space_new(void);
void session_space_free(struct session_space *s);

/* emit_session.c: result 0 of the space becomes what the group of the failed result holds in the
 * emission's window; false: nothing. */
bool session_find_failed(const emission *m, const table *t);

/* emit_rows.c: make the rows of results [0, count) of the space; false: the driver threw. */
bool emit_make_rows(const emission *m, uint32_t count);

/* emit_rows.c: the state is a copy: bytes of its parts that lie in an arena are another one's. */
void emit_disown(const emission *m, void *state);

/* emit_rows.c: make the rows and send them; an error when a result fails. */
struct err *emit_rows(const emission *m, uint32_t count);

/* emit_rows.c: make the rows, and nothing of them leaves; an error when a result fails. What a fold
 * in order throws is its record's matter, at the close. */
struct err *emit_try_rows(const emission *m, uint32_t count);

/* emit_rows.c: retract what was sent for results [0, count), whose states are no more. */
void emit_taken_back(const emission *m, uint32_t count);

/* emit_send.c: give the rows of results [0, count) to the outputs they passed to; what was sent
 * before and does not pass any more is retracted. */
struct err *emit_send(const emission *m, uint32_t count);

/* emit_send.c: retract what was sent for results [0, count), whose windows are no more. */
void emit_retract(const emission *m, uint32_t count);

/* emit_send.c: forget what was sent for one result; its group is gone. */
void emit_forget_result(const emission *m, const result *r);

/* emit_send.c: forget what was sent for windows that are closed at `watermark`. */
void emit_forget_sent(const emission *m, int64_t watermark);
