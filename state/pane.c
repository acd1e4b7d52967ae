#include "state/pane.h"

#include <assert.h>

#include "runtime/base/copy.h"
#include "runtime/base/mem.h"
#include "state/spill.h"
#include "state/table_inside.h"

enum {
    SLOTS_FIRST = 64,
    SLAB_FIRST = 1 << 10,
    SLAB_LAST = 8 << PANE_PLACE_BITS, /* 2 MB */
    DIRTY_FIRST = 64,
    IDS_FIRST = 128,
    JUMP = 64, /* an index with 1/64 of the entries expected grows at once to hold them all */
    EXACT_BITS = 5,
    EXACT_UNITS = 1 << EXACT_BITS, /* larger entries are rounded up to an eighth */
};

static size_t slots_len(uint32_t mask) {
    return ((size_t)mask + 1) * sizeof(uint64_t);
}

/* Give the pane an empty index of `count` slots, a power of two. The old one is the caller's. */
static void set_slots(slab_pool *pool, pane *p, uint64_t count) {
    assert(count <= (uint64_t)1 << 31);
    p->mask = (uint32_t)(count - 1);
    p->limit = (uint32_t)(count / 4 * 3);
    p->slots = slab_take(pool, slots_len(p->mask));
    memset(p->slots, 0, slots_len(p->mask));
}

static void push_id(slab_pool *pool, id_list *l, uint32_t id) {
    if (l->count == l->room) {
        l->items =
            slab_grow(pool, l->items, l->room * sizeof *l->items, IDS_FIRST * sizeof *l->items);
        l->room = l->room ? 2 * l->room : IDS_FIRST;
    }
    l->items[l->count++] = id;
}

static void reset_ids(slab_pool *pool, id_list *l) {
    slab_put(pool, l->items, l->room * sizeof *l->items);
    *l = (id_list){ 0 };
}

/* Units of 8 bytes that an entry of `len` bytes takes. */
static uint32_t units_for(size_t len) {
    size_t units = (len + 7) / 8;
    if (units <= EXACT_UNITS) return (uint32_t)units;
    uint32_t step = 1u << (60 - __builtin_clzll(units - 1)); /* an eighth of the power below */
    return (uint32_t)((units + step - 1) & ~(size_t)(step - 1));
}

static uint32_t units_of(const entry *e) {
    return units_for((size_t)e->key_word * 8 + entry_key_len(e));
}

static uint32_t class_of(uint32_t units) {
    if (units <= EXACT_UNITS) return units;
    uint32_t bits = 31 - (uint32_t)__builtin_clz(units - 1); /* 2^bits < units <= 2^(bits+1) */
    return EXACT_UNITS + 1 + (bits - EXACT_BITS) * 8 + ((units - 1) >> (bits - 3)) - 8;
}

static void put_slot(pane *p, uint64_t slot) {
    uint32_t at = (uint32_t)(slot >> 32) & p->mask;
    while (p->slots[at]) at = (at + 1) & p->mask;
    p->slots[at] = slot;
}

pane *pane_new(slab_pool *pool, int64_t start, uint32_t expected) {
    pane *p = mem_zalloc(1, sizeof *p);
    p->start = start;
    p->expected = expected;
    p->slab_room = 4;
    p->slabs = mem_zalloc(p->slab_room, sizeof *p->slabs);
    p->slab_count = 1;
    set_slots(pool, p, SLOTS_FIRST);
    return p;
}

static size_t slab_len(const pane_slab *s) {
    return (size_t)s->room * 8;
}

static size_t dirty_len(const pane *p) {
    return p->dirty_room * sizeof *p->dirty;
}

void pane_free(slab_pool *pool, pane *p) {
    for (uint32_t i = 1; i < p->slab_count; i++) {
        slab_put(pool, p->slabs[i].data, slab_len(&p->slabs[i]));
    }
    slab_put(pool, p->slots, slots_len(p->mask));
    slab_put(pool, p->dirty, dirty_len(p));
    if (p->removals) {
        reset_ids(pool, &p->removals->removed);
        reset_ids(pool, &p->removals->deleted);
        reset_ids(pool, &p->removals->reused);
        slab_put(pool, p->removals, sizeof *p->removals);
    }
    mem_free(p->slabs);
    mem_free(p);
}

void pane_begin(pane *p, uint64_t batch) {
    p->batch = batch;
    p->mark_count = p->count;
    p->mark_slabs = p->slab_count;
    p->mark_used = p->slabs[p->slab_count - 1].used;
}

static void drop_dirty(slab_pool *pool, pane *p) {
    slab_put(pool, p->dirty, dirty_len(p));
    p->dirty = NULL;
    p->dirty_count = p->dirty_room = 0;
}

/* Let the next entry of its size have the memory of `id`. */
static void free_entry(pane *p, uint32_t id) {
    entry *e = pane_entry(p, id);
    uint32_t *head = &p->removals->free[class_of(units_of(e))];
    e->hash = *head;
    e->mark = ENTRY_REMOVED;
    *head = id;
}

static void free_entries(slab_pool *pool, pane *p, id_list *l) {
    for (uint32_t i = 0; i < l->count; i++) free_entry(p, l->items[i]);
    reset_ids(pool, l);
}

void pane_commit(slab_pool *pool, pane *p) {
    drop_dirty(pool, p);
    if (!p->removals) return;
    free_entries(pool, p, &p->removals->removed);
    free_entries(pool, p, &p->removals->deleted);
    reset_ids(pool, &p->removals->reused);
}

/* Make the index anew from the slots whose ids lie before `end`. Removing single slots would not
 * do: the index may have grown since, and then an old entry may stand behind a new one. */
static void keep_before(slab_pool *pool, pane *p, uint64_t end) {
    uint64_t *old = p->slots;
    uint32_t old_mask = p->mask;
    set_slots(pool, p, (uint64_t)old_mask + 1);
    for (uint64_t i = 0; i <= old_mask; i++) {
        if (old[i] && (uint32_t)old[i] < end) put_slot(p, old[i]);
    }
    slab_put(pool, old, slots_len(old_mask));
}

/* Take what this batch made behind the mark out of index and slabs. */
static void cut_back(slab_pool *pool, pane *p) {
    const pane_slab *last = &p->slabs[p->mark_slabs - 1];
    if (p->slab_count == p->mark_slabs && last->used == p->mark_used) return;
    /* a slab longer than ids reach holds one entry, at its begin */
    uint32_t used = p->mark_used < 1u << PANE_PLACE_BITS ? p->mark_used : 1u << PANE_PLACE_BITS;
    keep_before(pool, p, ((uint64_t)(p->mark_slabs - 1) << PANE_PLACE_BITS) + used);
    while (p->slab_count > p->mark_slabs) {
        pane_slab *s = &p->slabs[--p->slab_count];
        p->slab_bytes -= slab_len(s);
        slab_put(pool, s->data, slab_len(s));
    }
    p->slabs[p->mark_slabs - 1].used = p->mark_used;
}

/* Empty slot `hole` and move later ones of its run up, so that no search stops short of what it
 * looks for. Source: Knuth, TAOCP 3, 6.4, algorithm R. */
static void close_hole(pane *p, uint32_t hole) {
    for (uint32_t at = (hole + 1) & p->mask; p->slots[at]; at = (at + 1) & p->mask) {
        uint32_t home = (uint32_t)(p->slots[at] >> 32) & p->mask;
        if (((at - home) & p->mask) < ((at - hole) & p->mask)) continue;
        p->slots[hole] = p->slots[at];
        hole = at;
    }
    p->slots[hole] = 0;
}

/* Take an entry out of the index; its id. */
static uint32_t take_slot(pane *p, const entry *e) {
    uint32_t tag = (uint32_t)(e->hash >> 32), at = tag & p->mask;
    while (p->slots[at] >> 32 != tag || pane_entry(p, (uint32_t)p->slots[at]) != e) {
        at = (at + 1) & p->mask;
    }
    uint32_t id = (uint32_t)p->slots[at];
    close_hole(p, at);
    return id;
}

void pane_undo(slab_pool *pool, pane *p) {
    drop_dirty(pool, p);
    cut_back(pool, p);
    p->count = p->mark_count;
    if (!p->removals) return;
    id_list *reused = &p->removals->reused, *removed = &p->removals->removed;
    for (uint32_t i = 0; i < reused->count; i++) {
        entry *e = pane_entry(p, reused->items[i]);
        if (!entry_is_removed(e)) take_slot(p, e);
    }
    free_entries(pool, p, reused);
    for (uint32_t i = 0; i < removed->count; i++) {
        entry *e = pane_entry(p, removed->items[i]);
        e->mark = 0;
        put_slot(p, (e->hash >> 32 << 32) | removed->items[i]);
    }
    reset_ids(pool, removed);
    reset_ids(pool, &p->removals->deleted);
}

void pane_grow_dirty(slab_pool *pool, pane *p) {
    p->dirty = slab_grow(pool, p->dirty, dirty_len(p), DIRTY_FIRST * sizeof *p->dirty);
    p->dirty_room = p->dirty_room ? 2 * p->dirty_room : DIRTY_FIRST;
}

static uint64_t slots_for(uint32_t count) {
    uint64_t slots = SLOTS_FIRST;
    while (slots / 4 * 3 <= count) slots *= 2;
    return slots;
}

static void regrow(slab_pool *pool, pane *p, uint64_t count) {
    uint64_t *old = p->slots;
    uint32_t old_mask = p->mask;
    set_slots(pool, p, count);
    for (uint64_t i = 0; i <= old_mask; i++) {
        if (old[i]) put_slot(p, old[i]);
    }
    slab_outgrown(pool, old, slots_len(old_mask));
}

/* Double the index, or jump to the size expected. A pane that gets a few late rows stays small. */
static void grow(slab_pool *pool, pane *p) {
    uint64_t count = 2 * ((uint64_t)p->mask + 1);
    uint64_t expected = slots_for(p->expected);
    if (expected > count && p->count >= p->expected / JUMP) count = expected;
    regrow(pool, p, count);
}

void pane_reserve(slab_pool *pool, pane *p, uint32_t more) {
    uint64_t count = slots_for(p->count + more);
    if (count > (uint64_t)p->mask + 1) regrow(pool, p, count);
}

/* Start a slab with room for `units`. Slabs double with the pane, from 1 KB to 2 MB. */
static pane_slab *add_slab(slab_pool *pool, pane *p, size_t units) {
    assert(p->slab_count < PANE_SLABS); /* 32 GB in one pane */
    if (p->slab_count == p->slab_room) {
        p->slab_room *= 2;
        p->slabs = mem_realloc(p->slabs, p->slab_room * sizeof *p->slabs);
    }
    size_t len = p->slab_bytes < SLAB_FIRST ? SLAB_FIRST : p->slab_bytes;
    if (len > SLAB_LAST) len = SLAB_LAST;
    if (len < units * 8) len = units * 8;
    len = slab_size(len);
    pane_slab *s = &p->slabs[p->slab_count++];
    s->data = slab_take(pool, len);
    s->used = 0;
    s->room = (uint32_t)(len / 8);
    p->slab_bytes += len;
    return s;
}

/* Memory for an entry of `units`, and its id. */
static entry *take_memory(slab_pool *pool, pane *p, uint32_t units, uint32_t *id) {
    uint32_t *head = p->removals ? &p->removals->free[class_of(units)] : NULL;
    if (head && *head) {
        *id = *head;
        entry *e = pane_entry(p, *id);
        *head = (uint32_t)e->hash;
        push_id(pool, &p->removals->reused, *id);
        return e;
    }
    pane_slab *s = &p->slabs[p->slab_count - 1];
    if (s->room - s->used < units || s->used >> PANE_PLACE_BITS) s = add_slab(pool, p, units);
    *id = ((p->slab_count - 1) << PANE_PLACE_BITS) + s->used;
    entry *e = (entry *)(s->data + (size_t)s->used * 8);
    s->used += units;
    return e;
}

entry *pane_insert(slab_pool *pool, pane *p, uint32_t at, uint64_t hash, const char *key,
                   uint32_t key_len, uint32_t state_size) {
    bool is_long = key_len >= ENTRY_LONG_KEY;
    size_t key_offset = sizeof(entry) + state_size + (is_long ? sizeof(uint64_t) : 0);
    uint32_t id;
    entry *e = take_memory(pool, p, units_for(key_offset + key_len), &id);
    e->hash = hash;
    e->mark = 0;
    e->short_len = is_long ? ENTRY_LONG_KEY : (uint16_t)key_len;
    e->key_word = (uint16_t)(key_offset / 8);
    if (is_long) memcpy((char *)e + key_offset - sizeof(uint64_t), &key_len, sizeof key_len);
    if (key_len) {
        memset((char *)e + (key_offset + key_len + 7) / 8 * 8 - 8, 0, 8);
        copy_text((char *)e + key_offset, key, key_len);
    }
    uint64_t slot = (hash >> 32 << 32) | id;
    if (p->count >= p->limit) {
        grow(pool, p);
        put_slot(p, slot);
    } else {
        p->slots[at] = slot;
    }
    p->count++;
    return e;
}

void pane_clean(pane *p, const entry *e) {
    uint32_t i = 0;
    while (p->dirty[i] != e) i++;
    p->dirty_count--;
    memmove(&p->dirty[i], &p->dirty[i + 1], (p->dirty_count - i) * sizeof *p->dirty);
}

void pane_remove(slab_pool *pool, pane *p, entry *e, bool is_new) {
    if (!p->removals) {
        p->removals = slab_take(pool, sizeof *p->removals);
        memset(p->removals, 0, sizeof *p->removals);
    }
    uint32_t id = take_slot(p, e);
    push_id(pool, is_new ? &p->removals->deleted : &p->removals->removed, id);
    p->count--;
    e->mark = ENTRY_REMOVED;
}

void pane_delete(slab_pool *pool, pane *p, entry *e) {
    pane_clean(p, e);
    pane_remove(pool, p, e, true);
}

int64_t pane_start(const pane *p) {
    return p->start;
}

uint64_t pane_epoch(const pane *p) {
    return p->batch;
}

uint32_t pane_generation(const pane *p) {
    return p->generation;
}

bool pane_is_spilled(const pane *p) {
    return p->is_spilled;
}

bool pane_is_empty(const pane *p) {
    return !p->count && !p->is_spilled && !p->is_cached;
}

bool pane_is_cached(const pane *p) {
    return p->is_cached;
}

uint64_t pane_touched(const pane *p) {
    return p->touched;
}

uint32_t pane_count(const pane *p) {
    return p->count;
}

entry *const *pane_dirty(const pane *p, uint32_t *count) {
    *count = p->dirty_count;
    return p->dirty;
}

entry *table_scan(const pane *p, table_cursor *at) {
    while (at->slab < p->slab_count) {
        const pane_slab *s = &p->slabs[at->slab];
        if (at->at >= s->used) {
            at->slab++;
            at->at = 0;
            continue;
        }
        entry *e = (entry *)(s->data + (size_t)at->at * 8);
        at->at += units_of(e);
        if (!entry_is_removed(e)) return e;
    }
    return NULL;
}
