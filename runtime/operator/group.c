/* DESIGN. Everything that C knows about a row's group is found here, once: key bytes, their hash,
 * the pane, lateness. Windows share panes of gcd(size, every), so a row is folded once however many
 * windows hold it. */
#include <string.h>

/* The whole library inline: a call costs as much as hashing a short key. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/base/text_ends.h"
#include "runtime/event/saturate.h"
#include "runtime/event/watermark.h"
#include "runtime/event/window.h"
#include "runtime/operator/key.h"
#include "runtime/operator/operators.h"

/* Note each window of `pane` that `row` is late for; true: late for all of them. */
static bool judge_late(worker *w, const batch_view *b, chunk *c, const sl_output *output,
                       uint32_t level, const sl_row *row, int64_t start) {
    uint32_t aggregate = output->target;
    const sl_aggregate *plan = &b->plan->aggregates[aggregate];
    const sl_window *window = &plan->window;
    int64_t watermark = b->aggregates[aggregate].watermark_before;
    uint64_t late = window_late_count(window, start, watermark);
    if (!late) return false;
    window_run run = window_of_pane(window, start);
    bool all = late == run.count;
    c->late_pairs += late;
    if (plan->late < 0 || c->source == NO_SOURCE) return all;
    window_bounds bounds;
    for (uint64_t i = 0; i < late && window_next(&run, &bounds); i++)
        worker_note(w, (note){ .kind = NOTE_LATE,
                               .place = note_place(level, PHASE_GROUP, output->order + 1),
                               .source = c->source,
                               .record = row->record,
                               .stage = aggregate,
                               .window_start = bounds.start,
                               .window_end = bounds.end,
                               .path = "" });
    return all;
}

/* The same for windows of rows' own. */
static bool judge_own(worker *w, const batch_view *b, chunk *c, const sl_output *output,
                      uint32_t level, const sl_row *row) {
    const sl_aggregate *plan = &b->plan->aggregates[output->target];
    window_bounds own = window_own(&plan->window, row->time_ms);
    if (!window_is_late(&plan->window, own.end, b->aggregates[output->target].watermark_before))
        return false;
    bool has_bounds = window_has_bounds(&plan->window);
    c->late_pairs++;
    if (plan->late < 0 || c->source == NO_SOURCE) return true;
    worker_note(w, (note){ .kind = NOTE_LATE,
                           .place = note_place(level, PHASE_GROUP, output->order + 1),
                           .source = c->source,
                           .record = row->record,
                           .stage = output->target,
                           .window_start = has_bounds ? own.start : 0,
                           .window_end = has_bounds ? own.end : 0,
                           .path = "" });
    return true;
}

static void lose_late(row_set *set, uint32_t i, uint32_t k) {
    set->late[i] |= 1u << k;
    atomic_fetch_and_explicit(&set->passed[i], ~(1u << k), memory_order_relaxed);
}

static void add_row(grouping *g, uint32_t i, int64_t start) {
    uint32_t n = g->count++;
    g->panes[n] = start;
    g->indices[n] = i;
}

/* Make the keys of the rows from `first` on, then hash them: bytes that were just written cannot be
 * read in pieces of other sizes until they are in the cache, which costs more than all of the
 * hashing. */
static void add_any_keys(chunk *c, const row_set *set, const sl_output *output, grouping *g,
                         uint32_t first) {
    const sl_column *columns = output->columns;
    bool is_text = key_is_text(columns, output->column_count);
    for (uint32_t n = first; n < g->count; n++) {
        const sl_row *row = set->rows[g->indices[n]];
        g->keys[n] = is_text ? key_make_text(&c->text, columns, row, &g->key_lens[n])
                             : key_make(&c->text, columns, output->column_count, row,
                                        &g->key_lens[n]);
    }
    for (uint32_t n = first; n < g->count; n++)
        g->hashes[n] = XXH3_64bits(g->keys[n], g->key_lens[n]);
}

/* The key that the last row of a text had. */
typedef struct known_key {
    text_ends ends; /* of the text, which is no longer than they are */
    uint64_t hash;
    const char *key; /* in the chunk's text */
    uint32_t len;    /* bytes; 0: none */
} known_key;

static __attribute__((noinline)) void make_known(chunk *c, const sl_column *column,
                                                 const sl_row *row, known_key *k) {
    k->key = key_make_text(&c->text, column, row, &k->len);
    k->hash = XXH3_64bits(k->key, k->len);
}

/* Keys of one column of text: rows of the same short text, such as the kind of an event, share one.
 * Gives up where most texts are new; how many rows have their keys. */
static uint32_t add_known_keys(chunk *c, const row_set *set, const sl_column *column,
                               grouping *g) {
    enum { BITS = 8,
           PATIENCE = 64 };
    known_key known[1 << BITS] = { 0 }, other;
    uint32_t made = 0, n = 0;
    for (; n < g->count && made <= PATIENCE + n / 4; n++) {
        const sl_row *row = set->rows[g->indices[n]];
        const sl_string *text = (const sl_string *)((const char *)row + column->offset);
        known_key *k = &other;
        if (text->len <= TEXT_ENDS && !nulls_has(row->nulls, column->null_bit)) {
            text_ends ends = text_ends_of(text->data, text->len);
            k = &known[text_ends_mix(&ends) >> (32 - BITS)];
            if (k->len != text->len + 1 || !text_ends_same(&k->ends, &ends)) {
                k->ends = ends;
                make_known(c, column, row, k);
                made++;
            }
        } else {
            make_known(c, column, row, k);
            made++;
        }
        g->keys[n] = k->key;
        g->key_lens[n] = k->len;
        g->hashes[n] = k->hash;
    }
    return n;
}

static void add_keys(chunk *c, const row_set *set, const sl_output *output, grouping *g) {
    uint32_t done = 0;
    if (key_is_text(output->columns, output->column_count))
        done = add_known_keys(c, set, output->columns, g);
    add_any_keys(c, set, output, g, done);
}

/* List the rows that pass to output `k`; without a branch a row, which filters make a guess. */
static uint32_t choose_rows(const row_set *set, uint32_t k, grouping *g) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        g->indices[count] = i;
        count += set->outputs[i] >> k & 1;
    }
    return count;
}

/* The rows of one output to an aggregation. `judged` remembers the earliest pane that was late for
 * nothing, as all behind it are, so that lateness costs one comparison. */
static void group_output(worker *w, const batch_view *b, chunk *c, uint32_t s, uint32_t k) {
    const sl_output *output = &b->plan->steps[s].outputs[k];
    const sl_window *window = &b->plan->aggregates[output->target].window;
    int64_t watermark = b->aggregates[output->target].watermark_before;
    if (b->plan->aggregates[output->target].mode == SL_COMPLETE)
        watermark = WATERMARK_NONE; /* nothing is late */
    row_set *set = chunk_rows(c, s);
    grouping *g = &set->groups[k];
    window_cache cache;
    window_cache_init(&cache);
    int64_t judged = INT64_MAX;
    bool is_own = window_is_own(window);
    uint32_t count = choose_rows(set, k, g);
    for (uint32_t n = 0; n < count; n++) {
        uint32_t i = g->indices[n]; /* add_row writes no further than here */
        const sl_row *row = set->rows[i];
        int64_t start =
            window->kind == SL_WINDOW_NONE ? INT64_MIN : window_pane(window, &cache, row->time_ms);
        if (start < judged && watermark != WATERMARK_NONE) {
            uint32_t level = b->plan->steps[s].level;
            if (is_own ? judge_own(w, b, c, output, level, row)
                       : judge_late(w, b, c, output, level, row, start)) {
                lose_late(set, i, k);
                continue;
            }
            if (!is_own && !window_late_count(window, start, watermark)) judged = start;
        }
        add_row(g, i, start);
    }
    add_keys(c, set, output, g);
}

static void note_late_for_distinct(worker *w, const batch_view *b, const chunk *c,
                                   const sl_output *output, uint32_t level, const sl_row *row) {
    if (b->plan->distincts[output->target].late < 0 || c->source == NO_SOURCE) return;
    worker_note(w, (note){ .kind = NOTE_LATE,
                           .place = note_place(level, PHASE_GROUP, output->order + 1),
                           .source = c->source,
                           .record = row->record,
                           .is_distinct = true,
                           .stage = output->target,
                           .path = "" });
}

/* The rows of one output to a distinct: a row that is late for it is judged first. */
static void key_output(worker *w, const batch_view *b, chunk *c, uint32_t s, uint32_t k) {
    const sl_output *output = &b->plan->steps[s].outputs[k];
    int64_t within_ms = b->plan->distincts[output->target].within_ms;
    int64_t watermark = b->distincts[output->target].watermark_before;
    if (within_ms == INT64_MAX) watermark = WATERMARK_NONE; /* nothing is late */
    row_set *set = chunk_rows(c, s);
    for (uint32_t i = 0; i < set->count; i++) {
        if (!(set->outputs[i] >> k & 1)) continue;
        const sl_row *row = set->rows[i];
        if (watermark != WATERMARK_NONE && saturate_add(row->time_ms, within_ms) <= watermark) {
            note_late_for_distinct(w, b, c, output, b->plan->steps[s].level, row);
            lose_late(set, i, k);
            continue;
        }
        add_row(&set->groups[k], i, 0);
    }
    add_keys(c, set, output, &set->groups[k]);
}

void group_rows(worker *w, const batch_view *b, chunk *c, uint32_t s) {
    const sl_step *step = &b->plan->steps[s];
    row_set *set = chunk_rows(c, s);
    for (uint32_t k = 0; k < step->output_count; k++) {
        int32_t kind = step->outputs[k].kind;
        if (kind != SL_TO_AGGREGATE && kind != SL_TO_DISTINCT) continue;
        set->groups[k].count = 0;
        grouping_need(&set->groups[k], set->count);
        (kind == SL_TO_AGGREGATE ? group_output : key_output)(w, b, c, s, k);
    }
}
