/* DESIGN. Rows of old records go through the new script's functions into tables beside (a worker
 * with all shards, which borrows the Lua state of one that does not run yet, or of worker 0 at a
 * start). No batch is run: nothing is emitted, counted, or sent, and no watermark moves. So what
 * comes of it depends on the records alone: rows of windows that are closed are left out when the
 * tables are put together, by the watermark as it stands then. */
#include "runtime/flow/backfill_inside.h"

#include <inttypes.h>
#include <string.h>

#include "runtime/base/crash.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/ahead.h"
#include "runtime/flow/budget.h"
#include "runtime/flow/held.h"
#include "runtime/flow/local.h"
#include "runtime/flow/reload_inside.h"
#include "runtime/flow/walk.h"
#include "runtime/operator/refill.h"

enum { MEMORY_BYTES = 4 << 10,
       SMALL_CHUNK = 64, /* where flat_maps make many rows of each */
       LOOK_MS = 50 };

/* -- what is to be filled */

static const void *copy_list(arena *memory, const void *list, size_t bytes) {
    void *copy = arena_take(memory, bytes + 1, sizeof(int64_t));
    if (bytes) memcpy(copy, list, bytes);
    return copy;
}

fill_list *backfill_keep(const sl_compat *compat) {
    if (!compat || !compat->fill_count) return NULL;
    fill_list *f = mem_zalloc(1, sizeof *f);
    arena_init(&f->memory, MEMORY_BYTES);
    f->count = compat->fill_count;
    f->items = arena_take(&f->memory, f->count * sizeof *f->items, sizeof(int64_t));
    for (uint32_t i = 0; i < f->count; i++) {
        sl_fill *one = &f->items[i];
        *one = compat->fills[i];
        one->at = copy_list(&f->memory, one->at, one->run_count * sizeof *one->at);
        one->sizes = copy_list(&f->memory, one->sizes, one->run_count * sizeof *one->sizes);
        one->parts = copy_list(&f->memory, one->parts, one->part_count * sizeof *one->parts);
    }
    return f;
}

void backfill_forget(fill_list *f) {
    if (!f) return;
    arena_done(&f->memory);
    mem_free(f);
}

/* -- its life */

/* The watermark of an aggregation of the new plan as it stands: that of its name, or where its
 * inputs meet. */
static int64_t stage_watermark(const pipeline *p, const sl_plan *plan, const sl_fill *fill) {
    const sl_string *name = &plan->aggregates[fill->aggregate].name;
    const sl_plan *was = reload_base(p);
    const stages *ran = p->trial ? &p->trial->stages : &p->stages;
    for (uint32_t a = 0; a < was->aggregate_count && !fill->is_whole; a++)
        if (held_is_text(name, &was->aggregates[a].name)) return ran->aggregates[a].watermark;
    stages met;
    stages_init(&met, plan);
    watermark_input *sources = mem_alloc((p->input_count + 1) * sizeof *sources);
    int64_t *times = mem_alloc((plan->aggregate_count + plan->distinct_count + 1) * sizeof *times);
    for (uint32_t i = 0; i < p->input_count; i++)
        sources[i] = watermark_input_of(&p->inputs[i].watermark);
    stages_meet(&met, sources, times, times + plan->aggregate_count);
    int64_t watermark = times[fill->aggregate];
    mem_free(sources);
    mem_free(times);
    stages_done(&met);
    return watermark;
}

/* The watermark by which panes are closed; WATERMARK_NONE: none is. */
static int64_t closing_watermark(const backfill *b, const sl_fill *fill) {
    const sl_aggregate *of = &b->plan->aggregates[fill->aggregate];
    if (of->mode == SL_COMPLETE || window_is_own(&of->window)) return WATERMARK_NONE;
    return stage_watermark(b->p, b->plan, fill);
}

static bool is_filled(const backfill *b, uint32_t aggregate) {
    for (uint32_t i = 0; i < b->fills->count; i++)
        if (b->fills->items[i].aggregate == aggregate) return true;
    return false;
}

/* A plan in which nothing else is fed. */
static void make_plan(backfill *b) {
    uint32_t count = b->plan->aggregate_count;
    b->own = *b->plan;
    b->aggregates = mem_alloc((count + 1) * sizeof *b->aggregates);
    memcpy(b->aggregates, b->plan->aggregates, count * sizeof *b->aggregates);
    for (uint32_t a = 0; a < count; a++)
        if (!is_filled(b, a)) b->aggregates[a].feed_count = 0;
    b->own.aggregates = b->aggregates;
    b->depths = walk_depths(&b->own);
}

static bool has_flat_map(const sl_plan *plan) {
    for (uint32_t s = 0; s < plan->step_count; s++)
        for (uint32_t k = 0; k < plan->steps[s].output_count; k++)
            if (plan->steps[s].outputs[k].kind == SL_TO_EXPAND) return true;
    return false;
}

static void find_sources(backfill *b) {
    b->sources = mem_zalloc(b->plan->source_count + 1, sizeof *b->sources);
    for (uint32_t i = 0; i < b->plan->source_count; i++) {
        backfill_source *s = &b->sources[i];
        s->of = b;
        arena_init(&s->held, MEMORY_BYTES);
        for (uint32_t a = 0; a < b->plan->aggregate_count; a++)
            for (uint32_t f = 0; f < b->aggregates[a].feed_count; f++)
                s->is_read |= b->plan->steps[b->aggregates[a].feeds[f].step].root ==
                              b->plan->sources[i].step;
    }
}

/* The newest event time that moves a watermark. */
static int64_t newest_of(const backfill *b) {
    int64_t newest = WATERMARK_NONE;
    for (uint32_t i = 0; i < b->p->input_count; i++) {
        const watermark_source *w = &b->p->inputs[i].watermark;
        for (uint32_t n = 0; b->sources[i].is_read && n < w->count; n++)
            if (w->partitions[n].high > newest) newest = w->partitions[n].high;
    }
    return newest;
}

/* The first time that a window which is open can hold. */
static int64_t open_since(const backfill *b) {
    int64_t since = INT64_MAX;
    for (uint32_t i = 0; i < b->fills->count; i++) {
        const sl_fill *fill = &b->fills->items[i];
        const sl_window *w = &b->plan->aggregates[fill->aggregate].window;
        int64_t watermark = closing_watermark(b, fill);
        if (watermark == WATERMARK_NONE || !window_has_bounds(w)) return INT64_MIN;
        int64_t first = saturate_sub(watermark, saturate_add(w->size_ms, w->allowed_lateness_ms));
        if (first < since) since = first;
    }
    return since;
}

/* Rows of the longest `backfill` count for all. */
static void find_times(backfill *b) {
    int64_t longest = 0, newest = newest_of(b), open = open_since(b);
    for (uint32_t i = 0; i < b->fills->count; i++) {
        int64_t ms = b->plan->aggregates[b->fills->items[i].aggregate].backfill_ms;
        if (ms > longest) longest = ms;
    }
    b->is_empty = newest == WATERMARK_NONE;
    b->since_ms = saturate_sub(newest, longest);
    b->lookup_ms = b->since_ms > open ? b->since_ms : open;
    if (!b->planned) return;
    b->is_empty = false;
    b->since_ms = b->planned->refill_since_ms;
}

static void make_view(backfill *b, int64_t now_ms) {
    uint32_t distincts = b->plan->distinct_count;
    b->views = mem_zalloc(b->plan->source_count + 1, sizeof *b->views);
    b->aggregate_views = mem_zalloc(b->plan->aggregate_count + 1, sizeof *b->aggregate_views);
    b->distinct_views = mem_zalloc(distincts + 1, sizeof *b->distinct_views);
    for (uint32_t d = 0; d < distincts; d++)
        b->distinct_views[d].watermark_before = b->distinct_views[d].watermark_after =
            WATERMARK_NONE;
    for (uint32_t a = 0; a < b->plan->aggregate_count; a++)
        b->aggregate_views[a].watermark_before = b->aggregate_views[a].watermark_after =
            WATERMARK_NONE;
    for (uint32_t i = 0; i < b->fills->count; i++) {
        const sl_fill *fill = &b->fills->items[i];
        b->aggregate_views[fill->aggregate].watermark_before = closing_watermark(b, fill);
    }
    b->view = (batch_view){ .plan = &b->own,
                            .now_ms = now_ms,
                            .sources = b->views,
                            .aggregates = b->aggregate_views,
                            .distincts = b->distinct_views,
                            .poison = b->p->poison.count ? &b->p->poison : NULL };
}

/* Whether it has noticed that it is to stop; false: it never will. */
static bool has_ended(backfill *b) {
    while (b->ticket && !jobs_wait_some(b->thread, b->ticket, LOOK_MS))
        if (b->has_hung) return false;
    return true;
}

bool backfill_free(backfill *b) {
    if (!b) return true;
    b->stop = 1;
    if (!has_ended(b)) return false;
    jobs_free(b->thread);
    if (b->sources) backfill_close(b);
    if (b->side) b->side->script = NULL;
    worker_free(b->side, b->plan);
    chunk_free(b->chunk);
    mem_free(b->aggregates);
    mem_free(b->depths);
    mem_free(b->views);
    mem_free(b->aggregate_views);
    mem_free(b->distinct_views);
    mem_free(b->last);
    buf_done(&b->ranges);
    err_free(b->error);
    backfill_forget(b->own_fills);
    mem_free(b->base);
    mem_free(b);
    return true;
}

static err *check_can(const pipeline *p, const backfill *b) {
    if (p->local && p->local->base && local_has_spilled(p))
        return err_new(ERR_REFUSED, "`backfill`: part of the state is on disk, and groups there "
                                    "cannot be filled: leave it out, and what is new starts empty");
    for (uint32_t i = 0; i < p->input_count; i++)
        for (uint32_t n = 0; b->sources[i].is_read && n < p->inputs[i].partition_count; n++)
            if (!strcmp(p->inputs[i].partitions[n].topic, "-"))
                return err_new(ERR_REFUSED, "`backfill`: standard input cannot be read again: "
                                            "leave it out, and what is new starts empty");
    return NULL;
}

err *backfill_new(pipeline *p, const sl_plan *plan, worker *by, const fill_list *fills,
                  const recorded *planned, backfill **out) {
    backfill *b = mem_zalloc(1, sizeof *b);
    b->p = p;
    b->plan = plan;
    b->by = by->script;
    b->fills = fills;
    b->planned = planned;
    b->most_bytes = budget_bytes(p);
    buf_init(&b->ranges);
    b->began_ms = b->told_ms = clock_steady_ms(&(clock_source){ 0 });
    make_plan(b);
    find_sources(b);
    find_times(b);
    make_view(b, planned ? planned->refill_now_ms : pipeline_now_ms(p));
    b->chunk = chunk_new(plan->step_count);
    b->chunk_records = has_flat_map(plan) ? SMALL_CHUNK : VECTOR_ROWS;
    err *e = check_can(p, b);
    if (!e) e = worker_new(plan, by->script, 0, 1, &b->side);
    if (!e) backfill_aim(b);
    if (e)
        backfill_free(b);
    else
        *out = b;
    return e;
}

/* -- putting together */

typedef struct filling {
    const backfill *b;
    const int64_t *watermarks; /* by fill */
    worker **into;             /* NULL: who runs */
} filling;

static err *fill_phase(worker *w, void *arg) {
    const filling *f = arg;
    const backfill *b = f->b;
    for (uint32_t i = 0; i < b->fills->count; i++)
        refill_groups(b->plan, &b->fills->items[i], f->watermarks[i], b->side,
                      f->into ? f->into[w->number] : w);
    return NULL;
}

static char *record_of(const backfill *b) {
    buf text = { 0 };
    buf_printf(&text, "\"refill\":{\"processing_time\":%" PRId64 ",\"since\":%" PRId64,
               b->view.now_ms, b->since_ms);
    buf_put_text(&text, ",\"ranges\":[");
    buf_put(&text, b->ranges.data, b->ranges.len);
    buf_put_text(&text, "]}");
    char *copy = mem_copy_text(text.data, text.len);
    buf_done(&text);
    return copy;
}

char *backfill_put(pipeline *p, const backfill *b, worker **into) {
    if (b->is_empty) return NULL;
    int64_t *watermarks = mem_alloc(b->fills->count * sizeof *watermarks);
    for (uint32_t i = 0; i < b->fills->count; i++)
        watermarks[i] = closing_watermark(b, &b->fills->items[i]);
    filling f = { .b = b, .watermarks = watermarks, .into = into };
    err_free(crew_run(p->crew, fill_phase, &f, true));
    mem_free(watermarks);
    log_info(p->system.log, "what is new is filled", log_number("records", b->done),
             log_number("thrown_out", b->thrown), log_number("since", b->since_ms),
             log_number("ms", clock_steady_ms(&(clock_source){ 0 }) - b->began_ms));
    crash_point("backfill_filled");
    return record_of(b);
}

err *backfill_read_here(pipeline *p, backfill *b) {
    p->filler = b;
    err *e = backfill_read(b);
    p->filler = NULL;
    return e;
}

const sl_partition *backfill_partition(const pipeline *p, uint32_t source, uint32_t partition) {
    const input *in = &p->filler->sources[source].input;
    return partition < in->partition_count ? &in->partitions[partition] : NULL;
}

/* -- at a start */

static err *fill_now(pipeline *p, const recorded *planned) {
    backfill *b = NULL;
    err *e = backfill_new(p, p->plan, crew_worker(p->crew, 0), p->fills, planned, &b);
    if (!e) e = backfill_read_here(p, b);
    mem_free(p->refilled);
    p->refilled = e ? NULL : backfill_put(p, b, NULL);
    backfill_free(b);
    return e;
}

err *backfill_due(pipeline *p) {
    if (!p->fills) return NULL;
    const recorded *planned = ahead_planned(p);
    err *e = planned && !planned->has_refill ? NULL : fill_now(p, planned);
    if (e) return e;
    backfill_forget(p->fills);
    p->fills = NULL;
    return NULL;
}

void backfill_done(pipeline *p) {
    mem_free(p->refilled);
    p->refilled = NULL;
}
