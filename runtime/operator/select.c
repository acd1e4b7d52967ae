#include "runtime/operator/select.h"

#include "runtime/base/mem.h"

void selector_done(selector *s) { mem_free(s->cursors); }

static void add_cursor(selector *s, const batch_view *b, const chunk *c, sl_feed feed) {
    const sl_step *step = &b->plan->steps[feed.step];
    row_set *set = chunk_rows(c, feed.step);
    if (s->count == s->room) {
        s->room = s->room ? s->room * 2 : 8;
        s->cursors = mem_realloc(s->cursors, s->room * sizeof *s->cursors);
    }
    s->cursors[s->count++] = (select_cursor){ .set = set,
                                              .group = &set->groups[feed.output],
                                              .output = &step->outputs[feed.output],
                                              .bit = 1u << feed.output,
                                              .level = step->level };
}

bool select_begin(selector *s, const batch_view *b, const chunk *c, const sl_feed *feeds,
                  uint32_t feed_count) {
    s->count = 0;
    s->shard_mask = b->plan->shards - 1;
    for (uint32_t i = 0; i < feed_count; i++)
        if (b->plan->steps[feeds[i].step].root == c->root) add_cursor(s, b, c, feeds[i]);
    return s->count > 0;
}

static bool is_own(const selector *s, const worker *of, uint64_t hash) {
    return of->count == 1 || ((uint32_t)hash & s->shard_mask) % of->count == of->number;
}

static void use_space(selector *s) {
    s->rows.indices = s->space.indices;
    s->rows.cursors = s->space.cursors;
    s->rows.panes = s->space.panes;
    s->rows.hashes = s->space.hashes;
    s->rows.keys = s->space.keys;
    s->rows.key_lens = s->space.key_lens;
}

static inline void take_row(selector *s, const select_cursor *from, uint32_t i, uint32_t number) {
    const grouping *g = from->group;
    select_space *to = &s->space;
    uint32_t n = s->rows.count++;
    to->indices[n] = g->indices[i];
    to->cursors[n] = (uint16_t)number;
    to->panes[n] = g->panes[i];
    to->hashes[n] = g->hashes[i];
    to->keys[n] = g->keys[i];
    to->key_lens[n] = g->key_lens[i];
    s->rows.rows[n] = from->set->rows[g->indices[i]];
}

/* All rows of one output: a piece of its grouping. */
static void take_piece(selector *s) {
    static const uint16_t FIRST[VECTOR_ROWS] = { 0 };
    select_cursor *from = &s->cursors[0];
    const grouping *g = from->group;
    selection *rows = &s->rows;
    uint32_t at = from->at, left = g->count - at;
    rows->count = left < VECTOR_ROWS ? left : VECTOR_ROWS;
    rows->indices = g->indices + at;
    rows->cursors = FIRST;
    rows->panes = g->panes + at;
    rows->hashes = g->hashes + at;
    rows->keys = g->keys + at;
    rows->key_lens = g->key_lens + at;
    for (uint32_t n = 0; n < rows->count; n++) rows->rows[n] = from->set->rows[rows->indices[n]];
    from->at += rows->count;
}

/* Rows of one output, those of its shards. Found without a branch a row, which hashes would make a
 * guess. */
static void take_one(selector *s, const worker *of) {
    select_cursor *from = &s->cursors[0];
    const grouping *g = from->group;
    uint32_t own[VECTOR_ROWS], count = 0;
    s->rows.driver = from->output->driver;
    if (of->count == 1) {
        take_piece(s);
        return;
    }
    use_space(s);
    for (; from->at < g->count && count < VECTOR_ROWS; from->at++) {
        own[count] = from->at;
        count += is_own(s, of, g->hashes[from->at]);
    }
    for (uint32_t n = 0; n < count; n++) take_row(s, from, own[n], 0);
}

static uint32_t record_at(const select_cursor *from) {
    const sl_row *row = from->set->rows[from->group->indices[from->at]];
    return row->record;
}

/* The cursor whose next own row comes first; feeds stand in their order, so ties go to the first.
 * NULL: none has one. */
static select_cursor *first_cursor(selector *s, const worker *of) {
    select_cursor *first = NULL;
    for (uint32_t i = 0; i < s->count; i++) {
        select_cursor *from = &s->cursors[i];
        while (from->at < from->group->count && !is_own(s, of, from->group->hashes[from->at]))
            from->at++;
        if (from->at == from->group->count) continue;
        if (!first || record_at(from) < record_at(first)) first = from;
    }
    return first;
}

static void take_merged(selector *s, const worker *of) {
    use_space(s);
    while (s->rows.count < VECTOR_ROWS) {
        select_cursor *from = first_cursor(s, of);
        if (!from) return;
        if (s->rows.count && from->output->driver != s->rows.driver) return;
        s->rows.driver = from->output->driver;
        take_row(s, from, from->at++, (uint32_t)(from - s->cursors));
    }
}

bool select_next(selector *s, const worker *of) {
    s->rows.count = 0;
    (s->count == 1 ? take_one : take_merged)(s, of);
    return s->rows.count > 0;
}
