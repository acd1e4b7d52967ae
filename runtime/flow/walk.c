#include "runtime/flow/walk.h"

#include <assert.h>
#include <pthread.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/collect.h"
#include "runtime/flow/probe.h"
#include "runtime/operator/operators.h"

enum { FIRST_RECORDS = 64,
       MOST_ROWS = 4 * VECTOR_ROWS };

/* One walk. */
typedef struct walk {
    pipeline *p;
    const batch_view *view;
    const walk_plan *plan;
    pthread_mutex_t lock; /* guards what follows */
    err *error;           /* the one that comes first so far */
    uint64_t failed[2];   /* where it stands: chunk, and worker.failed_at */
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

uint32_t *walk_depths(const sl_plan *plan) {
    uint32_t *depths = mem_zalloc(plan->step_count, sizeof *depths);
    for (uint32_t s = 0; s < plan->step_count; s++) {
        uint32_t root = plan->steps[s].root, depth = depths[root];
        if (plan->steps[s].level > depth) depth = plan->steps[s].level;
        for (uint32_t a = 0; a < plan->aggregate_count; a++) {
            const sl_aggregate *of = &plan->aggregates[a];
            depth = deepest(plan, root, of->feeds, of->feed_count, of->level, depth);
        }
        for (uint32_t d = 0; d < plan->distinct_count; d++) {
            const sl_distinct *of = &plan->distincts[d];
            depth = deepest(plan, root, of->feeds, of->feed_count, of->level, depth);
        }
        depths[root] = depth;
    }
    return depths;
}

void walk_init(pipeline *p) {
    p->adapts = has_flat_map(p->plan);
    p->chunk_now = p->adapts && p->chunk_records > FIRST_RECORDS ? FIRST_RECORDS : p->chunk_records;
    p->depths = walk_depths(p->plan);
}

uint32_t walk_chunk_records(const pipeline *p) {
    return p->chunk_now < p->chunk_records ? p->chunk_now : p->chunk_records;
}

/* The most rows that the chunk had at any step. */
static uint32_t most_rows(const pipeline *p, const chunk *c) {
    uint32_t most = 0;
    for (uint32_t s = c->root; s < p->plan->step_count; s++) {
        if (p->plan->steps[s].root != c->root) continue;
        if (chunk_rows(c, s)->count > most) most = chunk_rows(c, s)->count;
    }
    return most;
}

/* What a chunk has shown decides how much later ones take. */
static void adapt_chunks(pipeline *p, const chunk *c) {
    uint32_t most = most_rows(p, c), now = p->chunk_now;
    if (most > MOST_ROWS)
        now = (uint32_t)((uint64_t)now * MOST_ROWS / most);
    else if (most < MOST_ROWS / 2 && now < p->chunk_records)
        now *= 2;
    p->chunk_now = now ? now : 1;
}

/* Functions of a level, those that make its rows before the first. */
static err *do_functions(worker *w, const batch_view *view, chunk *c, uint32_t level) {
    err *e = NULL;
    if (!level && c->source != NO_SOURCE) e = prepare_chunk(w, view, c);
    return e ? e : advance_chunk(w, view, c, level);
}

static err *do_share(worker *w, worker *of, const batch_view *view, chunk *c, uint32_t level) {
    const sl_plan *plan = view->plan;
    err *e = plan->distinct_count ? distinct_chunk(w, of, view, c, level) : NULL;
    if (plan->distinct_count) laps_add(w->laps, LAP_DISTINCT);
    if (!e && plan->aggregate_count) e = fold_chunk(w, of, view, c, level);
    if (plan->aggregate_count) laps_add(w->laps, LAP_FOLD);
    return e;
}

static err *do_turn(const walk *k, worker *w, const turn *t) {
    pipeline *p = k->p;
    chunk *c = p->chunks[t->place];
    switch (t->kind) {
    case TURN_FUNCTIONS: return do_functions(w, k->view, c, t->level);
    case TURN_SHARE: return do_share(w, crew_worker(p->crew, t->share), k->view, c, t->level);
    case TURN_COLLECT: break;
    }
    if (p->probe) probe_chunk(p->probe, p, k->view, c);
    collect_chunk(p, k->view, c);
    laps_add(w->laps, LAP_COLLECT);
    if (p->adapts) adapt_chunks(p, c);
    return NULL;
}

/* Keep the error that one worker would have met first. */
static void keep_error(walk *k, err *e, uint64_t number, uint64_t place) {
    pthread_mutex_lock(&k->lock);
    bool is_first = !k->error || number < k->failed[0] ||
                    (number == k->failed[0] && place < k->failed[1]);
    err *dropped = is_first ? k->error : e;
    if (is_first) {
        k->error = e;
        k->failed[0] = number;
        k->failed[1] = place;
    }
    pthread_mutex_unlock(&k->lock);
    err_free(dropped);
}

static err *work_phase(worker *w, void *arg) {
    walk *k = arg;
    turn t;
    if (!w->number && k->plan->beside) {
        k->plan->beside(k->p);
        laps_add(w->laps, LAP_FETCH);
    }
    while (turns_take(k->p->turns, w->number, &t)) {
        w->failed_at[1] = 0;
        w->notes = &k->p->chunks[t.place]->notes;
        laps_mark(w->laps);
        err *e = do_turn(k, w, &t);
        w->notes = &w->own_notes;
        if (e) keep_error(k, e, t.number, w->failed_at[1]);
        turns_done(k->p->turns, &t, e != NULL);
    }
    return NULL;
}

static bool cut(void *arg, uint32_t place) {
    const walk *k = arg;
    chunk *c = k->p->chunks[place];
    c->notes.count = 0;
    return k->plan->cut(k->plan->arg, c);
}

err *walk_chunks(pipeline *p, const batch_view *view, const walk_plan *plan) {
    walk k = { .p = p, .view = view, .plan = plan };
    bool has_state = p->plan->aggregate_count || p->plan->distinct_count;
    pthread_mutex_init(&k.lock, NULL);
    turns_begin(p->turns, plan->depth, has_state, cut, &k);
    err *e = crew_run(p->crew, work_phase, &k, plan->threaded);
    assert(!e);
    pthread_mutex_destroy(&k.lock);
    return k.error;
}

err *walk_alone(pipeline *p, const batch_view *view, chunk *c) {
    worker *w = crew_worker(p->crew, 0);
    err *e = NULL;
    c->notes.count = 0;
    w->notes = &c->notes;
    for (uint32_t level = 0; !e && level <= p->depths[c->root]; level++) {
        e = do_functions(w, view, c, level);
        for (uint32_t i = 0; !e && i < crew_count(p->crew); i++)
            e = do_share(w, crew_worker(p->crew, i), view, c, level);
    }
    w->notes = &w->own_notes;
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

/* Results of one aggregation that go on, being cut. */
typedef struct results {
    pipeline *p;
    uint32_t aggregate, next;
} results;

static bool cut_results(void *arg, chunk *c) {
    results *r = arg;
    const pipeline *p = r->p;
    uint32_t left = p->onward.count - r->next, most = walk_chunk_records(p);
    if (!left) return false;
    c->source = NO_SOURCE;
    c->aggregate = r->aggregate;
    c->root = p->plan->aggregates[r->aggregate].step;
    c->onward = p->onward.items;
    c->first_record = r->next;
    c->record_count = left < most ? left : most;
    r->next += c->record_count;
    return true;
}

err *walk_results(pipeline *p, const batch_view *view, uint32_t aggregate, bool threaded) {
    results r = { .p = p, .aggregate = aggregate };
    walk_plan plan = { .cut = cut_results,
                       .arg = &r,
                       .depth = p->depths[p->plan->aggregates[aggregate].step],
                       .threaded = threaded };
    merge_results(p);
    collect_results_begin(p);
    err *e = walk_chunks(p, view, &plan);
    if (!e) collect_results_end(p);
    return e;
}
