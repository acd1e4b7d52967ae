#include "runtime/flow/meet.h"

#include "runtime/base/mem.h"
#include "runtime/event/saturate.h"

static void add_input(stage_run *run, stage_input input) {
    for (uint32_t i = 0; i < run->input_count; i++)
        if (run->inputs[i].is_aggregate == input.is_aggregate &&
            run->inputs[i].index == input.index)
            return; /* by two branches */
    run->inputs = mem_realloc(run->inputs, (run->input_count + 1) * sizeof *run->inputs);
    run->inputs[run->input_count++] = input;
}

/* What stands before the tree of steps that begins at `root`. */
static stage_input before_root(const sl_plan *plan, uint32_t root) {
    for (uint32_t a = 0; a < plan->aggregate_count; a++)
        if (plan->aggregates[a].step == root) return (stage_input){ true, a };
    uint32_t s = 0;
    while (plan->sources[s].step != root) s++;
    return (stage_input){ false, s };
}

static void init_run(stage_run *run, const sl_plan *plan, const sl_feed *feeds, uint32_t count) {
    *run = (stage_run){ .watermark = WATERMARK_NONE };
    for (uint32_t i = 0; i < count; i++)
        add_input(run, before_root(plan, plan->steps[feeds[i].step].root));
    run->meeting = mem_zalloc(run->input_count, sizeof *run->meeting);
}

static void done_run(stage_run *run) {
    mem_free(run->inputs);
    mem_free(run->meeting);
}

void stages_init(stages *s, const sl_plan *plan) {
    *s = (stages){ .plan = plan };
    s->aggregates = mem_zalloc(plan->aggregate_count, sizeof *s->aggregates);
    s->distincts = mem_zalloc(plan->distinct_count, sizeof *s->distincts);
    s->behind = mem_zalloc(plan->aggregate_count, sizeof *s->behind);
    for (uint32_t a = 0; a < plan->aggregate_count; a++)
        init_run(&s->aggregates[a], plan, plan->aggregates[a].feeds,
                 plan->aggregates[a].feed_count);
    for (uint32_t d = 0; d < plan->distinct_count; d++)
        init_run(&s->distincts[d], plan, plan->distincts[d].feeds, plan->distincts[d].feed_count);
}

void stages_done(stages *s) {
    if (!s->plan) return;
    for (uint32_t a = 0; a < s->plan->aggregate_count; a++) done_run(&s->aggregates[a]);
    for (uint32_t d = 0; d < s->plan->distinct_count; d++) done_run(&s->distincts[d]);
    mem_free(s->aggregates);
    mem_free(s->distincts);
    mem_free(s->behind);
    *s = (stages){ 0 };
}

static int64_t meet(const stages *s, stage_run *run, const watermark_input *sources) {
    for (uint32_t i = 0; i < run->input_count; i++) {
        stage_input input = run->inputs[i];
        run->meeting[i] = input.is_aggregate ? s->behind[input.index] : sources[input.index];
    }
    if (run->input_count == 1) { /* meets nobody: idle or not, it is the watermark */
        int64_t time = run->meeting[0].time;
        return time > run->watermark ? time : run->watermark;
    }
    return watermark_combine(run->meeting, run->input_count, run->watermark);
}

/* What comes out of an aggregation is held back by the lateness it allows. */
static watermark_input lower(const stage_run *run, int64_t time, int64_t lateness_ms) {
    bool is_left_out = true;
    for (uint32_t i = 0; i < run->input_count; i++) is_left_out &= run->meeting[i].is_left_out;
    bool is_plain = time != WATERMARK_NONE && time != WATERMARK_ENDED;
    return (watermark_input){ .time = is_plain ? saturate_sub(time, lateness_ms) : time,
                              .is_left_out = is_left_out };
}

void stages_meet(stages *s, const watermark_input *sources, int64_t *aggregates,
                 int64_t *distincts) {
    for (uint32_t a = 0; a < s->plan->aggregate_count; a++) {
        aggregates[a] = meet(s, &s->aggregates[a], sources);
        s->behind[a] = lower(&s->aggregates[a], aggregates[a],
                             s->plan->aggregates[a].window.allowed_lateness_ms);
    }
    for (uint32_t d = 0; d < s->plan->distinct_count; d++)
        distincts[d] = meet(s, &s->distincts[d], sources);
}

void stages_stand(const stages *s, int64_t *times) {
    for (uint32_t a = 0; a < s->plan->aggregate_count; a++) *times++ = s->aggregates[a].watermark;
    for (uint32_t d = 0; d < s->plan->distinct_count; d++) *times++ = s->distincts[d].watermark;
}

bool stage_has_sources_only(const stage_run *run) {
    for (uint32_t i = 0; i < run->input_count; i++)
        if (run->inputs[i].is_aggregate) return false;
    return true;
}
