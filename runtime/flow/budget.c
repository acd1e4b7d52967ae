#include "runtime/flow/budget.h"

#include <inttypes.h>
#include <stdlib.h>

#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/flow/commit.h"
#include "runtime/flow/local.h"
#include "runtime/operator/distinct.h"
#include "runtime/operator/stored.h"
#include "state/spill.h"

enum {
    BASE_SHARE = 8, /* the base gets one part in so many of the budget */
    BASE_LEAST = 1 << 20,
    SPILL_TO = 3, /* it is spilled down to so many quarters */
    SHOWN = 5,    /* tables in a message */
    MB = 1 << 20,
};

/* Panes of one start and generation, of all workers. */
typedef struct cold_pane {
    uint32_t table; /* stored_table */
    int64_t start;
    uint32_t generation;
    uint64_t touched; /* number of the batch that did last */
} cold_pane;

typedef struct cold_list {
    cold_pane *items; /* owned */
    uint32_t count, room;
} cold_list;

int32_t budget_way_of(const pipeline *p, uint32_t number) {
    const sl_plan *plan = p->plan;
    uint32_t distincts = 2 * plan->aggregate_count;
    if (number >= distincts) return plan->distincts[number - distincts].spills;
    return plan->aggregates[number / 2].spills;
}

static size_t whole_budget(const pipeline *p) {
    int64_t bytes = p->plan->checkpoint.memory_bytes;
    return bytes > 0 ? (size_t)bytes : SIZE_MAX / 2;
}

size_t budget_base_bytes(const pipeline *p) {
    size_t share = whole_budget(p) / BASE_SHARE;
    return share < BASE_LEAST ? BASE_LEAST : share;
}

size_t budget_bytes(const pipeline *p) {
    return whole_budget(p) - whole_budget(p) / BASE_SHARE;
}

/* A table, and what says when its entries go. */
static size_t used_of(const worker *w, const sl_plan *plan, uint32_t i) {
    const table *t = stored_table(w, plan, i);
    const calendar *due = stored_groups(plan, i) ? w->expiries[i / 2].calendar : NULL;
    return (t ? table_used_bytes(t) : 0) + (due ? calendar_held_bytes(due) : 0);
}

size_t budget_used(const pipeline *p) {
    size_t bytes = p->local && p->local->base ? base_look_bytes(p->local->base) : 0;
    for (uint32_t n = 0; n < crew_count(p->crew); n++) {
        const worker *w = crew_worker(p->crew, n);
        for (uint32_t i = 0; i < stored_count(p->plan); i++) bytes += used_of(w, p->plan, i);
    }
    return bytes;
}

uint64_t budget_groups(const pipeline *p, uint32_t number) {
    uint64_t groups = 0;
    for (uint32_t w = 0; w < crew_count(p->crew); w++) {
        uint32_t count;
        const table *t = stored_table(crew_worker(p->crew, w), p->plan, number);
        pane *const *panes = t ? table_panes(t, &count) : NULL;
        for (uint32_t i = 0; panes && i < count; i++) groups += pane_count(panes[i]);
    }
    return groups;
}

void budget_stamp(const pipeline *p, uint64_t batch) {
    for (uint32_t n = 0; n < crew_count(p->crew); n++) {
        for (uint32_t i = 0; i < stored_count(p->plan); i++) {
            table *t = stored_table(crew_worker(p->crew, n), p->plan, i);
            if (t) table_stamp(t, batch);
        }
    }
}

/* -- the limit */

static int64_t megabytes(size_t bytes) {
    return (int64_t)((bytes + MB / 2) / MB);
}

/* What holds how much, the largest first. */
static void put_holders(const pipeline *p, buf *out) {
    size_t last = SIZE_MAX;
    buf name = { 0 };
    for (uint32_t shown = 0; shown < SHOWN; shown++) {
        size_t most = 0;
        uint32_t which = 0;
        for (uint32_t i = 0; i < stored_count(p->plan); i++) {
            size_t bytes = 0;
            for (uint32_t n = 0; n < crew_count(p->crew); n++)
                bytes += used_of(crew_worker(p->crew, n), p->plan, i);
            if (bytes >= last || bytes < most || bytes < MB / 2) continue;
            most = bytes;
            which = i;
        }
        if (!most) break;
        buf_printf(out, "%s`%s` %" PRId64 " MiB", shown ? ", " : "",
                   stored_name(p->plan, which, &name), megabytes(most));
        last = most;
    }
    buf_done(&name);
}

/* What can be done about it. */
static const char *way_out(const pipeline *p) {
    if (!p->keeper) return "with a `checkpoint`, cold state goes to disk; else give more `memory`";
    if (p->plan->checkpoint.on_state_limit == SL_LIMIT_FAIL)
        return "give more `memory` (--set memory=SIZE), or let cold state go to disk: "
               "on_state_limit = \"spill\"";
    if (!p->local || !p->local->folder)
        return "give `state_dir`, a folder for state that goes to disk, or more `memory`";
    if (p->local->given_up)
        return "make room there, or give another `state_dir` or more `memory`, and run it again";
    return "this state cannot go to disk (docs/operations.md says which can): give more `memory`, "
           "or let fewer windows or keys be open at a time";
}

static err *limit_error(const pipeline *p, size_t used) {
    buf holders = { 0 };
    put_holders(p, &holders);
    const char *fault = p->local ? p->local->given_up : NULL;
    err *e = err_new(ERR_STATE,
                     "the state takes %" PRId64 " MiB, and `memory` allows it %" PRId64
                     " MiB (%s)%s%s; the batch left no trace: %s",
                     megabytes(used), megabytes(budget_bytes(p)), buf_text(&holders),
                     fault ? "; nothing could go to disk: " : "", fault ? fault : "", way_out(p));
    buf_done(&holders);
    return e;
}

/* Bytes that can go. */
static size_t can_go(const pipeline *p) {
    size_t bytes = 0;
    if (!p->local || !p->local->folder || p->local->given_up) return 0;
    for (uint32_t i = 0; i < stored_count(p->plan); i++) {
        if (budget_way_of(p, i) == SL_SPILL_NONE) continue;
        for (uint32_t n = 0; n < crew_count(p->crew); n++)
            bytes += used_of(crew_worker(p->crew, n), p->plan, i);
    }
    return bytes;
}

err *budget_check(const pipeline *p) {
    size_t used = budget_used(p), limit = budget_bytes(p);
    if (used <= limit) return NULL;
    bool spills = p->keeper && p->plan->checkpoint.on_state_limit != SL_LIMIT_FAIL;
    if (spills && used - can_go(p) <= limit) return NULL;
    return limit_error(p, used);
}

/* -- spilling */

static void list_add(cold_list *l, const cold_pane *cold) {
    if (l->count == l->room) {
        l->room = l->room ? 2 * l->room : 64;
        l->items = mem_realloc(l->items, l->room * sizeof *l->items);
    }
    l->items[l->count++] = *cold;
}

static void list_panes(const pipeline *p, uint32_t i, cold_list *l) {
    for (uint32_t n = 0; n < crew_count(p->crew); n++) {
        uint32_t count;
        const table *t = stored_table(crew_worker(p->crew, n), p->plan, i);
        if (!t) return;
        pane *const *panes = table_panes(t, &count);
        for (uint32_t k = 0; k < count; k++) {
            if (pane_is_spilled(panes[k]) || !pane_count(panes[k])) continue;
            list_add(l, &(cold_pane){ .table = i,
                                      .start = pane_start(panes[k]),
                                      .generation = pane_generation(panes[k]),
                                      .touched = pane_touched(panes[k]) });
        }
    }
}

static int by_pane(const void *x, const void *y) {
    const cold_pane *a = x, *b = y;
    if (a->table != b->table) return a->table < b->table ? -1 : 1;
    if (a->start != b->start) return a->start < b->start ? -1 : 1;
    return (a->generation > b->generation) - (a->generation < b->generation);
}

static int by_cold(const void *x, const void *y) {
    const cold_pane *a = x, *b = y;
    if (a->touched != b->touched) return a->touched < b->touched ? -1 : 1;
    if (a->start != b->start) return a->start < b->start ? -1 : 1;
    return by_pane(a, b);
}

/* All that can go, the coldest first: a pane of several workers once. */
static void list_cold(const pipeline *p, cold_list *l) {
    for (uint32_t i = 0; i < stored_count(p->plan); i++)
        if (budget_way_of(p, i) != SL_SPILL_NONE) list_panes(p, i, l);
    if (!l->count) return;
    qsort(l->items, l->count, sizeof *l->items, by_pane);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < l->count; i++) {
        if (kept && !by_pane(&l->items[kept - 1], &l->items[i])) {
            if (l->items[i].touched > l->items[kept - 1].touched)
                l->items[kept - 1].touched = l->items[i].touched;
            continue;
        }
        l->items[kept++] = l->items[i];
    }
    l->count = kept;
    qsort(l->items, l->count, sizeof *l->items, by_cold);
}

static pane *find_pane(const table *t, const cold_pane *cold) {
    uint32_t count;
    pane *const *panes = table_panes(t, &count);
    for (uint32_t k = 0; k < count; k++)
        if (pane_start(panes[k]) == cold->start && pane_generation(panes[k]) == cold->generation)
            return panes[k];
    return NULL;
}

/* Every worker has the same panes spilled. */
static void spill_pane(const pipeline *p, const cold_pane *cold) {
    bool is_cached = budget_way_of(p, cold->table) == SL_SPILL_CACHED;
    for (uint32_t n = 0; n < crew_count(p->crew); n++) {
        table *t = stored_table(crew_worker(p->crew, n), p->plan, cold->table);
        worker *w = crew_worker(p->crew, n);
        pane *found = find_pane(t, cold);
        if (found)
            (is_cached ? table_cache_pane : table_spill_pane)(t, found);
        else if (is_cached)
            table_add_cached(t, cold->start);
        else
            table_add_spilled(t, cold->start, cold->generation);
        if (stored_groups(p->plan, cold->table)) expiry_loaded(&w->expiries[cold->table / 2]);
    }
}

/* Whether the base has a pane as it is. A base that stands somewhere has all that was loaded. */
static bool has_pane(const pipeline *p, const cold_pane *cold) {
    base *b = p->local->base;
    uint64_t applied = b ? base_applied(b) : 0;
    return applied && cold->touched <= applied;
}

static err *spill(pipeline *p, size_t used) {
    size_t aim = budget_bytes(p) / 4 * SPILL_TO;
    cold_list cold = { 0 };
    uint32_t spilled = 0;
    list_cold(p, &cold);
    err *e = NULL;
    for (uint32_t i = 0; !e && i < cold.count && budget_used(p) > aim; i++) {
        if (!has_pane(p, &cold.items[i])) e = local_catch_up(p);
        /* it waits for a full object, or was given up */
        if (e || !has_pane(p, &cold.items[i])) break;
        spill_pane(p, &cold.items[i]);
        spilled++;
    }
    for (uint32_t n = 0; spilled && n < crew_count(p->crew); n++)
        for (uint32_t i = 0; i < stored_count(p->plan); i++)
            if (stored_table(crew_worker(p->crew, n), p->plan, i))
                table_trim(stored_table(crew_worker(p->crew, n), p->plan, i));
    if (spilled)
        log_info(p->system.log, "state spilled", log_number("panes", spilled),
                 log_number("mib", megabytes(used - budget_used(p))));
    p->counters.spilled_panes += spilled;
    mem_free(cold.items);
    return e;
}

err *budget_keep(pipeline *p) {
    if (!p->local) return NULL;
    size_t used = budget_used(p);
    /* only what is committed may go, or begin what follows it */
    bool settles = used > budget_bytes(p) || local_is_due(p, used);
    err *e = settles ? commit_settle(p) : NULL;
    if (!e) e = local_keep(p, used);
    if (e || used <= budget_bytes(p) || !p->local->base) return e;
    return spill(p, used);
}
