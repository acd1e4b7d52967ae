#include "runtime/event/window.h"

#include "runtime/event/saturate.h"
#include "runtime/event/watermark.h"

/* DESIGN: a pane saturated to INT64_MIN still names its true start, since flooring an aligned time
 * gives that time and flooring INT64_MIN gives the true start. So everything but the hot path
 * floors again, in 128 bits, and saturates only what it hands out. */

typedef __int128 wide;

/* time modulo step, counted from the offset: 0 <= result < step, also for negative times. */
static int64_t phase(wide time, int64_t offset, int64_t step) {
    wide from_offset = time - offset;
    int64_t narrow = (int64_t)from_offset, rest; /* dividing 64 bits takes a third of the time */
    if (narrow == from_offset)
        rest = narrow % step;
    else
        rest = (int64_t)(from_offset % step);
    return rest < 0 ? rest + step : rest;
}

static int64_t pane_phase(const sl_window *w, int64_t time) {
    return phase(time, w->offset_ms, w->pane_ms);
}

/* How often `step` fits into `length` >= 0, at most UINT64_MAX times. */
static uint64_t steps_in(wide length, int64_t step) {
    if (length <= UINT64_MAX) return (uint64_t)length / (uint64_t)step;
    wide count = length / step;
    return count < UINT64_MAX ? (uint64_t)count : UINT64_MAX;
}

window_bounds window_pane_bounds(const sl_window *w, int64_t time_ms) {
    if (!w->pane_ms) return (window_bounds){ INT64_MIN, INT64_MAX };
    int64_t rest = pane_phase(w, time_ms);
    return (window_bounds){
        .start = saturate_sub(time_ms, rest),
        .end = saturate_add(time_ms, w->pane_ms - rest),
    };
}

/* Near panes are counted in doubles: 2^20 of them, each of 2^40 ms at most, amid all times. */
enum { REACH_BITS = 20 };
static const int64_t LONGEST_PANE = INT64_C(1) << 40, FURTHEST = INT64_C(1) << 62;

int64_t window_pane_far(const sl_window *w, window_cache *cache, int64_t time_ms) {
    if (time_ms >= cache->pane.start && time_ms < cache->pane.end) return cache->pane.start;
    window_bounds pane = window_pane_bounds(w, time_ms);
    bool is_usual = w->pane_ms && w->pane_ms <= LONGEST_PANE && pane.start > -FURTHEST &&
                    pane.start < FURTHEST;
    *cache = (window_cache){ .pane = pane,
                             .reach_ms = is_usual ? w->pane_ms << REACH_BITS : 0,
                             .panes_per_ms = is_usual ? 1 / (double)w->pane_ms : 0 };
    return pane.start;
}

/* The true start of a pane, also of one named INT64_MIN. */
static wide pane_of(const sl_window *w, int64_t pane) {
    return (wide)pane - pane_phase(w, pane);
}

/* Where the windows of a pane begin: the last one, cumulate: all. */
static wide last_start(const sl_window *w, int64_t pane) {
    int64_t step = w->kind == SL_WINDOW_CUMULATE ? w->size_ms : w->every_ms;
    return (wide)pane - phase(pane, w->offset_ms, step);
}

static window_run cumulate_run(const sl_window *w, int64_t pane) {
    wide start = last_start(w, pane), end = pane_of(w, pane) + w->pane_ms;
    return (window_run){
        .start = start,
        .end = end,
        .end_step = w->every_ms,
        .count = 1 + steps_in(start + w->size_ms - end, w->every_ms),
    };
}

window_run window_of_pane(const sl_window *w, int64_t pane) {
    if (!w->pane_ms) return (window_run){ .start = INT64_MIN, .end = INT64_MAX, .count = 1 };
    if (w->kind == SL_WINDOW_CUMULATE) return cumulate_run(w, pane);
    wide lowest = pane_of(w, pane) + w->pane_ms - w->size_ms, last = last_start(w, pane);
    wide highest = lowest + w->every_ms - 1;
    wide first = w->kind == SL_WINDOW_ROLLING
                     ? last
                     : highest - phase(highest, w->offset_ms, w->every_ms);
    uint64_t steps = steps_in(last - first, w->every_ms);
    return (window_run){
        .start = first,
        .end = first + w->size_ms,
        .start_step = w->every_ms,
        .end_step = w->every_ms,
        .count = steps < UINT64_MAX ? steps + 1 : steps,
    };
}

bool window_next(window_run *run, window_bounds *bounds) {
    if (!run->count) return false;
    run->count--;
    *bounds = (window_bounds){ saturate(run->start), saturate(run->end) };
    run->start += run->start_step;
    run->end += run->end_step;
    return true;
}

bool window_is_late(const sl_window *w, int64_t end, int64_t watermark) {
    return watermark != WATERMARK_NONE && window_close_time(w, end) <= watermark;
}

uint64_t window_late_count_slow(const sl_window *w, int64_t pane, int64_t watermark) {
    if (watermark == WATERMARK_NONE) return 0;
    if (!w->pane_ms) return watermark == INT64_MAX;
    window_run run = window_of_pane(w, pane);
    if (watermark == INT64_MAX) return run.count;
    wide past = (wide)watermark - w->allowed_lateness_ms - run.end;
    if (past < 0) return 0;
    uint64_t count = steps_in(past, run.end_step);
    return count < run.count ? count + 1 : run.count;
}

int64_t window_pane_goes(const sl_window *w, int64_t pane) {
    if (!w->pane_ms) return INT64_MAX;
    return saturate(last_start(w, pane) + w->size_ms + w->allowed_lateness_ms);
}

int64_t window_next_close(const sl_window *w, int64_t pane, int64_t watermark) {
    if (!w->pane_ms) return INT64_MAX;
    window_run run = window_of_pane(w, pane);
    uint64_t late = window_late_count(w, pane, watermark);
    if (late >= run.count) return INT64_MAX;
    return saturate(run.end + (wide)late * run.end_step + w->allowed_lateness_ms);
}
