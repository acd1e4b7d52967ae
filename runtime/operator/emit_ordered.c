#include "runtime/operator/emission.h"

/* The source that a row in order came from: its partition has the row's place there. UINT32_MAX: it
 * was a result. */
static uint32_t source_of(const emission *m, const sl_row *row) {
    const sl_plan *plan = m->b->plan;
    double place = ((const double *)row)[-1]; /* sl_rows_open puts it there */
    for (uint32_t f = 0; f < m->plan->feed_count; f++) {
        uint32_t root = plan->steps[m->plan->feeds[f].step].root;
        for (uint32_t s = 0; s < plan->source_count; s++) {
            const source_view *view = &m->b->sources[s];
            if (plan->sources[s].step == root && row->partition < view->partition_count &&
                view->places[row->partition] == place)
                return s;
        }
    }
    return UINT32_MAX;
}

bool emit_drop_ordered(const emission *m) {
    worker *w = m->w;
    sl_vector *v = w->vector;
    const sl_row *row = v->ordered;
    if (!row || m->b->plan->on_error == SL_ON_ERROR_FAIL) return false;
    const result *of = &w->emit->results[v->pos];
    uint32_t source = source_of(m, row);
    if (source == UINT32_MAX) return false;
    worker_note(w, (note){ .kind = NOTE_THREW,
                           .place = v->node,
                           .source = source,
                           .record = NO_RECORD,
                           .partition = row->partition,
                           .offset = row->offset,
                           .stage = m->aggregate,
                           .window_start = of->window.start,
                           .window_end = of->window.end,
                           .path = "",
                           .reason = worker_failure(w) });
    v->first = v->pos;
    v->resumes = 1;
    v->ordered = NULL;
    return true;
}
