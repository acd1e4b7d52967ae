#include "runtime/operator/refill.h"

#include <string.h>

#include "runtime/event/window.h"

/* One table into another. */
typedef struct refilling {
    const sl_plan *plan;
    const sl_aggregate *of;
    const sl_fill *fill;
    const worker *into;
    table *table;
} refilling;

static bool is_share(const refilling *r, const entry *e) {
    uint32_t shard = (uint32_t)e->hash & (r->plan->shards - 1);
    return shard % r->into->count == r->into->number;
}

/* Where parts lie, the bytes of a state mean nothing in another table. */
static void copy_part(const refilling *r, char *to, const char *from, uint32_t offset) {
    const sl_part *part = (const sl_part *)(const void *)(from + offset);
    if (part->len) sl_part_set(r->table, (sl_part *)(void *)(to + offset), part->data, part->len);
}

static void copy_new(const refilling *r, char *to, const char *from) {
    const sl_fill *fill = r->fill;
    for (uint32_t i = 0; i < fill->run_count; i++)
        memcpy(to + fill->at[i], from + fill->at[i], fill->sizes[i]);
    for (uint32_t i = 0; i < fill->part_count; i++) copy_part(r, to, from, fill->parts[i]);
}

/* `to` has just been made: it has no parts yet. */
static void copy_whole(const refilling *r, char *to, const char *from) {
    memcpy(to, from, r->of->state_size);
    for (uint32_t i = 0; i < r->of->part_count; i++) {
        uint32_t part = r->of->part_offsets[i];
        memset(to + part, 0, sizeof(sl_part));
        copy_part(r, to, from, part);
    }
}

static void fill_entry(const refilling *r, pane *p, const entry *from) {
    uint64_t hash = from->hash;
    const char *key = entry_key(from);
    uint32_t len = entry_key_len(from);
    if (!r->fill->is_whole && !table_find(p, hash, key, len)) return;
    entry *to = table_touch(r->table, p, hash, key, len);
    (r->fill->is_whole ? copy_whole : copy_new)(r, entry_state(to), entry_state(from));
}

static void fill_pane(const refilling *r, const pane *from) {
    table_cursor at = { 0 };
    pane *to = r->fill->is_whole ? NULL : table_find_pane(r->table, pane_start(from));
    if (!to && !r->fill->is_whole) return;
    for (const entry *e; (e = table_scan(from, &at));) {
        if (!is_share(r, e)) continue;
        if (!to) to = table_pane(r->table, pane_start(from));
        fill_entry(r, to, e);
    }
}

void refill_groups(const sl_plan *plan, const sl_fill *fill, int64_t watermark, const worker *from,
                   worker *into) {
    uint32_t a = fill->aggregate, count;
    refilling r = { .plan = plan,
                    .of = &plan->aggregates[a],
                    .fill = fill,
                    .into = into,
                    .table = into->tables[a] };
    pane *const *panes = table_panes(from->tables[a], &count);
    table_epoch_begin(r.table);
    for (uint32_t i = 0; i < count; i++) {
        bool is_own = window_is_own(&r.of->window);
        bool is_closed = !is_own && watermark != INT64_MIN &&
                         window_pane_goes(&r.of->window, pane_start(panes[i])) <= watermark;
        if (!is_closed) fill_pane(&r, panes[i]);
    }
    table_commit(r.table);
    expiry_loaded(&into->expiries[a]);
}
