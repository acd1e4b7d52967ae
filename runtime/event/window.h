#pragma once
/* Windows of an aggregation (semantics, section 4), as arithmetic on sl_window.
 *
 * Time is cut into panes of gcd(size, every), named by their start; a row belongs to one pane, a
 * window is a run of panes. Size 3, every 2 (panes of 1):
 *
 *   pane      0   1   2   3   4   5
 *   window   [0       3)
 *                    [2       5)
 *                            [4      ..
 *
 * Cumulate: windows share a start, and end one after the other. Rolling: to each pane belongs the
 * one window that begins with it, the last that it can be part of. Running and session
 * (window_is_own): a row has a window of its own, [t, t + size), which judges it; what a group's
 * rows make together is not known here. Panes of sessions are a gap long: rows of one pane are
 * always of one session, and only neighbouring panes can belong together.
 *
 * Bounds saturate: a pane or window that begins before INT64_MIN is named INT64_MIN, one that ends
 * beyond INT64_MAX ends there (and closes at watermark +infinity only). Event times lie in
 * (INT64_MIN, INT64_MAX); others are placed without harm. A watermark is Unix ms, WATERMARK_NONE
 * (INT64_MIN: none yet, nothing is late or closed) or INT64_MAX (+infinity: everything is). Kind
 * NONE is one pane and one window, [INT64_MIN, INT64_MAX), closed by +infinity alone; RUNNING has
 * that one pane. Nothing here keeps state but window_cache. thread: any. */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/event/saturate.h"
#include "runtime/shared/plan.h"

/* Bounds of a window or pane, Unix ms, half-open. */
typedef struct window_bounds {
    int64_t start, end;
} window_bounds;

/* Windows one `every` apart, oldest first; window_next walks them. */
typedef struct window_run {
    __int128 start, end; /* of the next window, before saturation */
    int64_t start_step;  /* from a window's start to the next one's; cumulate: 0 */
    int64_t end_step;    /* likewise of their ends */
    uint64_t count;      /* windows left */
} window_run;

/* Whether rows have windows of their own: then window_own alone tells when a row is late. */
static inline bool window_is_own(const sl_window *w) {
    return w->kind == SL_WINDOW_RUNNING || w->kind == SL_WINDOW_SESSION;
}

/* Whether windows have a start and an end that results show. */
static inline bool window_has_bounds(const sl_window *w) {
    return w->kind != SL_WINDOW_NONE && w->kind != SL_WINDOW_RUNNING;
}

/* The window of a row of its own. */
static inline window_bounds window_own(const sl_window *w, int64_t time_ms) {
    bool forever = w->size_ms == INT64_MAX; /* also of times before 1970 */
    return (window_bounds){ time_ms, forever ? INT64_MAX : saturate_add(time_ms, w->size_ms) };
}

/* Panes near one that was found are told from it; owned by whoever calls window_pane in a loop, one
 * per window and thread. */
typedef struct window_cache {
    window_bounds pane;  /* found by window_pane_far */
    int64_t reach_ms;    /* so far before and behind its start; 0: panes are not told from it */
    double panes_per_ms; /* 1 / pane_ms */
} window_cache;

static inline void window_cache_init(window_cache *cache) {
    *cache = (window_cache){ .pane = { INT64_MAX, INT64_MIN } };
}

/* Bounds of the pane that holds `time_ms`. */
window_bounds window_pane_bounds(const sl_window *w, int64_t time_ms);

/* Slow path of window_pane. */
int64_t window_pane_far(const sl_window *w, window_cache *cache, int64_t time_ms);

/* Start of the pane that holds `time_ms`; the hot path of grouping. */
static inline int64_t window_pane(const sl_window *w, window_cache *cache, int64_t time_ms) {
    uint64_t from = (uint64_t)time_ms - (uint64_t)cache->pane.start;
    uint64_t reach = (uint64_t)cache->reach_ms;
    int64_t into = (int64_t)(from + reach), pane_ms = w->pane_ms;
    if (from + reach >= 2 * reach) return window_pane_far(w, cache, time_ms);
    if (from < (uint64_t)pane_ms) return cache->pane.start;
    into -= (int64_t)((double)into * cache->panes_per_ms) * pane_ms; /* one pane off at most */
    into += into >> 63 & pane_ms;
    into -= into >= pane_ms ? pane_ms : 0;
    return time_ms - into;
}

/* The windows that hold pane `pane` (any time in it names it), oldest first; at least one. Not for
 * windows of rows' own, as all below that take a pane. O(1). */
window_run window_of_pane(const sl_window *w, int64_t pane);

/* Pass over the next `count` windows of a run, at most all. O(1). */
static inline void window_skip(window_run *run, uint64_t count) {
    if (count > run->count) count = run->count;
    run->start += (__int128)count * run->start_step;
    run->end += (__int128)count * run->end_step;
    run->count -= count;
}

/* Take the next window of a run; false at its end. */
bool window_next(window_run *run, window_bounds *bounds);

/* The watermark that closes the window ending at `end`: end + allowed_lateness. */
static inline int64_t window_close_time(const sl_window *w, int64_t end) {
    return saturate_add(end, w->allowed_lateness_ms);
}

/* Whether the window ending at `end` is closed, so that a row for it is late. */
bool window_is_late(const sl_window *w, int64_t end, int64_t watermark);

/* Slow path of window_late_count. */
uint64_t window_late_count_slow(const sl_window *w, int64_t pane, int64_t watermark);

/* How many of the windows that hold the pane at `start` a row is late for; equal to
 * window_of_pane().count: for all. They are the oldest ones. O(1). */
static inline uint64_t window_late_count(const sl_window *w, int64_t start, int64_t watermark) {
    /* No window ends before its panes do, and few rows are late for any. A saturated pane ends
     * before its start + pane_ms. */
    int64_t pane_end = start == INT64_MIN ? start : saturate_add(start, w->pane_ms);
    if (watermark < window_close_time(w, pane_end)) return 0;
    return window_late_count_slow(w, start, watermark);
}

/* The watermark from which on `pane` can go: the one that closes its last window. A row is late
 * for all its windows iff this is <= the watermark (and there is one). O(1). */
int64_t window_pane_goes(const sl_window *w, int64_t pane);

/* The lowest watermark above `watermark` that closes a window of `pane`; INT64_MAX when only
 * +infinity does, or none is left. O(1). */
int64_t window_next_close(const sl_window *w, int64_t pane, int64_t watermark);
