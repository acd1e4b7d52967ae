#include "runtime/flow/closing.h"

#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/flow/collect.h"
#include "runtime/operator/emit_close.h"

enum {
    LISTED = 8,                 /* times the limit: groups that are listed at a time */
    THREADED = 4 * VECTOR_ROWS, /* groups */
};

/* One aggregation's closing in one batch. */
typedef struct closing {
    pipeline *p;
    const batch_view *view;
    uint32_t aggregate;
    bool threaded;
    close_cursor at;   /* out is all before it */
    close_range range; /* being emitted */
    uint64_t most;     /* groups of its window; UINT64_MAX: not known */
    uint64_t left;     /* groups that the batch may still emit */
} closing;

static worker *worker_of(const closing *c, uint32_t number) {
    return crew_worker(c->p->crew, number);
}

/* The first window that is not out, of all workers; into the range. */
static bool find_window(closing *c) {
    bool is_found = false;
    for (uint32_t i = 0; i < crew_count(c->p->crew); i++) {
        window_bounds one, *best = &c->range.window;
        if (!emit_close_next(worker_of(c, i), c->view, c->aggregate, &c->at, &one)) continue;
        bool is_first = !is_found || one.end < best->end ||
                        (one.end == best->end && one.start < best->start);
        if (is_first) *best = one;
        is_found = true;
    }
    if (!is_found) return false;
    bool is_begun = c->at.is_open && !c->at.is_behind &&
                    c->at.window.start == c->range.window.start &&
                    c->at.window.end == c->range.window.end;
    c->range.from = is_begun ? c->at.order : 0;
    return true;
}

static uint64_t groups_listed(const pipeline *p) { return (uint64_t)p->close_groups * LISTED; }

static void find_end(closing *c) {
    c->most = 0;
    for (uint32_t i = 0; i < crew_count(c->p->crew); i++) {
        uint64_t one =
            emit_close_entries(worker_of(c, i), c->view, c->aggregate, &c->range.window);
        if (__builtin_add_overflow(c->most, one, &c->most)) c->most = UINT64_MAX;
    }
    c->range.to = emit_close_reach(worker_of(c, 0), c->view, c->aggregate, &c->range,
                                   groups_listed(c->p), c->most);
}

static err *list_phase(worker *w, void *arg) {
    const closing *c = arg;
    err *e = emit_close_list(w, c->view, c->aggregate, &c->range, groups_listed(c->p));
    laps_add(w->laps, LAP_LIST);
    return e;
}

static err *rows_phase(worker *w, void *arg) {
    const closing *c = arg;
    outbox *boxes = collect_boxes(c->p, w->number);
    return emit_close_rows(w, c->view, c->aggregate, &c->range, boxes, boxes + SL_MAX_OUTPUTS);
}

static uint64_t count_up_to(const closing *c, uint64_t to) {
    uint64_t sum = 0;
    close_range range = c->range;
    range.to = to;
    for (uint32_t i = 0; i < crew_count(c->p->crew); i++)
        sum += emit_close_count(worker_of(c, i), &range);
    return sum;
}

/* The order of the last group that the batch may emit. Groups of one order go together. */
static uint64_t find_cut(const closing *c) {
    uint64_t low = c->range.from, high = c->range.to;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (count_up_to(c, middle) >= c->left)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Emit the range, or what of it the batch may; the cursor moves behind it. */
static err *emit_range(closing *c) {
    err *e = crew_run(c->p->crew, list_phase, c, c->threaded || c->most >= THREADED);
    if (e) return e;
    uint64_t count = count_up_to(c, c->range.to);
    if (count > c->left) {
        c->range.to = find_cut(c);
        count = c->left;
    }
    e = crew_run(c->p->crew, rows_phase, c, c->threaded || count >= THREADED);
    if (e) return e;
    bool is_end = c->range.to == UINT64_MAX;
    c->at = (close_cursor){ .is_open = true,
                            .is_behind = is_end,
                            .window = c->range.window,
                            .order = is_end ? 0 : c->range.to + 1 };
    c->left -= count;
    return NULL;
}

static bool has_many(const closing *c) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < crew_count(c->p->crew); i++) {
        uint64_t one = emit_close_most(worker_of(c, i), c->view, c->aggregate, &c->at);
        if (one > c->left) return true;
        sum += one;
    }
    return sum > c->left;
}

static void tell(const pipeline *p, uint32_t aggregate, const close_cursor *before,
                 const close_cursor *now) {
    if (before->is_open == now->is_open) return;
    const sl_string *name = &p->plan->aggregates[aggregate].name;
    buf text = { 0 };
    buf_put(&text, name->data, name->len);
    log_info(p->system.log,
             now->is_open ? "many groups close, their rows come over several batches"
                          : "all rows of closed windows are out",
             log_text("stage", buf_text(&text)));
    buf_done(&text);
}

/* A script that changed may have stages behind what began to come out: they get the rest whole. */
static uint64_t groups_of_batch(const pipeline *p, uint32_t aggregate) {
    return emit_may_spread(p->plan, aggregate) ? p->close_groups : UINT64_MAX;
}

err *closing_emit(pipeline *p, const batch_view *view, aggregate_view *of, uint32_t aggregate,
                  bool threaded) {
    stage_run *run = &p->stages.aggregates[aggregate];
    closing c = { .p = p,
                  .view = view,
                  .aggregate = aggregate,
                  .threaded = threaded,
                  .at = run->closing,
                  .left = groups_of_batch(p, aggregate) };
    of->out_to = of->watermark_after;
    bool closes = c.at.is_open || of->watermark_after != of->watermark_before;
    if (!closes || (!c.at.is_open && !emit_may_spread(p->plan, aggregate))) return NULL;
    if (!c.at.is_open && !has_many(&c)) return NULL;
    of->closes_apart = true;
    for (uint32_t i = 0; i < crew_count(p->crew); i++) emit_close_begin(worker_of(&c, i));
    while (c.left && find_window(&c)) {
        find_end(&c);
        err *e = emit_range(&c);
        if (e) return e;
    }
    close_cursor next = { 0 };
    if (find_window(&c))
        next = (close_cursor){ .is_open = true, .window = c.range.window, .order = c.range.from };
    tell(p, aggregate, &run->closing, &next);
    run->closing_next = next;
    of->out_to = close_out_to(&next, &p->plan->aggregates[aggregate].window, of->watermark_after);
    return NULL;
}

void closing_begin(pipeline *p) {
    for (uint32_t a = 0; a < p->plan->aggregate_count; a++)
        p->stages.aggregates[a].closing_next = p->stages.aggregates[a].closing;
}

void closing_keep(pipeline *p) {
    for (uint32_t a = 0; a < p->plan->aggregate_count; a++)
        p->stages.aggregates[a].closing = p->stages.aggregates[a].closing_next;
}

bool closing_is_open(const pipeline *p) {
    for (uint32_t a = 0; a < p->plan->aggregate_count; a++)
        if (p->stages.aggregates[a].closing.is_open) return true;
    return false;
}

bool closing_goes_on(const pipeline *p) {
    for (uint32_t a = 0; a < p->plan->aggregate_count; a++)
        if (p->stages.aggregates[a].closing_next.is_open) return true;
    return false;
}

bool closing_stands_still(const pipeline *p) {
    if (!closing_is_open(p)) return false;
    for (uint32_t i = 0; i < p->input_count; i++)
        if (input_reads(&p->inputs[i])) return false;
    return true;
}

void closing_hold_inputs(pipeline *p) {
    bool is_open = closing_goes_on(p), holds = p->finished || p->plan->trigger == SL_ONCE;
    for (uint32_t a = 0; a < p->plan->aggregate_count; a++)
        holds |= p->stages.aggregates[a].closing_next.is_open &&
                 emit_close_holds(&p->plan->aggregates[a]);
    for (uint32_t i = 0; i < p->input_count; i++) {
        input *in = &p->inputs[i];
        in->is_held = is_open && (holds || in->watermark.time == WATERMARK_ENDED);
    }
}
