/* Where a row of the record went: read off the masks that the phases of its chunk left. */
#include <stdatomic.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/cli/why_facts.h"
#include "runtime/event/window.h"
#include "runtime/script/trying.h"
#include "state/shard.h"

static void add_window(why_stage *s, const sl_window *window, window_bounds at, int64_t close_ms) {
    if (s->window_count == WHY_MOST_WINDOWS) return;
    bool is_late = window_is_late(window, at.end, s->watermark);
    s->windows[s->window_count++] = (why_window){
        .start = at.start,
        .end = at.end,
        .close_ms = close_ms,
        .is_late = is_late,
    };
}

static void add_windows(why_facts *f, const sl_aggregate *a, why_stage *s, const sl_row *row) {
    const sl_window *window = &a->window;
    s->windows = arena_take(&f->memory, WHY_MOST_WINDOWS * sizeof *s->windows, 8);
    s->has_bounds = window_has_bounds(window);
    s->is_own = window_is_own(window) || window->kind == SL_WINDOW_ROLLING;
    bool is_complete = a->mode == SL_COMPLETE;
    if (is_complete) s->watermark = WATERMARK_NONE;
    if (window_is_own(window) || window->kind == SL_WINDOW_NONE) {
        window_bounds own = window_own(window, row->time_ms);
        int64_t close = own.end == INT64_MAX || window->kind == SL_WINDOW_NONE
                            ? INT64_MAX
                            : window_close_time(window, own.end);
        add_window(s, window, own, close);
        return;
    }
    window_bounds at;
    window_run run = window_of_pane(window, window_pane_bounds(window, row->time_ms).start);
    while (window_next(&run, &at))
        add_window(s, window, at, is_complete ? INT64_MAX : window_close_time(window, at.end));
}

static why_fate fate_of(const row_set *set, uint32_t i, uint32_t k, int32_t kind) {
    bool threw = (set->threw_at[i] | atomic_load(&set->folded_out[i])) >> k & 1;
    if (threw) return WHY_THREW;
    if (!(set->outputs[i] >> k & 1)) return WHY_FILTERED;
    if (set->late[i] >> k & 1) return WHY_LATE;
    bool passed = atomic_load(&set->passed[i]) >> k & 1;
    return passed || kind != SL_TO_DISTINCT ? WHY_TAKEN : WHY_DUPLICATE;
}

/* The filters right behind aggregation `a`, in front of one of `outputs`: they are called with the
 * results, from states that are gone. One of them did it, if a result went nowhere. */
static const char *name_filters(why_facts *f, const pipeline *p, uint32_t a, uint32_t outputs,
                                uint32_t *count) {
    static const char FILTER[] = "filter ";
    const sl_aggregate *of = &p->plan->aggregates[a];
    const sl_step *step = &p->plan->steps[of->step];
    buf all, one;
    buf_init(&all);
    buf_init(&one);
    *count = 0;
    for (uint32_t n = 0; n < step->node_count; n++) {
        buf_reset(&one);
        if (!(step->node_outputs[n] & outputs)) continue;
        script_put_function(crew_worker(p->crew, 0)->script, of->emit_driver, step->first_node + n,
                            &one);
        if (strncmp(buf_text(&one), FILTER, sizeof FILTER - 1) != 0) continue;
        buf_printf(&all, "%s%s", (*count)++ ? ", " : "", buf_text(&one));
    }
    const char *found = *count ? why_keep(f, all.data, all.len) : NULL;
    buf_done(&all);
    buf_done(&one);
    return found;
}

/* The same for output `k` alone; where there are several, they are all that is known. */
static const char *find_behind(why_facts *f, const pipeline *p, uint32_t a, uint32_t k) {
    uint32_t count;
    buf text;
    const char *found = name_filters(f, p, a, 1u << k, &count);
    if (count < 2) return found;
    buf_init(&text);
    buf_printf(&text, "one of %s", found);
    found = why_keep(f, text.data, text.len);
    buf_done(&text);
    return found;
}

/* Which filter kept the row from output `k`: the step's functions once more for it, only those in
 * front of that output; the one that was called last did. */
static const char *find_filter(why_facts *f, const pipeline *p, const chunk *c, uint32_t s,
                               uint32_t i, uint32_t k) {
    const sl_step *step = &p->plan->steps[s];
    const worker *w = crew_worker(p->crew, 0);
    sl_vector *v = w->vector;
    uint32_t dead = 0, outputs = 0;
    void *row = chunk_rows(c, s)->rows[i];
    const char *found = NULL;
    buf text;
    if (!step->has_functions) return NULL;
    if (c->source == NO_SOURCE && s == c->root) return find_behind(f, p, c->aggregate, k);
    for (uint32_t n = 0; n < step->node_count; n++)
        if (!(step->node_outputs[n] >> k & 1)) dead |= 1u << n;
    buf_init(&text);
    v->rows = &row;
    v->outputs = &outputs;
    v->dead = &dead;
    v->text = (void *)&c->text;
    v->first = 0;
    v->count = v->guarded = 1;
    v->node = step->node_count;
    if (script_run(w->script, step->driver) && !(outputs >> k & 1))
        script_put_function(w->script, step->driver, v->node, &text);
    if (text.len) found = why_keep(f, text.data, text.len);
    buf_done(&text);
    return found;
}

/* The hash of the key of row `i` among those that go to output `k`. */
static uint64_t hash_of(const row_set *set, uint32_t i, uint32_t k) {
    const grouping *g = &set->groups[k];
    for (uint32_t n = 0; n < g->count; n++)
        if (g->indices[n] == i) return g->hashes[n];
    return 0;
}

static void look_at_aggregation(why_facts *f, const pipeline *p, const row_set *set, uint32_t i,
                                uint32_t k, why_stage *s) {
    const sl_plan *plan = p->plan;
    const sl_aggregate *a = &plan->aggregates[s->index];
    uint32_t count;
    s->order = shard_order(hash_of(set, i, k), plan->shards);
    s->goes_on = plan->steps[a->step].going_on != 0;
    s->filters = name_filters(f, p, s->index, UINT32_MAX, &count);
    s->has_filters = count > 1;
    add_windows(f, a, s, set->rows[i]);
}

/* What is known of the stage itself: its name, the watermark that judged. */
static const sl_string *begin_stage(const batch_view *b, why_stage *s) {
    switch (s->kind) {
    case WHY_SINK: break;
    case WHY_DISTINCT:
        s->watermark = b->distincts[s->index].watermark_before;
        return &b->plan->distincts[s->index].name;
    case WHY_AGGREGATION:
        s->watermark = b->aggregates[s->index].watermark_before;
        return &b->plan->aggregates[s->index].name;
    }
    return &b->plan->sinks[s->index].name;
}

void why_look_at_output(why_facts *f, const pipeline *p, const batch_view *b, const chunk *c,
                        uint32_t s, uint32_t i, uint32_t k) {
    static const why_kind KINDS[] = { [SL_TO_AGGREGATE] = WHY_AGGREGATION,
                                      [SL_TO_DISTINCT] = WHY_DISTINCT,
                                      [SL_TO_SINK] = WHY_SINK };
    const sl_output *out = &b->plan->steps[s].outputs[k];
    const row_set *set = chunk_rows(c, s);
    bool is_sent_already = c->source == NO_SOURCE && s == c->root && out->kind == SL_TO_SINK;
    if (out->kind == SL_TO_EXPAND || is_sent_already || f->stage_count == WHY_MOST_STAGES) return;
    why_stage *stage = &f->stages[f->stage_count++];
    *stage = (why_stage){ .kind = KINDS[out->kind],
                          .index = out->target,
                          .fate = fate_of(set, i, k, out->kind),
                          .time_ms = ((const sl_row *)set->rows[i])->time_ms,
                          .watermark = WATERMARK_NONE,
                          .reached = WATERMARK_NONE,
                          .behind = -1,
                          .batch = b->batch };
    stage->name = why_keep_string(f, begin_stage(b, stage));
    if (stage->fate == WHY_FILTERED) stage->filter = find_filter(f, p, c, s, i, k);
    if (stage->fate == WHY_FILTERED || stage->fate == WHY_THREW || stage->kind == WHY_SINK) return;
    stage->key = why_json(f, out->columns, out->column_count, set->rows[i]);
    if (stage->kind == WHY_AGGREGATION) look_at_aggregation(f, p, set, i, k, stage);
}
