#include "runtime/operator/stored.h"

#include <string.h>

#include "runtime/base/err.h"
#include "runtime/operator/distinct.h"
#include "runtime/operator/migrate.h"
#include "state/spill.h"

static const char *const KINDS[] = { "aggregate ", "sent ", "distinct " };
enum { GROUPS,
       SENT,
       DISTINCT };

/* Aggregations come first, each with its groups and what was sent of it; then distincts. */
uint32_t stored_count(const sl_plan *plan) {
    return 2 * plan->aggregate_count + plan->distinct_count;
}

static int kind_of(const sl_plan *plan, uint32_t i) {
    if (i >= 2 * plan->aggregate_count) return DISTINCT;
    return i % 2 ? SENT : GROUPS;
}

static const sl_string *name_of(const sl_plan *plan, uint32_t i) {
    if (kind_of(plan, i) != DISTINCT) return &plan->aggregates[i / 2].name;
    return &plan->distincts[i - 2 * plan->aggregate_count].name;
}

table *stored_table(const worker *w, const sl_plan *plan, uint32_t i) {
    switch (kind_of(plan, i)) {
    case GROUPS: return w->tables[i / 2];
    case SENT: return w->sent[i / 2];
    default: return seen_keys_table(w->seen[i - 2 * plan->aggregate_count]);
    }
}

const char *stored_name(const sl_plan *plan, uint32_t i, buf *name) {
    const sl_string *of = name_of(plan, i);
    buf_reset(name);
    buf_put_text(name, KINDS[kind_of(plan, i)]);
    buf_put(name, of->data, of->len);
    return buf_text(name);
}

const sl_aggregate *stored_groups(const sl_plan *plan, uint32_t i) {
    return kind_of(plan, i) == GROUPS ? &plan->aggregates[i / 2] : NULL;
}

/* Whether a section is called so. */
static bool is_called(const char *name, const char *kind, const sl_string *of) {
    size_t len = strlen(kind);
    return strncmp(name, kind, len) == 0 && strlen(name + len) == of->len &&
           memcmp(name + len, of->data, of->len) == 0;
}

uint32_t stored_find(const sl_plan *plan, const char *name) {
    uint32_t i = 0, count = stored_count(plan);
    while (i < count && !is_called(name, KINDS[kind_of(plan, i)], name_of(plan, i))) i++;
    return i;
}

/* Every worker has spilled the same panes: one says which. */
static void save_spilled(const worker *w, const char *name, const table *t, image *m) {
    buf panes = { 0 };
    if (w->number == 0 && spill_write(t, &panes)) {
        buf_put(image_begin(m, IMAGE_SPILLED, name, strlen(name)), panes.data, panes.len);
        image_end(m);
    }
    buf_done(&panes);
}

void worker_save(const worker *w, const sl_plan *plan, image *m, bool all) {
    buf name = { 0 };
    for (uint32_t i = 0; i < stored_count(plan); i++) {
        const table *t = stored_table(w, plan, i);
        if (!t) continue;
        stored_name(plan, i, &name);
        save_spilled(w, buf_text(&name), t, m);
        image_put_table(m, buf_text(&name), t, all);
    }
    buf_done(&name);
}

static const layout_map *map_of(const sl_plan *plan, uint32_t i, const stored_maps *maps) {
    if (!maps || kind_of(plan, i) == DISTINCT) return NULL;
    const layout_map *const *of = kind_of(plan, i) == SENT ? maps->sent : maps->aggregates;
    return of ? of[i / 2] : NULL;
}

/* What the map leaves to the script is this worker's to run. */
static const layout_map *bind_map(const layout_map *map, bool migrates, migrating *m,
                                  layout_map *own) {
    if (!migrates) return map;
    *own = *map;
    own->fill = migrate_fill;
    own->fill_arg = m;
    return own;
}

err *worker_load(worker *w, const sl_plan *plan, const image_view *view, const stored_maps *maps) {
    uint32_t i = stored_find(plan, view->name);
    table *t = i < stored_count(plan) ? stored_table(w, plan, i) : NULL;
    if (!t) {
        if (maps && maps->drops_unknown) return NULL;
        return err_new(ERR_REFUSED, "stored state of `%s`: the script has no such stage",
                       view->name);
    }
    image_share share = { .shard_mask = plan->shards - 1,
                          .worker = w->number,
                          .workers = w->count };
    layout_map bound;
    migrating m = { .w = w, .plan = plan, .aggregate = i / 2, .section = view->name };
    const layout_map *map = map_of(plan, i, maps);
    bool migrates = map && stored_groups(plan, i) && maps->migrates[i / 2];
    table_epoch_begin(t);
    err *e = image_load_table(view, t, bind_map(map, migrates, &m, &bound), &share);
    (e ? table_undo : table_commit)(t);
    return e;
}

void worker_forget(worker *w, const sl_plan *plan) {
    for (uint32_t i = 0; i < stored_count(plan); i++) {
        table *t = stored_table(w, plan, i);
        uint32_t count;
        if (!t) continue;
        table_epoch_begin(t);
        for (pane *const *panes; (panes = table_panes(t, &count)) && count;)
            table_drop_pane(t, panes[count - 1]);
        table_commit(t);
    }
}

/* Panes whose entries were removed one by one are stored as such, not as dropped. */
static void drop_empty(table *t) {
    uint32_t count;
    table_epoch_begin(t);
    pane *const *panes = table_panes(t, &count);
    for (uint32_t i = count; i-- > 0;)
        if (pane_is_empty(panes[i])) table_drop_pane(t, panes[i]);
    table_commit(t);
}

void worker_loaded(worker *w, const sl_plan *plan) {
    for (uint32_t i = 0; i < stored_count(plan); i++)
        if (stored_table(w, plan, i)) drop_empty(stored_table(w, plan, i));
    for (uint32_t i = 0; i < plan->aggregate_count; i++) expiry_loaded(&w->expiries[i]);
    for (uint32_t i = 0; i < plan->distinct_count; i++) seen_keys_loaded(w->seen[i]);
}

size_t worker_state_bytes(const worker *w, const sl_plan *plan) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < plan->aggregate_count; i++) {
        bytes += table_held_bytes(w->tables[i]);
        if (w->sent[i]) bytes += table_held_bytes(w->sent[i]);
        if (w->expiries[i].calendar) bytes += calendar_held_bytes(w->expiries[i].calendar);
    }
    for (uint32_t i = 0; i < plan->distinct_count; i++) bytes += seen_keys_bytes(w->seen[i]);
    return bytes;
}
