#include "runtime/operator/takeover.h"

#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/operator/distinct.h"
#include "runtime/shared/compat.h"
#include "state/table_inside.h"

/* What is said of a table: not named, it is as it was. */
static int32_t fate_of(const sl_compat *compat, const char *name) {
    for (uint32_t i = 0; compat && i < compat->change_count; i++) {
        const sl_string *section = &compat->changes[i].section;
        if (section->len == strlen(name) && !memcmp(section->data, name, section->len))
            return compat->changes[i].fate;
    }
    return SL_FATE_SAME;
}

void takeover_init(takeover *t, const sl_plan *from, const sl_plan *to, const sl_compat *compat,
                   const stored_maps *by) {
    uint32_t count = stored_count(to);
    buf name = { 0 };
    *t = (takeover){ .from = from, .to = to };
    if (by) t->by = *by;
    t->moves = mem_alloc((count + 1) * sizeof *t->moves);
    t->maps = mem_alloc((count + 1) * sizeof *t->maps);
    for (uint32_t i = 0; i < count; i++) {
        const char *called = stored_name(to, i, &name);
        uint32_t old = stored_find(from, called);
        int32_t fate = old < stored_count(from) ? fate_of(compat, called) : SL_FATE_GONE;
        t->moves[i] = fate == SL_FATE_SAME ? old : TAKEOVER_NONE;
        t->maps[i] = fate == SL_FATE_MAPPED ? old : TAKEOVER_NONE;
    }
    buf_done(&name);
}

void takeover_done(takeover *t) {
    mem_free(t->moves);
    mem_free(t->maps);
    *t = (takeover){ 0 };
}

void takeover_leave(takeover *t) {
    for (uint32_t i = 0; i < stored_count(t->to); i++) t->moves[i] = t->maps[i] = TAKEOVER_NONE;
}

bool takeover_maps(const takeover *t) {
    for (uint32_t i = 0; i < stored_count(t->to); i++)
        if (t->maps[i] != TAKEOVER_NONE) return true;
    return false;
}

/* -- by a map */

static err *load_part(const takeover *t, image *m, uint32_t part, worker *new) {
    buf bytes = image_take_part(m, part);
    image_reader *r = NULL;
    image_view view;
    err *e = part ? NULL : image_open("the running state", &bytes, &r);
    while (!e && image_next(r, &view)) e = worker_load(new, t->to, &view, &t->by);
    if (!e) e = image_take_error(r);
    image_reader_free(r);
    return e;
}

/* Through the bytes of a stored object: the one place that knows how a layout becomes another. */
static err *copy_table(const takeover *t, uint32_t i, const worker *old, worker *new) {
    const table *from = stored_table(old, t->from, t->maps[i]);
    buf name = { 0 };
    if (!from || !stored_table(new, t->to, i)) return NULL;
    image_head head = { .is_full = true, .parent = "", .shape = "", .pipeline = "", .cluster = "" };
    image *m = image_new(&head);
    image_cut_at(m, SIZE_MAX);
    image_put_table(m, stored_name(t->to, i, &name), from, true);
    image_finish(m);
    err *e = load_part(t, m, 0, new);
    image_free(m);
    buf_done(&name);
    return e;
}

err *takeover_copy(const takeover *t, const worker *old, worker *new) {
    err *e = NULL;
    for (uint32_t i = 0; !e && i < stored_count(t->to); i++)
        if (t->maps[i] != TAKEOVER_NONE) e = copy_table(t, i, old, new);
    if (!e) worker_loaded(new, t->to);
    return e;
}

/* -- by moving */

static void exchange_groups(const takeover *t, worker *old, uint32_t a, worker *new, uint32_t b) {
    table *kept = old->tables[a];
    expiry due = old->expiries[a];
    old->tables[a] = new->tables[b];
    old->expiries[a] = new->expiries[b];
    new->tables[b] = kept;
    new->expiries[b] = due;
    old->expiries[a].plan = &t->from->aggregates[a];
    new->expiries[b].plan = &t->to->aggregates[b];
    table_begin_with(old->tables[a], t->from->aggregates[a].state_init);
    table_begin_with(new->tables[b], t->to->aggregates[b].state_init);
}

static void exchange_seen(const takeover *t, worker *old, uint32_t a, worker *new, uint32_t b) {
    seen_keys *kept = old->seen[a];
    old->seen[a] = new->seen[b];
    new->seen[b] = kept;
    seen_keys_follow(old->seen[a], &t->from->distincts[a]);
    seen_keys_follow(new->seen[b], &t->to->distincts[b]);
}

static void exchange_sent(worker *old, uint32_t a, worker *new, uint32_t b) {
    table *kept = old->sent[a];
    old->sent[a] = new->sent[b];
    new->sent[b] = kept;
}

void takeover_exchange(const takeover *t, worker *old, worker *new) {
    uint32_t from_groups = 2 * t->from->aggregate_count, to_groups = 2 * t->to->aggregate_count;
    for (uint32_t i = 0; i < stored_count(t->to); i++) {
        uint32_t was = t->moves[i];
        if (was == TAKEOVER_NONE || !stored_table(new, t->to, i)) continue;
        if (!stored_table(old, t->from, was)) continue;
        if (i >= to_groups)
            exchange_seen(t, old, was - from_groups, new, i - to_groups);
        else if (i % 2)
            exchange_sent(old, was / 2, new, i / 2);
        else
            exchange_groups(t, old, was / 2, new, i / 2);
    }
    struct base *base = old->base;
    old->base = new->base;
    new->base = base;
}
