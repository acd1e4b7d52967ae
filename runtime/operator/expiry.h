#pragma once
/* What goes by its own time in the table of one aggregation: groups of running totals, sessions. A
 * calendar stands beside the table; entries are added at the end of the batch that made them.
 * Nothing here when all groups of a window go together, or none goes. Owned by the worker.
 * thread: worker. */
#include <stdbool.h>

#include "runtime/shared/plan.h"
#include "state/calendar.h"
#include "state/table.h"

typedef struct expiry {
    const sl_aggregate *plan; /* borrowed */
    table *table;             /* borrowed */
    calendar *calendar;       /* owned; NULL: nothing goes by its own time */
    bool has_changed;         /* in this batch: an undo has to set it up anew */
    entry **fetched;          /* entries that this batch brought back (fetch.h); owned */
    uint32_t fetched_count, fetched_room;
} expiry;

void expiry_init(expiry *x, const sl_aggregate *plan, table *its_table);
void expiry_done(expiry *x);

/* When an entry goes, by what it holds now; INT64_MAX: not by itself (a session goes with its last
 * entry). */
int64_t expiry_due(const expiry *x, const entry *e);

/* This batch has brought an entry back. It goes with a later one at the earliest. */
void expiry_fetched(expiry *x, entry *e);

/* Whether a group that is past at `watermark` may still be met: then it is as if it were not there.
 * Of a cached pane, that is: only what is in memory stands in the calendar. */
bool expiry_is_past(const expiry *x, const entry *e, int64_t watermark);

/* Add what this batch made. After its last row, before anything is removed. */
void expiry_add_new(expiry *x);

/* Where expiry_take stands; begins as { 0 }. */
typedef struct expiry_cursor {
    const calendar_item *items; /* borrowed from the calendar until it is asked again */
    uint32_t count, next;
} expiry_cursor;

/* Take an entry that is due at `watermark`; NULL: that was all. It stays in the table. */
entry *expiry_take(expiry *x, int64_t watermark, expiry_cursor *at);

/* Whether anything is due at `watermark`. Between batches. */
bool expiry_is_due(expiry *x, int64_t watermark);

/* The batch begins; it is undone (after its table). */
void expiry_begin(expiry *x);
void expiry_undo(expiry *x);

/* The table has been filled, or entries were freed, between batches. */
void expiry_loaded(expiry *x);
