#include "runtime/operator/blame.h"

#include <inttypes.h>
#include <stdio.h>

#include "runtime/base/err.h"
#include "runtime/script/trying.h"

static err *record_failure(worker *w, const batch_view *b, const chunk *c, const sl_row *row,
                           const char *doing) {
    const source_view *view = &b->sources[c->source];
    const sl_partition *p = &view->partitions[row->partition];
    return err_new(ERR_SCRIPT,
                   "%s\nwhile %s %s:%d:%" PRId64
                   "; on_error = \"fail\" stops here, \"quarantine\" would go on",
                   worker_failure(w), doing, p->topic, p->number, row->offset);
}

/* A row that stems from a result: its group and window are named. */
static err *result_failure(worker *w, const batch_view *b, const chunk *c, const sl_row *row,
                           const char *doing) {
    const sl_aggregate *plan = &b->plan->aggregates[c->aggregate];
    const onward *from = &c->onward[row->record];
    char window[80] = "";
    buf group;
    buf_init(&group);
    encode_value(w->group_encoders[c->aggregate], &group, from->row, &(uint64_t){ 0 });
    if (plan->window.kind != SL_WINDOW_NONE)
        snprintf(window, sizeof window, ", window [%" PRId64 ", %" PRId64 ")", from->window_start,
                 from->window_end);
    err *e = err_new(ERR_SCRIPT, "%s\nwhile %s the result of `%.*s`, group %s%s", worker_failure(w),
                     doing, (int)plan->name.len, plan->name.data, buf_text(&group), window);
    buf_done(&group);
    return e;
}

err *blame_row(worker *w, const batch_view *b, const chunk *c, const sl_row *row, uint32_t number,
               uint32_t place, const char *doing) {
    if (b->on_trial && script_was_interrupted(w->script))
        return err_new(ERR_SCRIPT, "%s", worker_failure(w)); /* one is enough to go back */
    if (c->source == NO_SOURCE) return result_failure(w, b, c, row, doing);
    if (b->plan->on_error == SL_ON_ERROR_FAIL) return record_failure(w, b, c, row, doing);
    worker_note(w, (note){ .kind = NOTE_THREW,
                           .place = place,
                           .row = number,
                           .source = c->source,
                           .record = row->record,
                           .path = "",
                           .reason = worker_failure(w) });
    return NULL;
}
