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

static bool is_own(const selector *s, const worker *w, uint64_t hash) {
    return w->count == 1 || (hash & s->shard_mask) % w->count == w->number;
}

static void take_row(selection *rows, const select_cursor *from, uint32_t number) {
    const grouping *g = from->group;
    uint32_t n = rows->count++, i = from->at;
    rows->indices[n] = g->indices[i];
    rows->cursors[n] = (uint16_t)number;
    rows->panes[n] = g->panes[i];
    rows->hashes[n] = g->hashes[i];
    rows->keys[n] = g->keys[i];
    rows->key_lens[n] = g->key_lens[i];
    rows->rows[n] = from->set->rows[g->indices[i]];
}

/* The usual case, straight: all rows come through one output. */
static void take_one(selector *s, const worker *w) {
    select_cursor *from = &s->cursors[0];
    selection *rows = &s->rows;
    const grouping g = *from->group;
    void *const *set_rows = from->set->rows;
    uint32_t n = 0, i = from->at;
    rows->driver = from->output->driver;
    for (; i < g.count && n < VECTOR_ROWS; i++) {
        if (!is_own(s, w, g.hashes[i])) continue;
        rows->indices[n] = g.indices[i];
        rows->cursors[n] = 0;
        rows->panes[n] = g.panes[i];
        rows->hashes[n] = g.hashes[i];
        rows->keys[n] = g.keys[i];
        rows->key_lens[n] = g.key_lens[i];
        rows->rows[n++] = set_rows[g.indices[i]];
    }
    rows->count = n;
    from->at = i;
}

static uint32_t record_at(const select_cursor *from) {
    const sl_row *row = from->set->rows[from->group->indices[from->at]];
    return row->record;
}

/* The cursor whose next own row comes first; feeds stand in their order, so ties go to the first.
 * NULL: none has one. */
static select_cursor *first_cursor(selector *s, const worker *w) {
    select_cursor *first = NULL;
    for (uint32_t i = 0; i < s->count; i++) {
        select_cursor *from = &s->cursors[i];
        while (from->at < from->group->count && !is_own(s, w, from->group->hashes[from->at]))
            from->at++;
        if (from->at == from->group->count) continue;
        if (!first || record_at(from) < record_at(first)) first = from;
    }
    return first;
}

static void take_merged(selector *s, const worker *w) {
    while (s->rows.count < VECTOR_ROWS) {
        select_cursor *from = first_cursor(s, w);
        if (!from) return;
        if (s->rows.count && from->output->driver != s->rows.driver) return;
        s->rows.driver = from->output->driver;
        take_row(&s->rows, from, (uint32_t)(from - s->cursors));
        from->at++;
    }
}

bool select_next(selector *s, const worker *w) {
    s->rows.count = 0;
    (s->count == 1 ? take_one : take_merged)(s, w);
    return s->rows.count > 0;
}
