#include "runtime/flow/walk.h"

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/collect.h"
#include "runtime/operator/operators.h"

enum { FIRST_RECORDS = 64,
       MOST_ROWS = 4 * VECTOR_ROWS };

/* One round, one level. */
typedef struct walk {
    pipeline *p;
    const batch_view *view;
    uint32_t count; /* of chunks; fewer once one has failed */
    uint32_t level;
} walk;

static uint32_t deepest(const sl_plan *plan, uint32_t root, const sl_feed *feeds, uint32_t count,
                        uint32_t level, uint32_t least) {
    for (uint32_t i = 0; i < count; i++)
        if (plan->steps[feeds[i].step].root == root && level > least) least = level;
    return least;
}

static bool has_flat_map(const sl_plan *plan) {
    for (uint32_t s = 0; s < plan->step_count; s++)
        for (uint32_t k = 0; k < plan->steps[s].output_count; k++)
            if (plan->steps[s].outputs[k].kind == SL_TO_EXPAND) return true;
    return false;
}

void walk_init(pipeline *p) {
    const sl_plan *plan = p->plan;
    p->adapts = has_flat_map(plan);
    p->chunk_now = p->adapts && p->chunk_records > FIRST_RECORDS ? FIRST_RECORDS : p->chunk_records;
    p->depths = mem_zalloc(plan->step_count, sizeof *p->depths);
    for (uint32_t s = 0; s < plan->step_count; s++) {
        uint32_t root = plan->steps[s].root, depth = p->depths[root];
        if (plan->steps[s].level > depth) depth = plan->steps[s].level;
        for (uint32_t a = 0; a < plan->aggregate_count; a++) {
            const sl_aggregate *of = &plan->aggregates[a];
            depth = deepest(plan, root, of->feeds, of->feed_count, of->level, depth);
        }
        for (uint32_t d = 0; d < plan->distinct_count; d++) {
            const sl_distinct *of = &plan->distincts[d];
            depth = deepest(plan, root, of->feeds, of->feed_count, of->level, depth);
        }
        p->depths[root] = depth;
    }
}

uint32_t walk_chunk_records(const pipeline *p) {
    return p->chunk_now < p->chunk_records ? p->chunk_now : p->chunk_records;
}

/* The most rows that a chunk of the round had at any step. */
static uint32_t most_rows(const pipeline *p, uint32_t count) {
    uint32_t most = 0;
    for (uint32_t i = 0; i < count; i++) {
        const chunk *c = p->chunks[i];
        for (uint32_t s = c->root; s < p->plan->step_count; s++) {
            if (p->plan->steps[s].root != c->root) continue;
            if (chunk_rows(c, s)->count > most) most = chunk_rows(c, s)->count;
        }
    }
    return most;
}

/* What the round has shown decides how much the next one takes. */
static void adapt_chunks(pipeline *p, uint32_t count) {
    uint32_t most = most_rows(p, count);
    if (most > MOST_ROWS)
        p->chunk_now = (uint32_t)((uint64_t)p->chunk_now * MOST_ROWS / most);
    else if (most < MOST_ROWS / 2 && p->chunk_now < p->chunk_records)
        p->chunk_now *= 2;
    if (!p->chunk_now) p->chunk_now = 1;
}

static err *function_phase(worker *w, void *arg) {
    const walk *k = arg;
    for (uint32_t i = w->number; i < k->count; i += w->count) {
        chunk *c = k->p->chunks[i];
        w->failed_at[0] = i;
        w->failed_at[1] = 0;
        err *e = NULL;
        if (!k->level && c->source != NO_SOURCE) e = prepare_chunk(w, k->view, c);
        if (!e) e = advance_chunk(w, k->view, c, k->level);
        if (e) return e;
    }
    return NULL;
}

static err *shard_phase(worker *w, void *arg) {
    const walk *k = arg;
    for (uint32_t i = 0; i < k->count; i++) {
        w->failed_at[0] = i;
        err *e = distinct_chunk(w, k->view, k->p->chunks[i], k->level);
        if (!e) e = fold_chunk(w, k->view, k->p->chunks[i], k->level);
        if (e) return e;
    }
    return NULL;
}

/* A phase; after an error only what comes before it goes on, and fails more to the point. */
static err *run_phase(walk *k, crew_phase phase, bool threaded, err *later) {
    err *e = k->count ? crew_run(k->p->crew, phase, k, threaded) : NULL;
    if (!e) return later;
    err_free(later);
    k->count = (uint32_t)crew_failed(k->p->crew)->failed_at[0];
    return e;
}

err *walk_round(pipeline *p, const batch_view *view, uint32_t count, bool threaded) {
    walk k = { .p = p, .view = view, .count = count };
    uint32_t depth = 0;
    err *e = NULL;
    for (uint32_t i = 0; i < count; i++)
        if (p->depths[p->chunks[i]->root] > depth) depth = p->depths[p->chunks[i]->root];
    for (k.level = 0; k.level <= depth; k.level++) {
        e = run_phase(&k, function_phase, threaded, e);
        e = run_phase(&k, shard_phase, threaded, e);
    }
    if (!e && p->adapts) adapt_chunks(p, count);
    return e;
}

/* The results of all workers in one order, numbered. No group is on two workers. */
static void merge_results(pipeline *p) {
    uint32_t count = crew_count(p->crew);
    uint32_t *at = mem_zalloc(count, sizeof *at);
    onward_list_reset(&p->onward);
    for (;;) {
        const onward *least = NULL;
        uint32_t from = 0;
        for (uint32_t w = 0; w < count; w++) {
            const onward_list *list = &crew_worker(p->crew, w)->onward;
            if (at[w] == list->count) continue;
            if (least && onward_compare(least, &list->items[at[w]]) <= 0) continue;
            least = &list->items[at[w]];
            from = w;
        }
        if (!least) break;
        least->row->record = p->onward.count;
        onward_list_add(&p->onward, least);
        at[from]++;
    }
    mem_free(at);
}

/* Cut the next chunks off the results. */
static uint32_t cut_results(pipeline *p, uint32_t aggregate, uint32_t *next) {
    uint32_t count = 0;
    while (*next < p->onward.count && count < p->chunk_room) {
        uint32_t left = p->onward.count - *next;
        chunk *c = p->chunks[count++];
        c->source = NO_SOURCE;
        c->aggregate = aggregate;
        c->root = p->plan->aggregates[aggregate].step;
        c->onward = p->onward.items;
        c->first_record = *next;
        c->record_count = left < walk_chunk_records(p) ? left : walk_chunk_records(p);
        *next += c->record_count;
    }
    return count;
}

err *walk_results(pipeline *p, const batch_view *view, uint32_t aggregate, bool threaded) {
    uint32_t next = 0, count;
    merge_results(p);
    collect_results_begin(p);
    while ((count = cut_results(p, aggregate, &next))) {
        err *e = walk_round(p, view, count, threaded);
        if (e) return e;
        collect_round(p, view, count);
    }
    collect_results_end(p);
    return NULL;
}
