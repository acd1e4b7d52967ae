/* DESIGN. Running totals have one pane for ever and one window without bounds. A group goes when
 * its last row is old enough; where final rows are wanted, its last row comes then. */
#include "runtime/operator/emission.h"
#include "runtime/operator/operators.h"
#include "runtime/operator/sweep.h"

/* The groups that have a row, in order. */
static void list_groups(const emission *m, const table *t, bool reached) {
    emit_space *s = m->w->emit;
    bool is_complete = m->plan->mode == SL_COMPLETE;
    groups_begin(&s->groups);
    if (is_complete && !reached) return;
    groups_list(&s->groups, m->panes, m->pane_count, !is_complete, m->b->plan->shards);
    if (!m->plan->final || !s->going_count) return;
    for (uint32_t i = 0; i < s->going_count; i++) {
        entry *e = s->going[i];
        bool is_listed = table_state_before(t, e) != entry_state(e); /* touched */
        if (!is_listed) groups_add(&s->groups, e, 0, m->b->plan->shards);
    }
    groups_sort(&s->groups);
}

err *emit_running(emission *m, table *t, bool reached) {
    emit_space *s = m->w->emit;
    m->panes = table_panes(t, &m->pane_count);
    m->window = (window_bounds){ INT64_MIN, INT64_MAX };
    m->dirty_only = m->plan->mode != SL_COMPLETE;
    emit_list_going(m);
    list_groups(m, t, reached);
    err *e = emit_groups(m);
    for (uint32_t i = 0; !e && i < s->going_count; i++) {
        emit_forget_result(m, &(result){ .group = { .entry = s->going[i] } });
        table_remove(t, m->panes[0], s->going[i]);
    }
    return e ? e : sweep_base(m, t);
}
