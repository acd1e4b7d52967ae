/* DESIGN. A radix heap: `last` is the time taken up to; an item stands in the list of the highest
 * bit in which its time differs from `last` (list 0: not later than it). When `last` moves on to a
 * time that differs from it first in bit k, the lists below k are due as a whole, list k is looked
 * through, those above need no look. So items are only ever read one after the other, and each
 * moves at most once a bit. Source: Ahuja, Mehlhorn, Orlin, Tarjan 1990, "Faster algorithms for the
 * shortest path problem", section 2. */
#include "state/calendar.h"

#include <string.h>

#include "runtime/base/mem.h"

enum { LISTS = 65,
       KEEP = 256 };

typedef struct item_list {
    calendar_item *items; /* owned */
    uint32_t count, room;
    int64_t first_ms; /* least time in it; INT64_MAX: it is empty */
} item_list;

struct calendar {
    item_list lists[LISTS];
    item_list taken; /* what calendar_take gave last */
    int64_t last_ms;
    uint32_t count;
};

/* A list that has become much too large gives its memory back. */
static void reset(item_list *l) {
    if (l->room > KEEP) {
        mem_free(l->items);
        l->items = NULL;
        l->room = 0;
    }
    l->count = 0;
    l->first_ms = INT64_MAX;
}

static void push(item_list *l, calendar_item item) {
    if (l->count == l->room) {
        l->room = l->room ? 2 * l->room : 16;
        l->items = mem_realloc(l->items, l->room * sizeof *l->items);
    }
    l->items[l->count++] = item;
    if (item.due_ms < l->first_ms) l->first_ms = item.due_ms;
}

/* Number of the list for a time. */
static uint32_t list_of(int64_t last_ms, int64_t due_ms) {
    if (due_ms <= last_ms) return 0;
    return 64 - (uint32_t)__builtin_clzll((uint64_t)due_ms ^ (uint64_t)last_ms);
}

calendar *calendar_new(void) {
    calendar *c = mem_zalloc(1, sizeof *c);
    calendar_clear(c);
    return c;
}

void calendar_free(calendar *c) {
    if (!c) return;
    for (uint32_t i = 0; i < LISTS; i++) mem_free(c->lists[i].items);
    mem_free(c->taken.items);
    mem_free(c);
}

void calendar_clear(calendar *c) {
    for (uint32_t i = 0; i < LISTS; i++) reset(&c->lists[i]);
    reset(&c->taken);
    c->last_ms = INT64_MIN;
    c->count = 0;
}

void calendar_add(calendar *c, int64_t due_ms, entry *e) {
    if (due_ms == INT64_MAX) return;
    push(&c->lists[list_of(c->last_ms, due_ms)], (calendar_item){ due_ms, e });
    c->count++;
}

/* Give out what list `k` has until `until_ms`; the rest goes where it belongs by now. */
static void look_through(calendar *c, uint32_t k, int64_t until_ms) {
    item_list list = c->lists[k];
    if (list.first_ms > until_ms && k == list_of(c->last_ms, list.first_ms)) return;
    c->lists[k] = (item_list){ .first_ms = INT64_MAX };
    for (uint32_t i = 0; i < list.count; i++) {
        calendar_item item = list.items[i];
        bool is_due = item.due_ms <= until_ms;
        push(is_due ? &c->taken : &c->lists[list_of(c->last_ms, item.due_ms)], item);
    }
    mem_free(list.items);
}

const calendar_item *calendar_take(calendar *c, int64_t until_ms, uint32_t *count) {
    uint32_t last_list = list_of(c->last_ms, until_ms);
    reset(&c->taken);
    if (until_ms > c->last_ms) c->last_ms = until_ms;
    for (uint32_t k = 0; k <= last_list; k++)
        if (c->lists[k].count) look_through(c, k, until_ms);
    c->count -= c->taken.count;
    *count = c->taken.count;
    return c->taken.items;
}

bool calendar_is_due(calendar *c, int64_t until_ms, calendar_due *due_of, void *arg) {
    uint32_t count;
    bool is_due = false;
    const calendar_item *taken = calendar_take(c, until_ms, &count);
    for (uint32_t i = 0; i < count; i++) {
        entry *e = taken[i].entry;
        if (entry_is_removed(e)) continue;
        int64_t due_ms = is_due ? taken[i].due_ms : due_of(e, arg);
        is_due |= due_ms <= until_ms;
        calendar_add(c, due_ms, e);
    }
    return is_due;
}

uint32_t calendar_count(const calendar *c) {
    return c->count;
}

size_t calendar_held_bytes(const calendar *c) {
    size_t items = c->taken.room;
    for (uint32_t i = 0; i < LISTS; i++) items += c->lists[i].room;
    return items * sizeof(calendar_item) + sizeof *c;
}
