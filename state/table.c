#include "state/table.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "runtime/base/copy.h"
#include "runtime/base/mem.h"
#include "state/pane_seek.h"
#include "state/part.h"
#include "state/spill.h"
#include "state/table_inside.h"
#include "state/undo.h"

enum {
    FAR_BYTES = 256 << 10, /* from here on prefetching pays; below it costs 10 ns a row */
    AHEAD = 12,            /* rows from a slot's prefetch to its entry's, and again to the touch */
};

/* A list of panes. */
typedef struct pane_list {
    pane **items; /* owned; the panes are the table's */
    uint32_t count;
    uint32_t room;
} pane_list;

struct table {
    uint32_t state_size;
    uint32_t part_count;
    void *state_init;       /* owned */
    uint32_t *part_offsets; /* owned */
    slab_pool pool;         /* of everything but saved bytes and lists of panes */
    part_store parts;
    undo undo;
    pane_list panes;     /* by start; not the dropped ones; owned */
    pane_list dropped;   /* in this batch; owned */
    pane_list dirty;     /* touched in this batch */
    pane *last;          /* what table_pane gave last; NULL: none */
    uint64_t batch;      /* epoch of the batch; panes carry it */
    uint64_t stamp;      /* number of the batch, as table_stamp got it */
    uint32_t last_count; /* entries of the pane dropped last: a guess for the next one */
    bool in_batch;
};

static void list_insert(pane_list *l, uint32_t at, pane *p) {
    if (l->count == l->room) {
        l->room = l->room ? 2 * l->room : 8;
        l->items = mem_realloc(l->items, l->room * sizeof *l->items);
    }
    memmove(&l->items[at + 1], &l->items[at], (l->count - at) * sizeof *l->items);
    l->items[at] = p;
    l->count++;
}

static void list_push(pane_list *l, pane *p) { list_insert(l, l->count, p); }

/* Index of the first pane at or behind (start, generation). */
static uint32_t position(const pane_list *l, int64_t start, uint32_t generation) {
    uint32_t low = 0, high = l->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const pane *p = l->items[middle];
        if (p->start < start || (p->start == start && p->generation < generation))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

table *table_new(const table_config *config) {
    assert(config->state_size > 0 && config->state_size % 8 == 0);
    assert(config->state_size <= ENTRY_STATE_BYTES);
    table *t = mem_zalloc(1, sizeof *t);
    t->state_size = config->state_size;
    t->part_count = config->part_count;
    t->state_init = mem_alloc(t->state_size);
    memcpy(t->state_init, config->state_init, t->state_size);
    size_t offsets_len = t->part_count * sizeof *t->part_offsets;
    t->part_offsets = mem_alloc(offsets_len);
    if (offsets_len) memcpy(t->part_offsets, config->part_offsets, offsets_len);
    slab_pool_init(&t->pool);
    part_store_init(&t->parts, &t->pool);
    undo_init(&t->undo, &t->pool, t->state_size);
    return t;
}

static sl_part *part_of(const table *t, const entry *e, uint32_t i) {
    return (sl_part *)((char *)entry_state(e) + t->part_offsets[i]);
}

/* Free a pane that no undo can ask for any more, with the parts of its entries. */
static void recycle(table *t, pane *p) {
    table_cursor at = { 0 };
    for (entry *e; t->part_count && (e = table_scan(p, &at));) {
        for (uint32_t i = 0; i < t->part_count; i++) part_free(&t->parts, part_of(t, e, i));
    }
    pane_free(&t->pool, p);
}

void table_free(table *t) {
    if (!t) return;
    if (t->in_batch) table_undo(t);
    for (uint32_t i = 0; i < t->panes.count; i++) recycle(t, t->panes.items[i]);
    part_store_done(&t->parts);
    slab_pool_done(&t->pool);
    undo_done(&t->undo);
    mem_free(t->panes.items);
    mem_free(t->dropped.items);
    mem_free(t->dirty.items);
    mem_free(t->part_offsets);
    mem_free(t->state_init);
    mem_free(t);
}

/* Marks are short: once in three milliards of touches all entries forget theirs. */
static void renew_marks(table *t) {
    for (uint32_t i = 0; i < t->panes.count; i++) {
        table_cursor at = { 0 };
        for (entry *e; (e = table_scan(t->panes.items[i], &at));) e->mark = 0;
    }
    undo_renew(&t->undo);
}

void table_mark_from(table *t, uint32_t mark) {
    t->undo.first = mark;
}

void table_epoch_begin(table *t) {
    assert(!t->in_batch);
    if (undo_is_worn(&t->undo)) renew_marks(t);
    t->in_batch = true;
    part_begin(&t->parts);
    t->batch = t->parts.batch;
}

void table_epoch_next(table *t) {
    assert(t->in_batch);
    part_next(&t->parts);
}

void table_epoch_undo(table *t) {
    assert(t->in_batch);
    part_step_undo(&t->parts);
}

static void end_batch(table *t) {
    t->dirty.count = t->dropped.count = 0;
    t->in_batch = false;
    undo_end(&t->undo);
}

void table_commit(table *t) {
    assert(t->in_batch);
    part_commit(&t->parts);
    for (uint32_t i = 0; i < t->dirty.count; i++) pane_commit(&t->pool, t->dirty.items[i]);
    for (uint32_t i = 0; i < t->dropped.count; i++) recycle(t, t->dropped.items[i]);
    end_batch(t);
}

void table_undo(table *t) {
    assert(t->in_batch);
    undo_back(&t->undo);
    for (uint32_t i = 0; i < t->dirty.count; i++) pane_undo(&t->pool, t->dirty.items[i]);
    part_undo(&t->parts);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < t->panes.count; i++) {
        pane *p = t->panes.items[i];
        if (p->made == t->batch)
            pane_free(&t->pool, p);
        else
            t->panes.items[kept++] = p;
    }
    t->panes.count = kept;
    for (uint32_t i = 0; i < t->dropped.count; i++) {
        pane *p = t->dropped.items[i];
        p->dropped = false;
        if (p->made == t->batch)
            pane_free(&t->pool, p);
        else
            list_insert(&t->panes, position(&t->panes, p->start, p->generation), p);
    }
    t->last = NULL;
    end_batch(t);
}

/* Make the pane that will stand at `at`. */
static pane *make_pane(table *t, uint32_t at, int64_t start, uint32_t generation) {
    uint32_t expected = t->last_count;
    const pane_list *l = &t->panes;
    if (at > 0 && l->items[at - 1]->count > expected) expected = l->items[at - 1]->count;
    if (at < l->count && l->items[at]->count > expected) expected = l->items[at]->count;
    pane *p = pane_new(&t->pool, start, expected);
    p->made = t->batch;
    p->generation = generation;
    list_insert(&t->panes, at, p);
    return p;
}

pane *table_find_pane(const table *t, int64_t start) {
    uint32_t behind = position(&t->panes, start, UINT32_MAX);
    if (!behind || t->panes.items[behind - 1]->start != start) return NULL;
    return t->panes.items[behind - 1];
}

pane *table_pane(table *t, int64_t start) {
    if (t->last && t->last->start == start) return t->last;
    assert(t->in_batch);
    pane *p = table_find_pane(t, start);
    uint32_t generation = p && p->is_spilled ? p->generation + 1 : 0;
    if (!p || p->is_spilled)
        p = make_pane(t, position(&t->panes, start, generation), start, generation);
    return t->last = p;
}

pane *table_pane_of(table *t, int64_t start, uint32_t generation) {
    assert(t->in_batch && generation < UINT32_MAX);
    uint32_t at = position(&t->panes, start, generation);
    pane *p = at < t->panes.count ? t->panes.items[at] : NULL;
    if (p && p->start == start && p->generation == generation) return p;
    t->last = NULL; /* it may be an older one of this start */
    return make_pane(t, at, start, generation);
}

pane *const *table_panes(const table *t, uint32_t *count) {
    *count = t->panes.count;
    return t->panes.items;
}

pane *const *table_dirty_panes(const table *t, uint32_t *count) {
    *count = t->dirty.count;
    return t->dirty.items;
}

pane *const *table_dropped_panes(const table *t, uint32_t *count) {
    *count = t->dropped.count;
    return t->dropped.items;
}

bool table_has_made(const table *t, const pane *p) {
    return p->made == t->batch;
}

table_config table_layout(const table *t) {
    return (table_config){ .state_size = t->state_size,
                           .part_count = t->part_count,
                           .state_init = t->state_init,
                           .part_offsets = t->part_offsets };
}

void table_reserve(table *t, pane *p, uint32_t more) {
    pane_reserve(&t->pool, p, more);
}

void table_stamp(table *t, uint64_t batch) {
    t->stamp = batch;
}

/* Take a pane out of the list. */
static void take_out(table *t, const pane *p) {
    uint32_t at = position(&t->panes, p->start, p->generation);
    t->panes.count--;
    memmove(&t->panes.items[at], &t->panes.items[at + 1],
            (t->panes.count - at) * sizeof *t->panes.items);
    if (t->last == p) t->last = NULL;
}

static pane *put_empty(table *t, int64_t start, uint32_t generation) {
    pane *empty = pane_new(&t->pool, start, 0);
    empty->generation = generation;
    list_insert(&t->panes, position(&t->panes, start, generation), empty);
    t->last = NULL;
    return empty;
}

/* Free a pane and put an empty one in its place. */
static pane *empty_pane(table *t, pane *p) {
    int64_t start = p->start;
    uint32_t generation = p->generation;
    assert(!t->in_batch && !p->is_spilled);
    take_out(t, p);
    recycle(t, p);
    return put_empty(t, start, generation);
}

void table_spill_pane(table *t, pane *p) {
    empty_pane(t, p)->is_spilled = true;
}

void table_add_spilled(table *t, int64_t start, uint32_t generation) {
    put_empty(t, start, generation)->is_spilled = true;
}

void table_cache_pane(table *t, pane *p) {
    empty_pane(t, p)->is_cached = true;
}

void table_add_cached(table *t, int64_t start) {
    put_empty(t, start, 0)->is_cached = true;
}

void table_settle(table *t, pane *p, uint32_t from) {
    assert(t->in_batch);
    for (uint32_t i = from; i < p->dirty_count; i++) undo_forget(&t->undo, p->dirty[i]);
    if (from < p->dirty_count) p->dirty_count = from;
    part_next(&t->parts);
}

void table_trim(table *t) {
    slab_pool_trim(&t->pool, t->pool.used_bytes / 8);
}

void table_drop_pane(table *t, pane *p) {
    assert(t->in_batch && !p->dropped);
    take_out(t, p);
    list_push(&t->dropped, p);
    p->dropped = true;
    if (p->count) t->last_count = p->count;
}

/* First touch of a pane in this batch; before the first insert, which its mark must not cover. */
static void begin_pane(table *t, pane *p) {
    if (p->batch == t->batch) return;
    pane_begin(p, t->batch);
    p->touched = t->stamp;
    list_push(&t->dirty, p);
}

/* `old`: saved bytes of the entry, NULL for a new one. */
static void make_dirty(table *t, pane *p, entry *e, void *old) {
    undo_mark(&t->undo, e, old);
    pane_push_dirty(&t->pool, p, e);
}

static __attribute__((noinline)) entry *make_entry(table *t, pane *p, uint32_t at, uint64_t hash,
                                                   const char *key, uint32_t key_len) {
    begin_pane(t, p);
    entry *e = pane_insert(&t->pool, p, at, hash, key, key_len, t->state_size);
    copy_state(entry_state(e), t->state_init, t->state_size);
    make_dirty(t, p, e, NULL);
    return e;
}

static __attribute__((noinline)) void first_touch(table *t, pane *p, entry *e) {
    begin_pane(t, p);
    make_dirty(t, p, e, undo_save(&t->undo, e));
}

static inline entry *touch(table *t, pane *p, uint64_t hash, const char *key, uint32_t key_len) {
    uint32_t at;
    entry *e = pane_seek(p, hash, key, key_len, &at);
    if (!e) return make_entry(t, p, at, hash, key, key_len);
    if (!undo_has(&t->undo, e)) first_touch(t, p, e);
    return e;
}

entry *table_touch(table *t, pane *p, uint64_t hash, const char *key, uint32_t key_len) {
    assert(t->in_batch && !p->dropped);
    return touch(t, p, hash, key, key_len);
}

const void *table_state_before(const table *t, const entry *e) {
    assert(t->in_batch && !entry_is_removed(e));
    return undo_before(&t->undo, e);
}

bool table_is_new(const table *t, const entry *e) {
    return !undo_before(&t->undo, e);
}

static inline void prefetch_slot(const pane *p, uint64_t hash) {
    __builtin_prefetch(&p->slots[(uint32_t)(hash >> 32) & p->mask], 1);
}

/* Prefetch the entry that the index names for `hash`: its begin and the begin of its key. */
static inline void prefetch_entry(const pane *p, uint64_t hash, size_t key_offset) {
    uint32_t tag = (uint32_t)(hash >> 32);
    for (uint32_t at = tag & p->mask; p->slots[at]; at = (at + 1) & p->mask) {
        if (p->slots[at] >> 32 != tag) continue;
        const char *e = (const char *)pane_entry(p, (uint32_t)p->slots[at]);
        __builtin_prefetch(e, 1);
        __builtin_prefetch(e + key_offset, 1);
        return;
    }
}

/* Row i + 2 * AHEAD asks for its slot, row i + AHEAD reads it and asks for its entry, row i is
 * touched. The index may grow in between; then a prefetch was in vain, no more. */
static void touch_far(table *t, uint32_t count, pane *const *panes, const uint64_t *hashes,
                      const char *const *keys, const uint32_t *key_lens, void **states) {
    size_t key_offset = sizeof(entry) + t->state_size;
    for (size_t step = 0; step < (size_t)count + 2 * AHEAD; step++) {
        if (step < count) prefetch_slot(panes[step], hashes[step]);
        size_t i = step - AHEAD;
        if (step >= AHEAD && i < count) prefetch_entry(panes[i], hashes[i], key_offset);
        if (step < 2 * AHEAD) continue;
        i = step - 2 * AHEAD;
        states[i] = entry_state(touch(t, panes[i], hashes[i], keys[i], key_lens[i]));
    }
}

void table_touch_many(table *t, uint32_t count, pane *const *panes, const uint64_t *hashes,
                      const char *const *keys, const uint32_t *key_lens, void **states) {
    assert(t->in_batch);
    if (t->pool.used_bytes > FAR_BYTES) {
        touch_far(t, count, panes, hashes, keys, key_lens, states);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        states[i] = entry_state(touch(t, panes[i], hashes[i], keys[i], key_lens[i]));
    }
}

entry *table_find(const pane *p, uint64_t hash, const char *key, uint32_t key_len) {
    return pane_find(p, hash, key, key_len);
}

void table_prefetch(const pane *p, uint64_t hash) {
    prefetch_slot(p, hash);
}

void table_find_many(const pane *p, uint32_t count, entry *const *like, entry **found) {
    for (size_t step = 0; step < (size_t)count + 2 * AHEAD; step++) {
        if (step < count) prefetch_slot(p, like[step]->hash);
        size_t i = step - AHEAD;
        if (step >= AHEAD && i < count)
            prefetch_entry(p, like[i]->hash, (size_t)like[i]->key_word * 8);
        if (step < 2 * AHEAD) continue;
        const entry *e = like[step - 2 * AHEAD];
        found[step - 2 * AHEAD] = pane_find(p, e->hash, entry_key(e), entry_key_len(e));
    }
}

void table_find_rows(const pane *p, uint32_t count, const uint64_t *hashes, const char *const *keys,
                     const uint32_t *key_lens, entry **found) {
    for (size_t i = 0; i < (size_t)count + AHEAD; i++) {
        if (i < count) prefetch_slot(p, hashes[i]);
        if (i >= AHEAD)
            found[i - AHEAD] =
                pane_find(p, hashes[i - AHEAD], keys[i - AHEAD], key_lens[i - AHEAD]);
    }
}

void table_delete(table *t, pane *p, entry *e) {
    assert(t->in_batch && table_is_new(t, e));
    for (uint32_t i = 0; i < t->part_count; i++) part_release(&t->parts, part_of(t, e, i));
    pane_delete(&t->pool, p, e);
}

void table_remove(table *t, pane *p, entry *e) {
    assert(t->in_batch && !p->dropped && !entry_is_removed(e));
    begin_pane(t, p);
    if (t->part_count && !undo_has(&t->undo, e)) make_dirty(t, p, e, undo_save(&t->undo, e));
    for (uint32_t i = 0; i < t->part_count; i++) part_let_go(&t->parts, part_of(t, e, i));
    pane_remove(&t->pool, p, e, table_is_new(t, e));
}

void table_remove_settled(table *t, pane *p, entry *e) {
    begin_pane(t, p);
    for (uint32_t i = 0; i < t->part_count; i++) part_let_go(&t->parts, part_of(t, e, i));
    pane_remove(&t->pool, p, e, true);
}

void table_untouch(table *t, pane *p, entry *e) {
    assert(t->in_batch && undo_has(&t->undo, e) && !table_is_new(t, e));
    pane_clean(p, e);
    undo_forget(&t->undo, e);
}

size_t table_held_bytes(const table *t) {
    size_t lists = (t->panes.room + t->dropped.room + t->dirty.room) * sizeof(pane *);
    return t->pool.used_bytes + t->pool.spare_bytes + undo_held_bytes(&t->undo) +
           part_list_bytes(&t->parts) + t->panes.count * sizeof(pane) + lists + sizeof *t;
}

size_t table_used_bytes(const table *t) {
    size_t parts = t->parts.cut_bytes - t->parts.used_bytes;
    return t->pool.used_bytes - parts + t->panes.count * sizeof(pane);
}

size_t table_part_count(const table *t) {
    return t->parts.block_count;
}

__attribute__((visibility("default"), noinline, used)) void sl_part_set(void *t, sl_part *part,
                                                                        const char *data,
                                                                        uint32_t len) {
    part_set(&((table *)t)->parts, part, data, len);
}

__attribute__((visibility("default"), noinline, used)) char *sl_part_edit(void *t, sl_part *part,
                                                                          uint32_t len) {
    return part_edit(&((table *)t)->parts, part, len);
}

__attribute__((visibility("default"), noinline, used)) char *sl_part_append(void *t, sl_part *part,
                                                                            uint32_t len) {
    return part_append(&((table *)t)->parts, part, len);
}
