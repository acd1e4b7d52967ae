/* DESIGN. Everything that C knows about a row's group is found here, once: key bytes, their hash,
 * the pane, lateness. Windows share panes of gcd(size, every), so a row is folded once however many
 * windows hold it. */
#include <string.h>

/* The whole library inline: a call costs as much as hashing a short key. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/base/mem.h"
#include "runtime/event/watermark.h"
#include "runtime/event/window.h"
#include "runtime/operator/key.h"
#include "runtime/operator/operators.h"

static void grouping_need(grouping *g) {
    if (g->indices) return;
    g->indices = mem_alloc(VECTOR_ROWS * sizeof *g->indices);
    g->panes = mem_alloc(VECTOR_ROWS * sizeof *g->panes);
    g->hashes = mem_alloc(VECTOR_ROWS * sizeof *g->hashes);
    g->keys = mem_alloc(VECTOR_ROWS * sizeof *g->keys);
    g->key_lens = mem_alloc(VECTOR_ROWS * sizeof *g->key_lens);
}

/* Note each window of `pane` that `row` is late for; true: late for all of them. */
static bool judge_late(worker *w, const batch_view *b, chunk *c, uint32_t k, uint32_t aggregate,
                       const sl_row *row, int64_t start) {
    const sl_aggregate *plan = &b->plan->aggregates[aggregate];
    const sl_window *window = &plan->window;
    int64_t watermark = b->aggregates[aggregate].watermark_before;
    uint64_t late = window_late_count(window, start, watermark);
    if (!late) return false;
    window_run run = window_of_pane(window, start);
    bool all = late == run.count;
    c->late_pairs += late;
    if (plan->late < 0) return all;
    window_bounds bounds;
    for (uint64_t i = 0; i < late && window_next(&run, &bounds); i++)
        worker_note(w, (note){ .kind = NOTE_LATE,
                               .place = note_place(PHASE_GROUP, k),
                               .source = c->source,
                               .record = row->record,
                               .aggregate = aggregate,
                               .window_start = bounds.start,
                               .window_end = bounds.end,
                               .path = "" });
    return all;
}

/* The rows of one output. Neighbours mostly lie in one pane: `judged` remembers the last that was
 * late for nothing, so that lateness costs one comparison. */
static void group_output(worker *w, const batch_view *b, chunk *c, uint32_t k,
                         const sl_output *output) {
    const sl_window *window = &b->plan->aggregates[output->target].window;
    int64_t watermark = b->aggregates[output->target].watermark_before;
    if (b->plan->aggregates[output->target].mode == SL_COMPLETE)
        watermark = WATERMARK_NONE; /* nothing is late */
    grouping *g = &c->groups[k];
    window_cache cache;
    window_cache_init(&cache);
    grouping_need(g);
    uint32_t count = 0;
    int64_t judged = INT64_MAX;
    for (uint32_t i = 0; i < c->row_count; i++) {
        if (!(c->outputs[i] >> k & 1)) continue;
        const sl_row *row = c->rows[i];
        int64_t start =
            window->kind == SL_WINDOW_NONE ? INT64_MIN : window_pane(window, &cache, row->time_ms);
        if (start != judged && watermark != WATERMARK_NONE) {
            if (judge_late(w, b, c, k, output->target, row, start)) {
                c->late[i] |= 1u << k;
                atomic_fetch_and_explicit(&c->passed[i], ~(1u << k), memory_order_relaxed);
                continue;
            }
            if (!window_late_count(window, start, watermark)) judged = start;
        }
        const char *key =
            key_make(&c->text, output->columns, output->column_count, row, &g->key_lens[count]);
        g->keys[count] = key;
        g->hashes[count] = XXH3_64bits(key, g->key_lens[count]);
        g->panes[count] = start;
        g->indices[count++] = i;
    }
    g->count = count;
}

void group_chunk(worker *w, const batch_view *b, chunk *c) {
    const sl_step *step = &b->plan->steps[b->plan->sources[c->source].step];
    for (uint32_t k = 0; k < step->output_count; k++)
        if (step->outputs[k].kind == SL_TO_AGGREGATE) group_output(w, b, c, k, &step->outputs[k]);
}
