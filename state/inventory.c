#include "state/inventory.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "state/names.h"
#include "state/object.h"

enum { HISTORY_OBJECTS = 64 };

void inventory_done(inventory *v) {
    mem_free(v->items);
    *v = (inventory){ 0 };
}

static void append(inventory *v, const kept *item) {
    if (v->count == v->room) {
        v->room = v->room ? 2 * v->room : 64;
        v->items = mem_realloc(v->items, v->room * sizeof *v->items);
    }
    v->items[v->count++] = *item;
}

static void merge(kept *into, const kept *other) {
    if (other->parts > into->parts) into->parts = other->parts;
    if (other->made_ms < into->made_ms) into->made_ms = other->made_ms;
    into->is_useless |= other->is_useless;
}

/* What was under way when the store was listed is known already. */
void inventory_add(inventory *v, const kept *item) {
    for (uint32_t i = v->count; item->p.batch <= v->listed && i > 0; i--) {
        kept *known = &v->items[i - 1];
        if (known->kind != item->kind || known->p.kind != item->p.kind) continue;
        if (strcmp(known->p.id, item->p.id) != 0) continue;
        merge(known, item);
        return;
    }
    append(v, item);
}

/* -- listing: behind what is known, then sorted, then one of each stays */

typedef struct listing {
    inventory *v;
    kept_kind kind;
    int64_t now_ms;
} listing;

static err *visit(void *arg, const char *name, int64_t size, int64_t changed_ms) {
    (void)size;
    listing *l = arg;
    object_name o;
    if (!names_read(name, &o)) return NULL;
    kept item = { .kind = l->kind, .parts = o.part + 1, .p = o.p, .made_ms = changed_ms };
    if (item.made_ms > l->now_ms) item.made_ms = l->now_ms;
    append(l->v, &item);
    return NULL;
}

static int by_batch(const void *a, const void *b) {
    const kept *x = a, *y = b;
    if (x->p.batch != y->p.batch) return x->p.batch < y->p.batch ? -1 : 1;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    return strcmp(x->p.id, y->p.id);
}

err *inventory_list(inventory *v, store *s, const char *pipeline, int64_t now_ms) {
    static const struct {
        const char *folder;
        kept_kind kind;
    } FOLDERS[] = { { "state/", KEPT_OBJECT },
                    { "plan/", KEPT_PLAN },
                    { "journal/", KEPT_JOURNAL } };
    err *e = NULL;
    for (size_t i = 0; !e && i < sizeof FOLDERS / sizeof *FOLDERS; i++) {
        char prefix[OBJECT_NAME_BYTES];
        names_plain(prefix, pipeline, FOLDERS[i].folder);
        listing l = { .v = v, .kind = FOLDERS[i].kind, .now_ms = now_ms };
        e = s->ops->list(s->handle, prefix, visit, &l);
    }
    if (v->count) qsort(v->items, v->count, sizeof *v->items, by_batch);
    uint32_t kept_count = 0;
    for (uint32_t i = 0; i < v->count; i++) {
        if (kept_count && !by_batch(&v->items[kept_count - 1], &v->items[i]))
            merge(&v->items[kept_count - 1], &v->items[i]);
        else
            v->items[kept_count++] = v->items[i];
    }
    v->count = kept_count;
    v->listed = v->count ? v->items[v->count - 1].p.batch : 0;
    return e;
}

const kept *inventory_journal(const inventory *v) {
    const kept *newest = NULL;
    for (uint32_t i = 0; i < v->count; i++) {
        const kept *item = &v->items[i];
        if (item->kind != KEPT_JOURNAL) continue;
        if (!newest || item->made_ms >= newest->made_ms) newest = item;
    }
    return newest;
}

void inventory_set_useless(inventory *v, kept_kind kind, const pointer *p) {
    for (uint32_t i = v->count; i > 0; i--) {
        kept *item = &v->items[i - 1];
        if (item->kind != kind || strcmp(item->p.id, p->id) != 0) continue;
        item->is_useless = true;
        return;
    }
}

/* Each that stays is `history / HISTORY_OBJECTS` younger than the one before it; the choice of one
 * round is therefore that of the next, but for the oldest, which leave. */
void inventory_thin(inventory *v, const inventory_limits *limits) {
    int64_t step_ms = limits->history_ms / HISTORY_OBJECTS, last_ms = INT64_MIN;
    for (uint32_t i = 0; i < v->count; i++) {
        kept *item = &v->items[i];
        if (item->kind != KEPT_OBJECT || item->p.kind != POINTER_FULL) continue;
        bool stays = item->p.batch < limits->chain_start &&
                     limits->now_ms - item->made_ms < limits->history_ms &&
                     (last_ms == INT64_MIN || item->made_ms - last_ms >= step_ms);
        item->is_history = stays;
        if (stays) last_ms = item->made_ms;
    }
}

bool inventory_may_go(const kept *item, const inventory_limits *limits) {
    int64_t age_ms = limits->now_ms - item->made_ms;
    if (age_ms < limits->grace_ms) return false;
    if (item->is_useless) return true;
    switch (item->kind) {
    case KEPT_OBJECT:
        return item->p.batch < limits->chain_start && item->p.batch <= limits->journaled &&
               !item->is_history;
    case KEPT_PLAN: return item->p.batch < limits->current;
    case KEPT_JOURNAL: return age_ms > limits->history_ms && item->p.batch < limits->chain_start;
    }
    return false;
}

err *inventory_remove(const kept *item, store *s, const char *pipeline) {
    if (item->kind == KEPT_OBJECT) return object_remove(s, pipeline, &item->p, item->parts);
    char name[OBJECT_NAME_BYTES];
    if (item->kind == KEPT_PLAN)
        names_plan(name, pipeline, &item->p);
    else
        names_journal(name, pipeline, &item->p);
    return s->ops->remove(s->handle, name);
}
