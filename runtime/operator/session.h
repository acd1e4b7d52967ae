#pragma once
/* Sessions of a group (semantics, section 4), as they lie in the table: panes are a gap long, and
 * an entry's sl_span says when its first and last row were. Rows of one pane are never more than a
 * gap apart, rows of panes that are not neighbours always are: so a session is a chain of entries
 * in neighbouring panes, each no more than a gap behind the one before.
 *
 *   pane     |0        10        20        30        40   gap 10
 *   rows     |     5  8|    13   |     24  |  31     |    5..8, 13 is 5 behind; 24 is 11 behind 13
 *   sessions |    [--------------)    [-----------)       [5, 23), [24, 41)
 *
 * So folding a row touches one entry however sessions grow and merge, and a row that is given up
 * has left no trace. Reads the table only. thread: worker. */
#include <stdbool.h>

#include "runtime/event/window.h"
#include "runtime/shared/row.h"
#include "state/table.h"

/* The times of an entry's rows. */
static inline sl_span *session_span(const sl_aggregate *plan, const entry *e) {
    return (sl_span *)((char *)entry_state(e) + plan->span_offset);
}

/* Whether rows at `later_ms` still belong to a session whose last row so far was at `last_ms`. */
static inline bool session_reaches(const sl_aggregate *plan, int64_t last_ms, int64_t later_ms) {
    return later_ms <= saturate_add(last_ms, plan->window.size_ms);
}

/* The entry behind or before `e` in its session; NULL: it is the last, the first one. */
entry *session_next(const sl_aggregate *plan, const table *t, const entry *e);
entry *session_previous(const sl_aggregate *plan, const table *t, const entry *e);

/* Ask the memory for what session_next, session_previous will look at. */
void session_prefetch_next(const sl_aggregate *plan, const table *t, const entry *e);
void session_prefetch_previous(const sl_aggregate *plan, const table *t, const entry *e);

/* Start of the pane that holds a session's start: with the group's key it names the session among
 * those that are open. */
static inline int64_t session_pane(const sl_aggregate *plan, int64_t start_ms) {
    return window_pane_bounds(&plan->window, start_ms).start;
}
