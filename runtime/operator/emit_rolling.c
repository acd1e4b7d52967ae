/* DESIGN. A group's row shows the last `size` up to its newest pane, touched in this batch or not:
 * groups that were touched are looked for from the newest pane on down, and come out pane by pane,
 * since those of one newest pane have one window. */
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/event/watermark.h"
#include "runtime/operator/emission.h"
#include "runtime/operator/fetch.h"
#include "runtime/operator/operators.h"
#include "runtime/operator/stored.h"

/* Groups by newest pane: those of `waiting` that pane `p` has, in their order; the others stay. */
static uint32_t take_of_pane(const pane *p, uint32_t index, group_item *waiting, uint32_t *count,
                             group_item *taken) {
    entry **like = mem_alloc(*count * sizeof *like), **found = mem_alloc(*count * sizeof *found);
    uint32_t taken_count = 0, left = 0;
    for (uint32_t i = 0; i < *count; i++) like[i] = waiting[i].entry;
    table_find_many(p, *count, like, found);
    for (uint32_t i = 0; i < *count; i++) {
        if (found[i])
            taken[taken_count++] = (group_item){ .order = waiting[i].order,
                                                 .entry = found[i],
                                                 .pane = index };
        else
            waiting[left++] = waiting[i];
    }
    *count = left;
    mem_free(like);
    mem_free(found);
    return taken_count;
}

/* The window that ends with a pane, and its panes. */
static void set_window(emission *m, pane *const *panes, uint32_t count, uint32_t newest) {
    const sl_window *window = &m->plan->window;
    int64_t end = window_pane_bounds(window, pane_start(panes[newest])).end;
    m->window = (window_bounds){ saturate_sub(end, window->size_ms), end };
    emit_find_panes(m, panes, count, newest);
}

/* Rows of `count` groups whose newest pane is `newest`; borrowed by the space's list meanwhile. */
static err *emit_of_pane(emission *m, pane *const *panes, uint32_t pane_count, uint32_t newest,
                         group_item *items, uint32_t count) {
    group_list *groups = &m->w->emit->groups, kept = *groups;
    set_window(m, panes, pane_count, newest);
    uint32_t before = (uint32_t)(m->panes - panes);
    for (uint32_t i = 0; i < count; i++) items[i].pane -= before;
    *groups = (group_list){ .items = items, .count = count };
    err *e = emit_groups(m);
    *groups = kept;
    return e;
}

static err *emit_touched(emission *m, table *t) {
    group_list *groups = &m->w->emit->groups;
    uint32_t pane_count;
    pane *const *panes = table_panes(t, &pane_count);
    groups_list(groups, panes, pane_count, true, m->b->plan->shards);
    for (uint32_t p = 0; p < pane_count; p++) {
        uint32_t number = stored_groups_number(m->aggregate);
        err *e = fetch_groups(m->w, m->b->plan, number, panes[p], groups);
        if (e) return e;
    }
    uint32_t left = groups->count, end = groups->count;
    if (!left) return NULL;
    /* by newest pane, newest first, from the end of `sorted` */
    group_item *sorted = mem_alloc(groups->count * sizeof *sorted);
    group_item *taken = mem_alloc(groups->count * sizeof *taken);
    for (uint32_t p = pane_count; p-- > 0 && left;) {
        uint32_t count = take_of_pane(panes[p], p, groups->items, &left, taken);
        end -= count;
        memcpy(sorted + end, taken, count * sizeof *taken);
    }
    mem_free(taken);
    err *e = NULL;
    for (uint32_t first = 0, next; !e && first < groups->count; first = next) {
        uint32_t newest = sorted[first].pane;
        for (next = first; next < groups->count && sorted[next].pane == newest;) next++;
        e = emit_of_pane(m, panes, pane_count, newest, sorted + first, next - first);
    }
    mem_free(sorted);
    return e;
}

/* Forget what was sent for the groups of a pane that goes, unless another one has them. */
static void forget_groups(const emission *m, const pane *gone, pane *const *panes, uint32_t count) {
    table_cursor at = { 0 };
    if (!m->w->sent[m->aggregate]) return;
    for (entry *e; (e = table_scan(gone, &at));) {
        bool is_left = false;
        for (uint32_t p = 0; p < count && !is_left; p++)
            is_left = table_find(panes[p], e->hash, entry_key(e), entry_key_len(e));
        if (!is_left) emit_forget_result(m, &(result){ .group = { .entry = e } });
    }
}

static void evict(const emission *m, table *t) {
    const sl_window *window = &m->plan->window;
    int64_t watermark = m->b->aggregates[m->aggregate].watermark_after;
    uint32_t count;
    if (watermark == WATERMARK_NONE) return;
    pane *const *panes = table_panes(t, &count);
    while (count && window_pane_goes(window, pane_start(panes[0])) <= watermark) {
        pane *gone = panes[0];
        table_drop_pane(t, gone);
        panes = table_panes(t, &count);
        forget_groups(m, gone, panes, count);
    }
}

err *emit_rolling(emission *m, table *t) {
    m->dirty_only = true;
    err *e = emit_touched(m, t);
    if (!e) evict(m, t);
    return e;
}
