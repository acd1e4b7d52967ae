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
    if (w->kind == SL_WINDOW_NONE) return (window_bounds){ INT64_MIN, INT64_MAX };
    int64_t rest = pane_phase(w, time_ms);
    return (window_bounds){
        .start = saturate_sub(time_ms, rest),
        .end = saturate_add(time_ms, w->pane_ms - rest),
    };
}

/* Starts of the first and the last window that hold a pane. */
static wide first_start(const sl_window *w, int64_t pane) {
    wide lowest = (wide)pane - pane_phase(w, pane) + w->pane_ms - w->size_ms;
    wide highest = lowest + w->every_ms - 1;
    return highest - phase(highest, w->offset_ms, w->every_ms);
}

static wide last_start(const sl_window *w, int64_t pane) {
    return (wide)pane - phase(pane, w->offset_ms, w->every_ms);
}

window_run window_of_pane(const sl_window *w, int64_t pane) {
    if (w->kind == SL_WINDOW_NONE) return (window_run){ .start = INT64_MIN, .count = 1 };
    wide first = first_start(w, pane);
    uint64_t steps = steps_in(last_start(w, pane) - first, w->every_ms);
    return (window_run){ .start = first, .count = steps < UINT64_MAX ? steps + 1 : steps };
}

/* What lies between a window's start and the watermark that closes it. */
static wide start_to_close(const sl_window *w) {
    return (wide)w->size_ms + w->allowed_lateness_ms;
}

bool window_next(const sl_window *w, window_run *run, window_bounds *bounds) {
    if (!run->count) return false;
    run->count--;
    if (w->kind == SL_WINDOW_NONE) {
        *bounds = (window_bounds){ INT64_MIN, INT64_MAX };
        return true;
    }
    *bounds = (window_bounds){ saturate(run->start), saturate(run->start + w->size_ms) };
    run->start += w->every_ms;
    return true;
}

bool window_is_late(const sl_window *w, int64_t end, int64_t watermark) {
    return watermark != WATERMARK_NONE && window_close_time(w, end) <= watermark;
}

uint64_t window_late_count_slow(const sl_window *w, int64_t pane, int64_t watermark) {
    if (watermark == WATERMARK_NONE) return 0;
    if (w->kind == SL_WINDOW_NONE) return watermark == INT64_MAX;
    window_run run = window_of_pane(w, pane);
    if (watermark == INT64_MAX) return run.count;
    wide past = (wide)watermark - start_to_close(w) - run.start;
    if (past < 0) return 0;
    uint64_t count = steps_in(past, w->every_ms);
    return count < run.count ? count + 1 : run.count;
}

int64_t window_pane_goes(const sl_window *w, int64_t pane) {
    if (w->kind == SL_WINDOW_NONE) return INT64_MAX;
    return saturate(last_start(w, pane) + start_to_close(w));
}

int64_t window_next_close(const sl_window *w, int64_t pane, int64_t watermark) {
    if (w->kind == SL_WINDOW_NONE) return INT64_MAX;
    window_run run = window_of_pane(w, pane);
    uint64_t late = window_late_count(w, pane, watermark);
    if (late >= run.count) return INT64_MAX;
    return saturate(run.start + (wide)late * w->every_ms + start_to_close(w));
}
