#pragma once
/* Windows of many panes without all of their panes merged anew for each (decisions 0051, 0061): the
 * groups of a pane are sorted once, neighbouring panes are merged for all windows that have them;
 * of windows of a few panes they are sorted only (decision 0068).
 * What is merged is aligned to the numbers of panes, so how a window's states are merged depends on
 * nothing else. Its groups come out of its few parts, which are in order already. Windows come in
 * order of time.
 *
 * All of it is a cache beside the tables: not stored, made when a window asks for it, given up when
 * `memory` is short or a batch is undone. A pane that was touched since makes what was merged of it
 * void. Only for aggregates that allow any grouping (sl_aggregate.slides), and windows of which
 * nothing is spilled. thread: worker. */
#include "runtime/operator/emission.h"

typedef struct slides slides;

/* Of all aggregations of a worker. Owned by it. */
slides *slides_new(const sl_plan *plan);
void slides_free(slides *all);

/* List the groups of a range of the emission's window, chained; false: it is not for this window,
 * and the list is not touched. Entries live until the window is out, or the batch undone. */
bool slide_list(const emission *m, const order_range *range, group_list *list);

/* The same of a window that tells of touched groups only: `touched` are those, sorted. Panes are
 * merged for all windows of the batch, of all groups that it touched in any pane. */
bool slide_list_touched(const emission *m, const group_list *touched, group_list *list);

/* The windows of an aggregation are about to be visited: what is known of touched groups goes. */
void slides_begin(slides *all);

/* An aggregation is about to be emitted: what rows of the last one borrowed can go. */
void slides_let_go(slides *all);

/* A batch was undone: nothing is known any more. */
void slides_forget(slides *all);
