#include "runtime/flow/rehearse.h"

#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/ahead.h"
#include "runtime/flow/batch.h"
#include "runtime/flow/closing.h"
#include "runtime/flow/collect.h"
#include "runtime/flow/walk.h"
#include "runtime/operator/operators.h"

typedef struct rehearsal {
    pipeline *p;
    batch_view view;
    uint32_t aggregate; /* being emitted */
} rehearsal;

static void settle_input(pipeline *p, uint32_t i) {
    const recorded_source *was = NULL;
    input *in = &p->inputs[i];
    if (ahead_planned(p)) {
        err_free(ahead_source(p, i, &was));
        if (was) input_judge_again(in, was);
    } else {
        err_free(input_judge(in, p->since_ms));
    }
    input_settle(in);
}

/* Watermarks behind the batch, by aggregate. */
static aggregate_view *settle(pipeline *p, const batch_view *view) {
    uint32_t count = p->plan->aggregate_count;
    aggregate_view *settled = mem_alloc((count + 1u) * sizeof *settled);
    watermark_input *sources = mem_alloc((p->input_count + 1u) * sizeof *sources);
    bool stands_still = closing_stands_still(p);
    for (uint32_t i = 0; i < p->input_count; i++) {
        if (!stands_still) settle_input(p, i);
        if (view->is_flush) watermark_finish(&p->inputs[i].watermark);
        sources[i] = watermark_input_of(&p->inputs[i].watermark);
    }
    int64_t *next = batch_meet(p, sources);
    memcpy(settled, view->aggregates, count * sizeof *settled);
    for (uint32_t a = 0; a < count; a++) settled[a].watermark_after = next[a];
    mem_free(sources);
    mem_free(next);
    return settled;
}

static err *emit_phase(worker *w, void *arg) {
    const rehearsal *r = arg;
    outbox *boxes = collect_boxes(r->p, w->number);
    return emit_aggregate(w, &r->view, r->aggregate, r->p->stages.aggregates[r->aggregate].reached,
                          boxes, boxes + SL_MAX_OUTPUTS);
}

void rehearse_results(pipeline *p, const batch_view *view) {
    rehearsal r = { .p = p, .view = *view };
    const sl_plan *plan = p->plan;
    aggregate_view *aggregates = settle(p, view);
    r.view.aggregates = aggregates;
    crew_be_alone(p->crew);
    err *e = NULL;
    for (; !e && r.aggregate < plan->aggregate_count; r.aggregate++) {
        uint32_t a = r.aggregate;
        collect_begin(p);
        e = closing_emit(p, &r.view, &aggregates[a], a, false);
        if (!e) e = crew_run(p->crew, emit_phase, &r, false);
        if (!e) e = collect_results(p, a);
        if (!e && plan->steps[plan->aggregates[a].step].going_on)
            e = walk_results(p, &r.view, a, false);
    }
    err_free(e);
    mem_free(aggregates);
}
