/* DESIGN. A key's state is one number: the watermark from which on the key may come again, first
 * event time + within. It is asked on every row, so that nothing depends on when memory of keys
 * that are past is reclaimed. Keys lie in panes by that number, each named by the highest it may
 * hold: a pane goes as a whole, in memory and in the base, when the watermark has reached its name,
 * and a row is looked for in all of them, which are about three. What lies further ahead of the
 * watermark than within + delay (a source far behind another) goes into wider ones, so that they
 * stay few.
 *
 *   watermark ─┤       until ─▶ |  pane 99  |  pane 199 |  pane 299 |       pane 499        |
 *
 * Rows of a shard are judged in the batch's order, chunk after chunk, so that which row is the
 * first depends neither on workers nor on chunks. A row that user code throws out
 * behind it has been seen all the same. */
#include "runtime/operator/distinct.h"

#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/event/saturate.h"
#include "runtime/event/watermark.h"
#include "runtime/operator/fetch.h"
#include "runtime/operator/operators.h"
#include "runtime/operator/select.h"
#include "runtime/operator/stored.h"
#include "state/spill.h"

enum { ALL_KEYS = 0 }; /* the pane of keys that stay, or are from before there were panes */

/* Rows that no key is known for yet, and where they stand in the run. */
struct judge_space {
    uint32_t count;
    uint32_t places[VECTOR_ROWS];
    uint64_t hashes[VECTOR_ROWS];
    const char *keys[VECTOR_ROWS];
    uint32_t key_lens[VECTOR_ROWS];
    pane *panes[VECTOR_ROWS]; /* where each belongs */
    entry *found[VECTOR_ROWS];
    void *states[VECTOR_ROWS];
};

struct seen_keys {
    const sl_distinct *plan; /* borrowed */
    table *table;            /* owned */
    int64_t all_until;       /* when the last key of ALL_KEYS goes, of any worker */
    int64_t first_ms;        /* of the first row, INT64_MIN: none yet: until there is a watermark */
};

/* The judging of one run of rows. */
typedef struct judging {
    worker *w;  /* who judges */
    worker *of; /* whose keys they are */
    const batch_view *b;
    uint32_t distinct;
    seen_keys *seen;
    judge_space *space;
    int64_t watermark; /* keys up to it may come again */
} judging;

judge_space *judge_space_new(void) {
    return mem_zalloc(1, sizeof(judge_space));
}

void judge_space_free(judge_space *space) {
    mem_free(space);
}

static bool is_forever(const seen_keys *seen) {
    return seen->plan->within_ms == INT64_MAX;
}

seen_keys *seen_keys_new(const sl_distinct *plan) {
    int64_t never_seen = INT64_MIN;
    seen_keys *seen = mem_zalloc(1, sizeof *seen);
    seen->plan = plan;
    seen->first_ms = INT64_MIN;
    seen->all_until = ALL_KEYS;
    seen->table =
        table_new(&(table_config){ .state_size = sizeof never_seen, .state_init = &never_seen });
    return seen;
}

void seen_keys_follow(seen_keys *seen, const sl_distinct *plan) { seen->plan = plan; }

void seen_keys_free(seen_keys *seen) {
    if (!seen) return;
    table_free(seen->table);
    mem_free(seen);
}

void seen_keys_begin(seen_keys *seen) {
    table_epoch_begin(seen->table);
}

/* The watermark from which on an entry's key may come again. */
static int64_t until_now(const entry *e) {
    return *(const int64_t *)entry_state(e);
}

table *seen_keys_table(const seen_keys *seen) {
    return seen->table;
}

void seen_keys_loaded(seen_keys *seen) {
    pane *p = table_find_pane(seen->table, ALL_KEYS);
    if (is_forever(seen) || !p) return;
    table_cursor at = { 0 };
    seen->all_until = pane_is_cached(p) ? INT64_MAX : ALL_KEYS;
    for (entry *e; (e = table_scan(p, &at));)
        if (until_now(e) > seen->all_until) seen->all_until = until_now(e);
}

void seen_keys_agree(seen_keys *const *seen, uint32_t count) {
    int64_t last = INT64_MIN;
    for (uint32_t i = 0; i < count; i++)
        if (seen[i]->all_until > last) last = seen[i]->all_until;
    for (uint32_t i = 0; i < count; i++) seen[i]->all_until = last;
}

size_t seen_keys_bytes(const seen_keys *seen) {
    return table_held_bytes(seen->table);
}

void seen_keys_end(seen_keys *seen, bool commit) {
    (commit ? table_commit : table_undo)(seen->table);
}

/* The watermark at which a pane goes. */
static int64_t goes_at(const seen_keys *seen, const pane *p) {
    return pane_start(p) == ALL_KEYS ? seen->all_until : pane_start(p);
}

/* The first pane that goes at `watermark`, by name; NULL: none. */
static pane *first_due(const seen_keys *seen, int64_t watermark) {
    uint32_t count;
    pane *const *panes = table_panes(seen->table, &count);
    if (is_forever(seen) || watermark == WATERMARK_NONE) return NULL;
    for (uint32_t i = 0; i < count; i++)
        if (goes_at(seen, panes[i]) <= watermark) return panes[i];
    return NULL;
}

bool seen_keys_are_due(seen_keys *seen, int64_t watermark) {
    return first_due(seen, watermark) != NULL;
}

void distinct_forget(worker *w, const batch_view *b) {
    for (uint32_t d = 0; d < b->plan->distinct_count; d++)
        for (pane *p; (p = first_due(w->seen[d], b->distincts[d].watermark_after));)
            table_drop_pane(w->seen[d]->table, p);
}

/* The name of the pane for a key that goes at `until`: half as wide as that is ahead, at least. */
static int64_t pane_name(const seen_keys *seen, int64_t until, int64_t watermark) {
    int64_t wide = seen->plan->pane_ms;
    int64_t from = watermark == WATERMARK_NONE ? seen->first_ms : watermark;
    int64_t ahead = saturate_sub(until, from) / 2;
    while (wide < ahead && wide < INT64_MAX / 2) wide *= 2;
    int64_t behind = until % wide;
    return saturate_add(until, wide - 1 - (behind < 0 ? behind + wide : behind));
}

static void drop_row(const judging *j, uint32_t n) {
    const select_cursor *from = select_from(j->w->selector, n);
    atomic_fetch_and_explicit(&from->set->passed[j->w->selector->rows.indices[n]], ~from->bit,
                              memory_order_relaxed);
}

static void take_all(judging *j) {
    const selection *rows = &j->w->selector->rows;
    judge_space *s = j->space;
    s->count = rows->count;
    for (uint32_t n = 0; n < rows->count; n++) s->places[n] = n;
    memcpy(s->hashes, rows->hashes, rows->count * sizeof *s->hashes);
    memcpy(s->keys, rows->keys, rows->count * sizeof *s->keys);
    memcpy(s->key_lens, rows->key_lens, rows->count * sizeof *s->key_lens);
}

/* Take out the rows whose keys `p` has. */
static void look_in(const judging *j, const pane *p) {
    judge_space *s = j->space;
    uint32_t left = 0;
    if (!pane_count(p)) return;
    table_find_rows(p, s->count, s->hashes, s->keys, s->key_lens, s->found);
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->found[i] && until_now(s->found[i]) > j->watermark) {
            drop_row(j, s->places[i]);
            continue;
        }
        s->places[left] = s->places[i];
        s->hashes[left] = s->hashes[i];
        s->keys[left] = s->keys[i];
        s->key_lens[left++] = s->key_lens[i];
    }
    s->count = left;
}

/* The same of what the base has of it. */
static err *look_in_base(const judging *j, pane *p) {
    judge_space *s = j->space;
    for (uint32_t i = 0; i < s->count; i++) s->panes[i] = p;
    uint32_t number = stored_distinct_number(j->b->plan, j->distinct);
    err *e = fetch_rows(j->of, j->b->plan, number, s->count, s->panes, s->hashes, s->keys,
                        s->key_lens);
    if (!e) look_in(j, p);
    return e;
}

static err *look(const judging *j) {
    uint32_t count;
    pane *const *panes = table_panes(j->seen->table, &count);
    for (uint32_t i = 0; i < count && j->space->count; i++) look_in(j, panes[i]);
    for (uint32_t i = 0; i < count && j->space->count; i++) {
        err *e = pane_is_cached(panes[i]) ? look_in_base(j, panes[i]) : NULL;
        if (e) return e;
    }
    return NULL;
}

static int64_t until_of(const judging *j, uint32_t i) {
    const sl_row *row = j->w->selector->rows.rows[j->space->places[i]];
    if (is_forever(j->seen)) return INT64_MAX;
    return saturate_add(row->time_ms, j->seen->plan->within_ms);
}

/* The panes of rows that are left; true: it is one. */
static bool find_panes(const judging *j) {
    judge_space *s = j->space;
    bool is_one = true;
    for (uint32_t i = 0; i < s->count; i++) {
        int64_t name = ALL_KEYS;
        if (!is_forever(j->seen)) name = pane_name(j->seen, until_of(j, i), j->watermark);
        s->panes[i] = table_pane(j->seen->table, name);
        is_one &= s->panes[i] == s->panes[0];
    }
    return is_one;
}

/* Whether another pane has got the key of row `i` by a row of this run. */
static bool is_elsewhere(const judging *j, uint32_t i) {
    const judge_space *s = j->space;
    uint32_t count;
    pane *const *panes = table_dirty_panes(j->seen->table, &count);
    for (uint32_t p = 0; p < count; p++) {
        if (panes[p] == s->panes[i]) continue;
        const entry *e = table_find(panes[p], s->hashes[i], s->keys[i], s->key_lens[i]);
        if (e && until_now(e) > j->watermark) return true;
    }
    return false;
}

static void settle(const judging *j, uint32_t i, int64_t *until) {
    if (*until > j->watermark)
        drop_row(j, j->space->places[i]);
    else
        *until = until_of(j, i);
}

/* No key of the rows that are left is known: of those with one key the first passes. */
static void keep_first(const judging *j) {
    judge_space *s = j->space;
    table *t = j->seen->table;
    if (!s->count) return;
    if (find_panes(j)) {
        table_touch_many(t, s->count, s->panes, s->hashes, s->keys, s->key_lens, s->states);
        for (uint32_t i = 0; i < s->count; i++) settle(j, i, s->states[i]);
        return;
    }
    for (uint32_t i = 0; i < s->count; i++) {
        if (is_elsewhere(j, i)) {
            drop_row(j, s->places[i]);
            continue;
        }
        entry *e = table_touch(t, s->panes[i], s->hashes[i], s->keys[i], s->key_lens[i]);
        settle(j, i, entry_state(e));
    }
}

static err *judge_run(worker *w, worker *of, const batch_view *b, uint32_t d) {
    seen_keys *seen = of->seen[d];
    judging j = {
        .w = w, .of = of, .b = b, .distinct = d, .seen = seen, .space = w->judge
    };
    j.watermark = is_forever(seen) ? WATERMARK_NONE : b->distincts[d].watermark_before;
    const sl_row *first = w->selector->rows.rows[0];
    if (seen->first_ms == INT64_MIN) seen->first_ms = first->time_ms;
    take_all(&j);
    err *e = look(&j);
    if (!e) keep_first(&j);
    return e;
}

err *distinct_chunk(worker *w, worker *of, const batch_view *b, chunk *c, uint32_t level) {
    for (uint32_t d = 0; d < b->plan->distinct_count; d++) {
        const sl_distinct *plan = &b->plan->distincts[d];
        if (plan->level != level) continue;
        if (!select_begin(w->selector, b, c, plan->feeds, plan->feed_count)) continue;
        while (select_next(w->selector, of)) {
            err *e = judge_run(w, of, b, d);
            if (e) return e;
        }
    }
    return NULL;
}
