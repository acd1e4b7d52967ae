/* DESIGN. The first values by (time, place, offset): entries in that order, the bytes of longer
 * values in a pool behind them. Rows come nearly in order, so an entry mostly goes to the end.
 *
 *   OFFSET     SIZE     WHAT
 *   0          4        entries
 *   4          4        room for entries
 *   8          4        bytes of the pool
 *   16         40 * r   entries
 *   16+40*r    ..       pool
 */
#include "runtime/base/mem.h"
#include "runtime/sketch/value.h"

enum { FIRST_ROOM = 4 };

typedef struct entry {
    int64_t time;
    int64_t offset;
    double place;
    value value;
} entry;

typedef struct list {
    uint32_t count;
    uint32_t room;
    uint32_t pool_bytes;
    uint32_t unused;
    entry entries[];
} list;

static char *pool_of(const list *l) {
    return (char *)(uintptr_t)(l->entries + l->room);
}

static uint32_t list_len(uint32_t room, uint32_t pool_bytes) {
    return (uint32_t)(sizeof(list) + room * sizeof(entry)) + pool_bytes;
}

static bool is_before(const entry *a, const entry *b) {
    if (a->time != b->time) return a->time < b->time;
    if (a->place != b->place) return a->place < b->place;
    return a->offset < b->offset;
}

static list *grow(const memory *m, sl_part *part, uint32_t limit) {
    list *l = (list *)part->data;
    bool is_new = !l;
    uint32_t room = is_new ? FIRST_ROOM : 2 * l->room, pool_bytes = is_new ? 0 : l->pool_bytes;
    if (room > limit) room = limit;
    l = (list *)memory_edit(m, part, list_len(room, pool_bytes));
    if (is_new) memset(l, 0, sizeof *l);
    char *from = pool_of(l);
    l->room = room;
    memmove(pool_of(l), from, pool_bytes);
    return l;
}

/* Take the bytes of the last entry out of the pool. */
static void drop_last(list *l) {
    const value *v = &l->entries[--l->count].value;
    uint32_t len = value_pooled(v);
    if (!len) return;
    char *pool = pool_of(l);
    memmove(pool + v->at, pool + v->at + len, l->pool_bytes - v->at - len);
    for (uint32_t i = 0; i < l->count; i++) {
        value *other = &l->entries[i].value;
        if (value_pooled(other) && other->at > v->at) other->at -= len;
    }
    l->pool_bytes -= len;
}

static void add(const memory *m, sl_part *part, uint32_t limit, entry e, const char *data) {
    list *l = (list *)part->data;
    uint32_t count = l ? l->count : 0;
    if (count == limit && !is_before(&e, &l->entries[count - 1])) return;
    if (l) l = (list *)memory_edit(m, part, part->len);
    if (count == limit)
        drop_last(l);
    else if (!l || count == l->room)
        l = grow(m, part, limit);
    uint32_t more = value_pooled(&e.value);
    if (more) {
        l = (list *)memory_edit(m, part, list_len(l->room, l->pool_bytes + more));
        e.value.at = l->pool_bytes;
        memcpy(pool_of(l) + e.value.at, data, more);
        l->pool_bytes += more;
    }
    uint32_t at = l->count;
    while (at > 0 && is_before(&e, &l->entries[at - 1])) at--;
    memmove(&l->entries[at + 1], &l->entries[at], (l->count - at) * sizeof *l->entries);
    l->entries[at] = e;
    l->count++;
}

LEAF void sl_collect_add(void *table, sl_part *part, uint32_t limit, int64_t time, double place,
                         int64_t offset, const char *data, uint32_t len) {
    entry e = { .time = time, .offset = offset, .place = place, .value = value_of(data, len) };
    add(&(memory){ .table = table }, part, limit, e, data);
}

LEAF void sl_collect_merge(void *text, sl_part *a, const sl_part *b, uint32_t limit) {
    const memory m = { .arena = text };
    if (memory_borrow(a, b)) return;
    const list *from = (const list *)b->data;
    for (uint32_t i = 0; i < from->count; i++) {
        const entry *e = &from->entries[i];
        add(&m, a, limit, *e, value_bytes(&e->value, pool_of(from)));
    }
}

LEAF void sl_collect_give(void *text, const sl_part *part, int32_t type, sl_string *into) {
    const list *l = (const list *)part->data;
    size_t len = 4;
    for (uint32_t i = 0; i < l->count; i++)
        len += 1 + value_block_len(&l->entries[i].value, type);
    char *at = arena_take(text, len, 8);
    *into = (sl_string){ .data = at, .len = (uint32_t)len };
    memcpy(at, &l->count, 4);
    at += 4;
    for (uint32_t i = 0; i < l->count; i++) {
        *at++ = 0; /* not null */
        at = value_put(at, &l->entries[i].value, pool_of(l), type);
    }
}
