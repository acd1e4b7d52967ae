#pragma once
/* How far the rows of closed windows have come out. A batch emits a bounded number of them, in the
 * order of window end, window start, then the groups' order (state/shard.h); a cursor says where
 * the next one goes on (decision 0037). Numbers only. thread: any. */
#include "runtime/event/window.h"

typedef struct close_cursor {
    bool is_open;         /* rows are to come; else all that closed is out, and the rest is 0 */
    bool is_behind;       /* the window is out, windows behind it may not be */
    window_bounds window; /* all before it are out */
    uint64_t order;       /* of it, groups before this one are out */
} close_cursor;

/* Whether the whole closed window is out. */
static inline bool close_is_out(const close_cursor *c, const window_bounds *window) {
    if (!c->is_open) return true;
    if (window->end != c->window.end) return window->end < c->window.end;
    if (window->start != c->window.start) return window->start < c->window.start;
    return c->is_behind;
}

/* The highest watermark whose windows are all out; `watermark`: that closed what is coming out. */
static inline int64_t close_out_to(const close_cursor *c, const sl_window *w, int64_t watermark) {
    if (!c->is_open) return watermark;
    int64_t before = window_close_time(w, c->window.end) - 1;
    return before < watermark ? before : watermark;
}
