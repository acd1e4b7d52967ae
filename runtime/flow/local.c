#include "runtime/flow/local.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/flow/budget.h"
#include "runtime/flow/keeper.h"
#include "runtime/flow/replay.h"
#include "runtime/operator/stored.h"
#include "state/spill.h"

enum {
    REMOTE_BYTES = 16 << 20, /* of a state whose transfer takes longer than a base costs */
    SMALL_BYTES = 64 << 20,  /* below it a full object in the batch is no pause */
    LONG_CHAIN = 1000,       /* objects */
    FITS = 4,                /* on disk an entry takes about half of what it takes in memory */
    FILTERS = 4,             /* filters get one part in so many of the budget */
    REST = 10,               /* the making of full objects takes one part in so many of the time */
    PART_SHARE = 16,         /* three parts of a full object are in memory, each one in so many */
    LEAST_PART_BYTES = 4 << 20,
};

void local_new(pipeline *p, const pipeline_options *options) {
    const sl_checkpoint *plan = &p->plan->checkpoint;
    local *l = p->local = mem_zalloc(1, sizeof *l);
    const char *given = options->replay ? options->replay->folder : NULL;
    if (given)
        l->folder = mem_copy_text(given, strlen(given));
    else if (!options->replay && plan->state_dir.data && stored_count(p->plan))
        l->folder = mem_copy_text(plan->state_dir.data, plan->state_dir.len);
    l->is_remote = plan->url.len > 5 && memcmp(plan->url.data, "file:", 5) != 0 &&
                   memcmp(plan->url.data, "memory:", 7) != 0;
    l->in_line = options->keeps_in_line;
}

/* Workers read what is spilled. */
static void lend(const pipeline *p) {
    for (uint32_t n = 0; n < crew_count(p->crew); n++)
        crew_worker(p->crew, n)->base = p->local->base;
}

static void leave(pipeline *p) {
    base_close(p->local->base);
    p->local->base = NULL;
    lend(p);
}

/* thread: any, what is asked does not change. */
static base_way way_of(void *arg, const char *name) {
    const pipeline *p = arg;
    uint32_t number = stored_find(p->plan, name);
    int32_t spills = number < stored_count(p->plan) ? budget_way_of(p, number) : SL_SPILL_NONE;
    if (spills == SL_SPILL_NONE) return BASE_IN_ROCKS;
    return spills == SL_SPILL_CACHED ? BASE_LOOKED_INTO : BASE_IN_FILES;
}

static err *begin(pipeline *p) {
    local *l = p->local;
    const keeper *k = p->keeper;
    base_config config = {
        .folder = l->folder,
        .pipeline = k->name,
        .store_id = checkpoint_store_id(k->checkpoint),
        .shards = p->plan->shards,
        .memory_bytes = budget_base_bytes(p),
        .filter_bytes = budget_bytes(p) / FILTERS,
        .log = p->system.log,
        .in_line = l->in_line,
        .way_of = way_of,
        .way_of_arg = p,
    };
    err *e = base_open(&config, &l->base);
    if (!e && !l->fulls) e = jobs_new(l->in_line, &l->fulls);
    lend(p);
    return e;
}

void local_follow(void *arg, const pointer *p, image *m) {
    local *l = arg;
    if (l->base)
        base_follow(l->base, p, m);
    else
        image_free(m);
}

bool local_stands_at(const pipeline *p, pointer *at) {
    const local *l = p->local;
    return l && l->base && base_stands_at(l->base, at);
}

bool local_has_spilled(const pipeline *p) {
    const worker *w = crew_worker(p->crew, 0);
    for (uint32_t i = 0; i < stored_count(p->plan); i++) {
        uint32_t count;
        const table *t = stored_table(w, p->plan, i);
        pane *const *panes = t ? table_panes(t, &count) : NULL;
        for (uint32_t k = 0; panes && k < count; k++)
            if (pane_is_spilled(panes[k]) || pane_is_cached(panes[k])) return true;
    }
    return false;
}

/* -- while the chain is loaded */

/* Objects of such state are the base's, which puts what is no table into the first part. */
static bool names_spilled(image_reader *object) {
    image_view view;
    bool found = false;
    image_rewind(object);
    while (!found && image_next_here(object, &view)) found = view.kind == IMAGE_SPILLED;
    image_rewind(object);
    return found;
}

/* More than the budget by itself, and the base can hold what memory cannot. Of an object that is
 * read part by part only the first is there, and most others are as long. */
static bool is_too_large(const pipeline *p, const image_reader *object) {
    size_t bytes = image_read_bytes(object);
    bool can_spill = false;
    for (uint32_t i = 0; i < stored_count(p->plan); i++)
        can_spill |= budget_way_of(p, i) != SL_SPILL_NONE;
    if (p->plan->checkpoint.on_state_limit == SL_LIMIT_FAIL) return false;
    if (!image_keeps(object)) bytes *= image_part_total(object);
    return can_spill && bytes > budget_bytes(p) / 4 * 3;
}

err *local_take(pipeline *p, const pointer *at, image_reader *object, bool *takes) {
    local *l = p->local;
    pointer stands;
    *takes = false;
    bool is_full = image_head_of(object)->is_full;
    if (is_full && l->folder && (names_spilled(object) || is_too_large(p, object))) {
        err *e = l->base ? NULL : begin(p);
        if (e) return e;
    } else if (!local_stands_at(p, &stands)) {
        return NULL;
    } else if (is_full) {
        return base_reset(l->base); /* the chain did not pass it */
    }
    *takes = true;
    return base_add(l->base, at, object);
}

/* -- full objects */

typedef struct full_job {
    local *l;
    checkpoint *c;
    logger *log;
    size_t part_bytes;
    uint64_t bytes;
} full_job;

/* thread: that of full objects. */
static err *give_part(void *arg, const pointer *at, uint32_t part, const buf *bytes) {
    full_job *it = arg;
    if (atomic_load(&it->l->ends)) return err_new(ERR_STOPPED, "the run ends");
    it->bytes += bytes->len;
    return checkpoint_put_part(it->c, at, part, bytes);
}

/* thread: that of full objects. */
static void run_full(void *arg) {
    full_job *it = arg;
    err *e = base_make_full(it->l->base, it->part_bytes, give_part, it);
    if (!e) atomic_store(&it->l->full_bytes, it->bytes);
    if (e && e->code != ERR_STOPPED)
        log_warn(it->log, "no full object was made, the chain goes on",
                 log_text("why", e->message));
    err_free(e);
    atomic_store(&it->l->is_making, false);
    mem_free(it);
}

/* The chain is long, beside what one object would have instead. */
static bool is_full_due(const pipeline *p, bool wants) {
    const local *l = p->local;
    checkpoint_facts facts;
    if (!wants) return false;
    checkpoint_facts_of(p->keeper->checkpoint, &facts);
    uint64_t full = atomic_load(&l->full_bytes);
    int64_t now = clock_steady_ms(p->system.clock);
    if (l->began_ms && now - l->began_ms < REST * l->full_ms) return false;
    return facts.chain_length > LONG_CHAIN || facts.chain_bytes > 2 * full;
}

/* Small ones where memory is. */
static size_t part_bytes_of(const pipeline *p) {
    size_t bytes = budget_bytes(p) / PART_SHARE;
    if (bytes < LEAST_PART_BYTES) return LEAST_PART_BYTES;
    return bytes < IMAGE_PART_BYTES ? bytes : IMAGE_PART_BYTES;
}

static void make_full(pipeline *p) {
    local *l = p->local;
    if (atomic_load(&l->is_making)) return;
    full_job *it = mem_alloc(sizeof *it);
    *it = (full_job){ .l = l, .c = p->keeper->checkpoint, .log = p->system.log };
    it->part_bytes = part_bytes_of(p);
    atomic_store(&l->is_making, true);
    l->began_ms = clock_steady_ms(p->system.clock);
    l->full_ticket = jobs_add(l->fulls, run_full, it);
}

bool local_wants_full(pipeline *p, bool wants, size_t held_bytes) {
    local *l = p->local;
    pointer at;
    if (!l || !l->base) return wants;
    bool has_spilled = local_has_spilled(p);                /* then memory alone cannot make one */
    if (!base_stands_at(l->base, &at)) return !has_spilled; /* it waits for one */
    if (held_bytes < SMALL_BYTES && !has_spilled) return wants;
    if (l->began_ms && !l->full_ms && !atomic_load(&l->is_making))
        l->full_ms = clock_steady_ms(p->system.clock) - l->began_ms;
    if (is_full_due(p, wants)) make_full(p);
    return false;
}

/* -- between batches */

static void give_up(pipeline *p, err *e) {
    local *l = p->local;
    log_warn(p->system.log, "local state is given up, the run goes on without",
             log_text("why", e->message));
    l->given_up = mem_copy_text(e->message, strlen(e->message));
    err_free(e);
    leave(p);
}

/* Part of the state is there alone: without it the run cannot go on. */
static err *keep_away(const pipeline *p, err *e) {
    err *told = err_new(e->code,
                        "%s; part of the state lies there alone, so the run ends. What is "
                        "committed is safe: make `%s` writable (space, rights, or another "
                        "state_dir), and run it again",
                        e->message, p->local->folder);
    err_free(e);
    return told;
}

/* An error of the base ends the run only if it is needed. */
static err *settle(pipeline *p, err *e) {
    if (!e) return NULL;
    if (local_has_spilled(p)) return keep_away(p, e);
    give_up(p, e);
    return NULL;
}

/* From how large a state on it is worth while. */
static size_t least_bytes(const pipeline *p) {
    size_t most = budget_bytes(p) / 4 * 3;
    return p->local->is_remote && REMOTE_BYTES < most ? REMOTE_BYTES : most;
}

static bool is_time(const pipeline *p, size_t held_bytes) {
    const local *l = p->local;
    return l->folder && !l->base && !l->given_up && held_bytes >= least_bytes(p);
}

/* The state has become so small that the next full object holds it as well. */
static bool is_over(const pipeline *p, size_t held_bytes) {
    const local *l = p->local;
    return l->base && held_bytes < least_bytes(p) / 4 && !local_has_spilled(p) &&
           !atomic_load(&l->is_making);
}

static err *remove_base(pipeline *p) {
    leave(p);
    return base_destroy(p->local->folder);
}

/* What fits into memory is read faster from the objects of a store on this machine: 0.2 us an entry
 * instead of 0.5. */
err *local_find(pipeline *p) {
    char path[4096];
    pointer at;
    local *l = p->local;
    if (!l->folder) return NULL;
    snprintf(path, sizeof path, "%s/CURRENT", l->folder); /* RocksDB's */
    if (access(path, F_OK)) return NULL;
    err *e = begin(p);
    bool fits = !e && !l->is_remote && base_bytes(l->base) < budget_bytes(p) / FITS;
    return fits && base_stands_at(l->base, &at) ? remove_base(p) : e;
}

bool local_is_due(const pipeline *p, size_t held_bytes) {
    return is_over(p, held_bytes) || is_time(p, held_bytes);
}

err *local_keep(pipeline *p, size_t held_bytes) {
    local *l = p->local;
    if (is_over(p, held_bytes)) return remove_base(p);
    err *e = is_time(p, held_bytes) ? begin(p) : NULL;
    if (!e && l->base) e = base_error(l->base);
    if (!e && l->base && base_waiting_bytes(l->base) > budget_base_bytes(p))
        e = base_flush(l->base); /* it is slower than the batches */
    return settle(p, e);
}

err *local_catch_up(pipeline *p) { return settle(p, base_flush(p->local->base)); }

void local_close(local *l) {
    if (!l) return;
    atomic_store(&l->ends, true);
    jobs_free(l->fulls);
    base_close(l->base);
    mem_free(l->folder);
    mem_free(l->given_up);
    mem_free(l);
}
