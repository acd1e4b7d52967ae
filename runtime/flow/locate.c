#include "runtime/flow/locate.h"

#include <inttypes.h>

#include "runtime/base/err.h"
#include "runtime/flow/walk.h"
#include "runtime/operator/operators.h"

void locate_chunk(const pipeline *p, chunk *c, uint32_t source, uint32_t record) {
    c->source = source;
    c->root = p->plan->sources[source].step;
    c->first_record = record;
}

/* Whether a row of the chunk went to the group with `hash` of the aggregation. */
static bool chunk_reaches(const sl_plan *plan, const chunk *c, uint32_t aggregate, uint64_t hash) {
    for (uint32_t f = 0; f < plan->aggregates[aggregate].feed_count; f++) {
        sl_feed feed = plan->aggregates[aggregate].feeds[f];
        if (plan->steps[feed.step].root != c->root) continue;
        const grouping *g = &chunk_rows(c, feed.step)->groups[feed.output];
        for (uint32_t i = 0; i < g->count; i++)
            if (g->hashes[i] == hash) return true;
    }
    return false;
}

static void begin_again(pipeline *p) {
    for (uint32_t i = 0; i < crew_count(p->crew); i++) {
        worker_end(crew_worker(p->crew, i), p->plan, false);
        worker_begin(crew_worker(p->crew, i), p->plan);
    }
}

/* Walk one record alone, as the batch did. */
static bool walk_record(pipeline *p, const batch_view *view, uint32_t source, uint32_t i) {
    locate_chunk(p, p->chunks[0], source, i);
    p->chunks[0]->record_count = 1;
    err *e = walk_alone(p, view, p->chunks[0]);
    err_free(e);
    return !e;
}

err *locate_record(pipeline *p, const batch_view *view, err *e) {
    worker *w = crew_failed(p->crew);
    uint32_t aggregate;
    uint64_t hash = emit_failed_group(w, &aggregate);
    const sl_record *since = NULL;
    uint32_t source = 0;
    if (!stage_has_sources_only(&p->stages.aggregates[aggregate])) return e;
    begin_again(p);
    bool fails = emit_fails_again(w, view);
    for (uint32_t s = 0; s < p->input_count; s++) {
        for (uint32_t i = 0; i < view->sources[s].record_count; i++) {
            if (!walk_record(p, view, s, i)) continue;
            if (!chunk_reaches(p->plan, p->chunks[0], aggregate, hash)) continue;
            bool before = fails;
            fails = emit_fails_again(w, view);
            if (fails && !before) since = &view->sources[s].records[i], source = s;
        }
    }
    if (!since) return e;
    const sl_partition *at = &view->sources[source].partitions[since->partition];
    err *located = err_new(e->code, "%s, since %s:%d:%" PRId64, e->message, at->topic, at->number,
                           since->offset);
    err_free(e);
    return located;
}
