/* Whether there is something to do without records. */
#include "runtime/base/mem.h"
#include "runtime/flow/batch.h"
#include "runtime/flow/closing.h"
#include "runtime/operator/distinct.h"
#include "runtime/operator/operators.h"

/* Whether a batch at `now_ms` without records would move a watermark that goes by the clock. */
static bool clock_is_due(pipeline *p, int64_t now_ms) {
    for (uint32_t i = 0; i < p->input_count; i++) {
        input *in = &p->inputs[i];
        if (!in->plan->time.wall_clock) continue;
        if (watermark_is_behind(&in->watermark, input_preview(in, now_ms, p->since_ms).time))
            return true;
        if (watermark_turns_idle(&in->watermark, now_ms, in->views)) return true;
    }
    return false;
}

int64_t *batch_meet(pipeline *p, const watermark_input *sources) {
    uint32_t count = p->plan->aggregate_count;
    int64_t *times = mem_alloc((count + p->plan->distinct_count) * sizeof *times);
    stages_meet(&p->stages, sources, times, times + count);
    return times;
}

bool batch_is_due(pipeline *p, int64_t now_ms) {
    if (closing_is_open(p) || clock_is_due(p, now_ms)) return true;
    watermark_input *sources = mem_alloc(p->input_count * sizeof *sources);
    for (uint32_t i = 0; i < p->input_count; i++)
        sources[i] = input_preview(&p->inputs[i], now_ms, p->since_ms);
    int64_t *next = batch_meet(p, sources);
    bool is_due = false;
    for (uint32_t a = 0; a < p->plan->aggregate_count && !is_due; a++)
        for (uint32_t w = 0; w < crew_count(p->crew) && !is_due; w++)
            is_due = emit_is_due(crew_worker(p->crew, w), p->plan, a,
                                 p->stages.aggregates[a].watermark, next[a]);
    for (uint32_t d = 0; d < p->plan->distinct_count && !is_due; d++)
        for (uint32_t w = 0; w < crew_count(p->crew) && !is_due; w++)
            is_due = seen_keys_are_due(crew_worker(p->crew, w)->seen[d],
                                       next[p->plan->aggregate_count + d]);
    mem_free(next);
    mem_free(sources);
    return is_due;
}
