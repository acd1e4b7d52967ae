/* DESIGN. After a restart the base has what the chain says, and the tables are filled from it: what
 * was spilled stays where it is, of the rest the newest panes come first, and once the budget is
 * used up, what can be spilled counts as spilled. State of another layout (`maps`) is read whole:
 * the next object is a full one, and memory alone can make it. */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/budget.h"
#include "runtime/flow/local.h"
#include "runtime/operator/stored.h"
#include "state/spill.h"

enum { IN_MEMORY = 2,    /* an entry takes so many times what it takes on disk */
       MOST_BUDGETS = 4, /* of memory, for a moment */
       LITTLE_BYTES = 16 << 20 };

/* A pane in the base. */
typedef struct found_pane {
    char *name; /* of its table; owned */
    int64_t start;
    uint32_t generation;
    bool is_spilled; /* it was, and stays so */
} found_pane;

typedef struct filling {
    pipeline *p;
    const sl_plan *plan; /* of the tables */
    worker **into;       /* by number: whose tables; NULL: those that run */
    const stored_maps *maps;
    bool whole;       /* nothing stays in the base */
    base_visit *take; /* gets sections that are no tables */
    void *arg;
    found_pane *panes; /* owned */
    uint32_t count, room;
    const image_view *view; /* being loaded */
} filling;

static err *find_pane(void *arg, const char *name, int64_t start, uint32_t generation) {
    filling *f = arg;
    if (f->count == f->room) {
        f->room = f->room ? 2 * f->room : 64;
        f->panes = mem_realloc(f->panes, f->room * sizeof *f->panes);
    }
    f->panes[f->count++] = (found_pane){ .name = mem_copy_text(name, strlen(name)),
                                         .start = start,
                                         .generation = generation };
    return NULL;
}

static bool wants_none(void *arg, const char *name, int64_t start, uint32_t generation) {
    (void)arg, (void)name, (void)start, (void)generation;
    return false;
}

static void mark_spilled(filling *f, const image_view *view) {
    int64_t start;
    uint32_t generation;
    for (uint32_t i = 0; spill_read(view->bytes, view->len, i, &start, &generation); i++) {
        for (uint32_t k = 0; k < f->count; k++) {
            found_pane *found = &f->panes[k];
            found->is_spilled |= found->start == start && found->generation == generation &&
                                 !strcmp(found->name, view->name);
        }
    }
}

/* Sections that are no tables. */
static err *take_plain(void *arg, const image_view *view) {
    filling *f = arg;
    if (view->kind == IMAGE_SPILLED) mark_spilled(f, view);
    return f->take(f->arg, view);
}

static err *load_phase(worker *w, void *arg) {
    const filling *f = arg;
    return worker_load(f->into ? f->into[w->number] : w, f->plan, f->view, f->maps);
}

static err *load_section(void *arg, const image_view *view) {
    filling *f = arg;
    f->view = view;
    return crew_run(f->p->crew, load_phase, f, true);
}

static err *load_pane(filling *f, const found_pane *found) {
    base_range range = { .table = found->name,
                         .start = found->start,
                         .generation = found->generation,
                         .to = UINT64_MAX };
    return base_read_range(f->p->local->base, &range, load_section, f);
}

static void leave_pane(const filling *f, const found_pane *found) {
    uint32_t i = stored_find(f->p->plan, found->name);
    for (uint32_t n = 0; n < crew_count(f->p->crew); n++) {
        table *t = stored_table(crew_worker(f->p->crew, n), f->p->plan, i);
        if (budget_way_of(f->p, i) == SL_SPILL_CACHED)
            table_add_cached(t, found->start);
        else
            table_add_spilled(t, found->start, found->generation);
    }
}

/* Whether it can stay in the base. */
static bool can_stay(const filling *f, const found_pane *found) {
    uint32_t i = stored_find(f->p->plan, found->name);
    if (f->whole || i == stored_count(f->p->plan)) return false;
    return found->is_spilled || budget_way_of(f->p, i) != SL_SPILL_NONE;
}

/* The newest first; of one start the highest generation. */
static int by_age(const void *x, const void *y) {
    const found_pane *a = x, *b = y;
    if (a->start != b->start) return a->start > b->start ? -1 : 1;
    if (a->generation != b->generation) return a->generation > b->generation ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* About what a pane takes in memory. */
static size_t room_of(const filling *f, const found_pane *found) {
    base_range all = { .table = found->name,
                       .start = found->start,
                       .generation = found->generation,
                       .to = UINT64_MAX };
    return base_range_bytes(f->p->local->base, &all) * IN_MEMORY;
}

static err *fill_panes(filling *f) {
    size_t aim = budget_bytes(f->p) / 2, most = budget_bytes(f->p);
    err *e = NULL;
    if (f->count) qsort(f->panes, f->count, sizeof *f->panes, by_age);
    for (uint32_t i = 0; !e && i < f->count; i++) {
        const found_pane *found = &f->panes[i];
        size_t used = budget_used(f->p);
        bool is_full = used > aim || used + room_of(f, found) > most;
        if ((found->is_spilled || is_full) && can_stay(f, found))
            leave_pane(f, found);
        else
            e = load_pane(f, found);
    }
    return e;
}

static void filling_done(filling *f) {
    for (uint32_t i = 0; i < f->count; i++) mem_free(f->panes[i].name);
    mem_free(f->panes);
}

err *local_fill(pipeline *p, const stored_maps *maps, bool whole, base_visit *take, void *arg) {
    filling f = {
        .p = p, .plan = p->plan, .maps = maps, .whole = whole, .take = take, .arg = arg
    };
    base *b = p->local->base;
    err *e = base_list(b, find_pane, &f);
    if (!e) e = base_read(b, wants_none, take_plain, &f);
    if (!e) e = fill_panes(&f);
    filling_done(&f);
    return e;
}

err *local_copy(pipeline *p, const sl_plan *plan, worker **into, const stored_maps *maps) {
    filling f = { .p = p, .plan = plan, .into = into, .maps = maps, .whole = true };
    err *e = base_list(p->local->base, find_pane, &f);
    for (uint32_t i = 0; !e && i < f.count; i++) e = load_pane(&f, &f.panes[i]);
    filling_done(&f);
    return e;
}

err *local_check_whole(const pipeline *p, const char *way_out) {
    size_t bytes = (size_t)base_bytes(p->local->base) * IN_MEMORY;
    if (bytes <= LITTLE_BYTES || bytes / MOST_BUDGETS <= budget_bytes(p)) return NULL;
    return err_new(ERR_REFUSED,
                   "the state has another layout, and is read whole for that: some %zu MiB, more "
                   "than %d times `memory`: %s",
                   bytes >> 20, MOST_BUDGETS, way_out);
}
