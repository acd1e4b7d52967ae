#include "runtime/operator/stored.h"

#include <string.h>

#include "runtime/base/err.h"
#include "runtime/operator/distinct.h"

static const char AGGREGATE[] = "aggregate ", SENT[] = "sent ", DISTINCT[] = "distinct ";

static void save(image *m, buf *name, const char *kind, const sl_string *of, const table *t,
                 bool all) {
    buf_reset(name);
    buf_put_text(name, kind);
    buf_put(name, of->data, of->len);
    image_put_table(m, buf_text(name), t, all);
}

void worker_save(const worker *w, const sl_plan *plan, image *m, bool all) {
    buf name = { 0 };
    for (uint32_t i = 0; i < plan->aggregate_count; i++) {
        const sl_string *of = &plan->aggregates[i].name;
        save(m, &name, AGGREGATE, of, w->tables[i], all);
        if (w->sent[i]) save(m, &name, SENT, of, w->sent[i], all);
    }
    for (uint32_t i = 0; i < plan->distinct_count; i++)
        save(m, &name, DISTINCT, &plan->distincts[i].name, seen_keys_table(w->seen[i]), all);
    buf_done(&name);
}

/* Whether a section is called so. */
static bool is_called(const char *name, const char *kind, const sl_string *of) {
    size_t len = strlen(kind);
    return strncmp(name, kind, len) == 0 && strlen(name + len) == of->len &&
           memcmp(name + len, of->data, of->len) == 0;
}

static const layout_map *map_of(const layout_map *const *maps, uint32_t i) {
    return maps ? maps[i] : NULL;
}

/* The table that a section is of, NULL: the plan has none. */
static table *find_table(const worker *w, const sl_plan *plan, const char *name,
                         const stored_maps *maps, const layout_map **map) {
    static const stored_maps none = { 0 };
    if (!maps) maps = &none;
    for (uint32_t i = 0; i < plan->aggregate_count; i++) {
        const sl_string *of = &plan->aggregates[i].name;
        *map = map_of(maps->aggregates, i);
        if (is_called(name, AGGREGATE, of)) return w->tables[i];
        *map = map_of(maps->sent, i);
        if (is_called(name, SENT, of)) return w->sent[i];
    }
    *map = NULL;
    for (uint32_t i = 0; i < plan->distinct_count; i++)
        if (is_called(name, DISTINCT, &plan->distincts[i].name)) return seen_keys_table(w->seen[i]);
    return NULL;
}

err *worker_load(worker *w, const sl_plan *plan, const image_view *view, const stored_maps *maps) {
    const layout_map *map;
    table *t = find_table(w, plan, view->name, maps, &map);
    if (!t) {
        if (maps && maps->drops_unknown) return NULL;
        return err_new(ERR_REFUSED, "stored state of `%s`: the script has no such stage",
                       view->name);
    }
    image_share share = { .shard_mask = plan->shards - 1,
                          .worker = w->number,
                          .workers = w->count };
    table_epoch_begin(t);
    err *e = image_load_table(view, t, map, &share);
    (e ? table_undo : table_commit)(t);
    return e;
}

void worker_loaded(worker *w, const sl_plan *plan) {
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
