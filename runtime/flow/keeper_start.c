/* Progress into inputs and sinks, and the first commit of a run. */
#include <inttypes.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/ahead.h"
#include "runtime/flow/behind.h"
#include "runtime/flow/commit.h"
#include "runtime/flow/header.h"
#include "runtime/flow/keeper_inside.h"

enum { AGAIN_MS = 20 * 3600 * 1000 }; /* brokers forget offsets after some days */

static bool is_equal(const sl_string *a, const sl_string *b) {
    return a->len == b->len && !memcmp(a->data, b->data, a->len);
}

static bool is_kafka(const sl_string *name) {
    return name->len == 5 && !memcmp(name->data, "kafka", 5);
}

/* -- marks */

bool keeper_marks_sources(const keeper *k) {
    return is_kafka(&k->plan->ledger) && !k->plan->topic.data;
}

bool keeper_marks(const keeper *k, const sl_source *source) {
    return keeper_marks_sources(k) && is_kafka(&source->connector);
}

/* `before`: marks of other sources, which may read the same topic: what the slower one has read
 * counts. */
static void add_mark(keeper *k, uint32_t before, const char *topic, int32_t number,
                     int64_t offset) {
    for (uint32_t i = 0; i < before; i++) {
        if (k->marks[i].partition != number || strcmp(k->marks[i].topic, topic)) continue;
        if (offset < k->marks[i].offset) k->marks[i].offset = offset;
        return;
    }
    if (k->mark_count == k->mark_room) {
        k->mark_room = k->mark_room ? 2 * k->mark_room : 16;
        k->marks = mem_realloc(k->marks, k->mark_room * sizeof *k->marks);
    }
    k->marks[k->mark_count++] =
        (sl_mark){ .topic = topic, .partition = number, .offset = offset };
}

void keeper_collect_marks(pipeline *p, uint64_t batch) {
    keeper *k = p->keeper;
    k->mark_count = 0;
    if (!keeper_marks_sources(k)) add_mark(k, 0, k->topic, 0, (int64_t)batch);
    for (uint32_t i = 0; i < p->input_count; i++) {
        const input *in = &p->inputs[i];
        uint32_t before = k->mark_count;
        if (!keeper_marks(k, in->plan)) continue;
        for (uint32_t n = 0; n < in->partition_count; n++)
            add_mark(k, before, in->partitions[n].topic, in->partitions[n].number,
                     in->reached[n]);
    }
}

/* -- inputs */

/* sl_resume; what is committed says more than the object only where there is none. */
static int32_t resume(void *arg, const char *topic, int32_t number, int64_t *offset) {
    const keeper_input *in = arg;
    const keeper *k = in->keeper;
    const progress_source *s = progress_find_source(&k->loaded, &in->plan->name, in->twin);
    if (s) {
        const progress_partition *known = progress_find_partition(s, topic, number);
        if (known) *offset = known->position;
        return known ? SL_KNOWN : SL_APPEARED;
    }
    if (k->is_fresh || k->current.kind != POINTER_GENESIS || !keeper_marks(k, in->plan))
        return SL_FIRST_RUN;
    for (uint32_t i = 0; i < k->found_count; i++) {
        const sl_mark *mark = &k->found[i].mark;
        if (mark->partition != number || strcmp(mark->topic, topic)) continue;
        *offset = mark->offset;
        return SL_KNOWN;
    }
    return SL_APPEARED;
}

void keeper_tell_inputs(pipeline *p) {
    keeper *k = p->keeper;
    k->inputs = mem_zalloc(p->plan->source_count, sizeof *k->inputs);
    for (uint32_t i = 0; i < p->plan->source_count; i++) {
        keeper_input *in = &k->inputs[i];
        *in = (keeper_input){ .system = p->system, .keeper = k, .plan = p->opened[i] };
        for (uint32_t n = 0; n < i; n++)
            in->twin += is_equal(&p->plan->sources[n].name, &in->plan->name);
        in->system.ledger = k->ledger;
        in->system.resume = resume;
        in->system.resume_arg = in;
    }
}

const sl_system *keeper_system(const pipeline *p, uint32_t number) {
    return p->keeper ? &p->keeper->inputs[number].system : &p->system;
}

const progress_source *keeper_loaded(const keeper *k, uint32_t number) {
    const keeper_input *in = &k->inputs[number];
    return progress_find_source(&k->loaded, &in->plan->name, in->twin);
}

static void restore_input(keeper *k, input *in) {
    const progress_source *s = keeper_loaded(k, in->number);
    uint32_t live = 0;
    if (!s) return;
    input_keep_order(in, s);
    for (uint32_t n = 0; n < in->partition_count; n++) {
        const sl_partition *at = &in->partitions[n];
        const progress_partition *was = progress_find_partition(s, at->topic, at->number);
        if (!was) continue;
        live++;
        in->watermark.partitions[n].high = was->high;
        if (was->header.data) header_restore(in, n, &was->header, was->header_offset);
    }
    k->has_gone |= live < s->count;
    in->known_count = live;
    in->watermark.time = s->time;
    in->watermark.all_idle_ms = s->all_idle_ms;
    in->watermark.all_idle_time = s->all_idle_time;
}

err *keeper_refuse_more(const pipeline *p) {
    return keeper_refuse(p, "Give the next run another name, or begin without `flush`",
                         "an earlier run closed everything (flush = true): it takes no further "
                         "records");
}

/* A bounded input that had ended, and may have more now: where nothing was closed, it just goes
 * on. */
static void go_on_behind_end(const pipeline *p, input *in) {
    bool has_closed = p->plan->aggregate_count || p->plan->distinct_count;
    if (in->watermark.time == WATERMARK_ENDED && !has_closed) in->watermark.time = WATERMARK_NONE;
}

err *keeper_check_records(const pipeline *p, const input *in) {
    if (!p->keeper || in->watermark.time != WATERMARK_ENDED || !in->load.records.count)
        return NULL;
    if (p->keeper->loaded.is_flushed) return keeper_refuse_more(p);
    return keeper_refuse(p, "Give the next run another name, or read with follow = true",
                         "source `%.*s` had ended, and everything was closed; it has more now, "
                         "which would all be late",
                         (int)in->plan->name.len, in->plan->name.data);
}

/* What is committed must be read by somebody, or the offsets no longer mean this pipeline. */
static err *check_partitions(const pipeline *p) {
    const keeper *k = p->keeper;
    for (uint32_t i = 0; keeper_marks_sources(k) && i < k->found_count; i++) {
        const sl_mark *mark = &k->found[i].mark;
        bool found = false;
        for (uint32_t m = 0; m < k->mark_count && !found; m++)
            found = k->marks[m].partition == mark->partition &&
                    !strcmp(k->marks[m].topic, mark->topic);
        if (found) continue;
        return keeper_refuse(p,
                             "Bring the topic back, or give the pipeline another name to begin "
                             "with empty state",
                             "%s/%" PRId32 " is committed, and no source reads it any more: was "
                             "the topic deleted, or taken out of the script?",
                             mark->topic, mark->partition);
    }
    return NULL;
}

/* -- sinks */

static err *resume_sink(const pipeline *p, const out_sink *s) {
    const keeper *k = p->keeper;
    if (!s->ops->resume) return NULL;
    for (uint32_t i = 0; i < k->position_count; i++) {
        const keeper_position *at = &k->positions[i];
        if (strlen(at->name) != s->plan->name.len ||
            memcmp(at->name, s->plan->name.data, s->plan->name.len))
            continue;
        return err_wrap(s->ops->resume(s->handle, at->bytes.data, at->bytes.len), "sink `%s`",
                        at->name);
    }
    return NULL;
}

static void restore_stages(pipeline *p) {
    const progress *loaded = &p->keeper->loaded;
    for (uint32_t a = 0; a < p->plan->aggregate_count; a++) {
        stage_run *run = &p->stages.aggregates[a];
        const progress_stage *s =
            progress_find_stage(loaded, false, &p->plan->aggregates[a].name);
        run->watermark = s ? s->watermark : WATERMARK_NONE;
        if (s) run->closing = s->closing;
    }
    for (uint32_t d = 0; d < p->plan->distinct_count; d++) {
        const progress_stage *s = progress_find_stage(loaded, true, &p->plan->distincts[d].name);
        p->stages.distincts[d].watermark = s ? s->watermark : WATERMARK_NONE;
    }
}

/* -- the first commit */

/* Go on behind what was committed, if nobody else does. */
static err *claim(pipeline *p) {
    keeper *k = p->keeper;
    char text[SL_POINTER_BYTES];
    if (!k->ops->claim) return NULL;
    pointer_write(&k->current, text);
    return k->ops->claim(k->ledger, text, k->marks, k->mark_count);
}

/* Positions are known before the first record is read. */
static err *begin(pipeline *p) {
    keeper *k = p->keeper;
    keeper_collect_marks(p, 0);
    k->awaits_genesis = k->mark_count == 0;
    if (k->awaits_genesis) return NULL;
    err *e = commit_genesis(p);
    return e ? e : claim(p);
}

/* For replays. */
err *keeper_keep_script(const pipeline *p) {
    sl_string text = script_source(crew_worker(p->crew, 0)->script);
    if (!text.len) return NULL;
    return checkpoint_keep_script(p->keeper->checkpoint, p->plan->script_hash, text.data,
                                  text.len);
}

err *keeper_start(pipeline *p) {
    keeper *k = p->keeper;
    if (!k) return NULL;
    err *e = keeper_keep_script(p);
    if (e) return e;
    if (k->is_fresh) return begin(p);
    for (uint32_t i = 0; i < p->input_count && !e; i++) {
        restore_input(k, &p->inputs[i]);
        go_on_behind_end(p, &p->inputs[i]);
    }
    restore_stages(p);
    p->finished = k->loaded.is_flushed;
    p->batch = k->current.batch;
    keeper_collect_marks(p, p->batch);
    if (!e) e = check_partitions(p);
    if (e) return e;
    k->mark_count = 0;
    for (uint32_t i = 0; i < k->found_count; i++) {
        const sl_mark *mark = &k->found[i].mark;
        add_mark(k, 0, mark->topic, mark->partition, mark->offset);
    }
    k->committed_ms = clock_steady_ms(p->system.clock);
    e = claim(p);
    /* not before: what lies behind a place that is no longer the last one is committed, too */
    for (uint32_t i = 0; i < p->out.count && !e; i++) e = resume_sink(p, &p->out.sinks[i]);
    if (!e) e = ahead_find(p);
    for (uint32_t i = 0; i < p->input_count && !e && !ahead_planned(p); i++)
        input_begin_own(&p->inputs[i]);
    return e;
}

err *keeper_check_ours(const pipeline *p) {
    const keeper *k = p->keeper;
    return k->ops->check ? k->ops->check(k->ledger) : NULL;
}

err *keeper_check(pipeline *p) {
    keeper *k = p->keeper;
    if (!k || commit_is_open(p)) return NULL;
    if (k->awaits_genesis) return begin(p);
    if (clock_steady_ms(p->system.clock) - k->committed_ms >= AGAIN_MS) return commit_again(p);
    return keeper_check_ours(p);
}
