/* DESIGN. The steps stand in batch_run, in order; each is a function of this file or one call into
 * a layer below. Records are walked in rounds of chunks (operator/work.h); what a round's rows lead
 * to is collected by the main thread in the batch's order, so that nothing depends on which worker
 * did what. */
#include "runtime/flow/batch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/collect.h"
#include "runtime/flow/record.h"
#include "runtime/operator/operators.h"

enum { CHUNKS_PER_WORKER = 4,
       THREADED_RECORDS = 4 * VECTOR_ROWS };

/* A batch while it runs. */
typedef struct batch {
    pipeline *p;
    batch_view view;
    source_view *sources;       /* owned */
    aggregate_view *aggregates; /* owned */
    bool threaded;
    uint32_t chunk_count; /* of the running round */
    uint32_t next_source, next_record;
    uint32_t aggregate; /* being emitted */
} batch;

/* The watermark where the inputs of `a` meet, each at `time_of` it. */
static int64_t combine(const pipeline *p, const aggregate_run *a,
                       int64_t (*time_of)(input *, void *), void *arg) {
    if (a->input_count == 1) { /* meets nobody: idle or not, it is the watermark */
        int64_t time = time_of(&p->inputs[a->inputs[0]], arg);
        return time > a->watermark ? time : a->watermark;
    }
    for (uint32_t i = 0; i < a->input_count; i++) {
        input *in = &p->inputs[a->inputs[i]];
        a->meeting[i] = watermark_input_of(&in->watermark);
        a->meeting[i].time = time_of(in, arg);
    }
    return watermark_combine(a->meeting, a->input_count, a->watermark);
}

static int64_t settled_time(input *in, void *arg) {
    (void)arg;
    return in->watermark.time;
}

typedef struct preview_at {
    int64_t now_ms, since_ms;
} preview_at;

static int64_t preview_time(input *in, void *arg) {
    const preview_at *at = arg;
    return input_preview(in, at->now_ms, at->since_ms);
}

bool batch_is_due(pipeline *p, int64_t now_ms) {
    preview_at at = { now_ms, p->since_ms };
    for (uint32_t i = 0; i < p->input_count; i++) {
        input *in = &p->inputs[i];
        if (!in->plan->time.wall_clock) continue;
        if (watermark_is_behind(&in->watermark, preview_time(in, &at))) return true;
        if (watermark_turns_idle(&in->watermark, now_ms, in->views)) return true;
    }
    for (uint32_t a = 0; a < p->plan->aggregate_count; a++) {
        int64_t next = combine(p, &p->aggregates[a], preview_time, &at);
        for (uint32_t w = 0; w < crew_count(p->crew); w++)
            if (emit_is_due(crew_worker(p->crew, w), p->plan, a, p->aggregates[a].watermark, next))
                return true;
    }
    return false;
}

/* Decide what the batch is: its number, processing time, ranges, the watermarks that judge it. */
static void batch_plan(batch *b, pipeline *p) {
    *b = (batch){ .p = p };
    b->sources = mem_zalloc(p->input_count, sizeof *b->sources);
    b->aggregates = mem_zalloc(p->plan->aggregate_count, sizeof *b->aggregates);
    b->view = (batch_view){ .plan = p->plan,
                            .batch = p->batch,
                            .now_ms = clock_now_ms(p->system.clock),
                            .sources = b->sources,
                            .aggregates = b->aggregates };
    for (uint32_t i = 0; i < p->input_count; i++)
        input_plan(&p->inputs[i], p->batch, b->view.now_ms);
    for (uint32_t a = 0; a < p->plan->aggregate_count; a++) {
        p->aggregates[a].reached = false;
        b->aggregates[a].watermark_before = b->aggregates[a].watermark_after =
            p->aggregates[a].watermark;
    }
}

/* Bring the records; ranges are final afterwards. */
static err *batch_fetch(batch *b) {
    pipeline *p = b->p;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < p->input_count; i++) {
        input *in = &p->inputs[i];
        err *e = input_fetch(in);
        if (e) return e;
        b->sources[i] = (source_view){
            .partitions = in->partitions,
            .places = in->places,
            .headers = in->headers,
            .records = in->records.items,
            .record_count = in->records.count,
            .skew_limit_ms = watermark_skew_limit(&in->plan->time, b->view.now_ms,
                                                  in->plan->bounded, p->system.clock->manual),
        };
        sum += in->records.count;
    }
    b->threaded = p->always_threaded || sum >= THREADED_RECORDS;
    return NULL;
}

/* Cut the next chunks off the records. False: none are left. */
static bool next_round(batch *b) {
    pipeline *p = b->p;
    b->chunk_count = 0;
    while (b->next_source < p->input_count && b->chunk_count < p->chunk_room) {
        uint32_t left = b->sources[b->next_source].record_count - b->next_record;
        if (!left) {
            b->next_source++;
            b->next_record = 0;
            continue;
        }
        chunk *c = p->chunks[b->chunk_count++];
        c->source = b->next_source;
        c->first_record = b->next_record;
        c->record_count = left < p->chunk_records ? left : p->chunk_records;
        b->next_record += c->record_count;
    }
    return b->chunk_count > 0;
}

static err *prepare_phase(worker *w, void *arg) {
    batch *b = arg;
    for (uint32_t i = w->number; i < b->chunk_count; i += w->count) {
        chunk *c = b->p->chunks[i];
        w->failed_at[0] = i;
        w->failed_at[1] = 0;
        err *e = prepare_chunk(w, &b->view, c);
        if (e) return e;
        write_chunk(w, &b->view, c);
        group_chunk(w, &b->view, c);
    }
    return NULL;
}

static err *fold_phase(worker *w, void *arg) {
    batch *b = arg;
    for (uint32_t i = 0; i < b->chunk_count; i++) {
        w->failed_at[0] = i;
        err *e = fold_chunk(w, &b->view, b->p->chunks[i]);
        if (e) return e;
    }
    return NULL;
}

/* Decode, stamp, prepare, group and fold every record. */
static err *batch_walk(batch *b) {
    while (next_round(b)) {
        err *e = crew_run(b->p->crew, prepare_phase, b, b->threaded);
        if (e) b->chunk_count = (uint32_t)crew_failed(b->p->crew)->failed_at[0];
        err *earlier = crew_run(b->p->crew, fold_phase, b, b->threaded);
        if (earlier) {
            err_free(e);
            e = earlier;
        }
        if (e) return e;
        collect_round(b->p, &b->view, b->chunk_count);
    }
    return NULL;
}

/* The watermarks move: what they close comes out in this batch. */
static err *batch_settle(batch *b, bool flush) {
    pipeline *p = b->p;
    for (uint32_t i = 0; i < p->input_count; i++) {
        err *e = input_settle(&p->inputs[i], p->since_ms);
        if (e) return e;
        if (flush) watermark_finish(&p->inputs[i].watermark);
    }
    for (uint32_t a = 0; a < p->plan->aggregate_count; a++)
        b->aggregates[a].watermark_after = combine(p, &p->aggregates[a], settled_time, NULL);
    return NULL;
}

static err *emit_phase(worker *w, void *arg) {
    batch *b = arg;
    outbox *boxes = collect_boxes(b->p, w->number);
    for (uint32_t k = 0; k < 2 * SL_MAX_OUTPUTS; k++) outbox_reset(&boxes[k]);
    return emit_aggregate(w, &b->view, b->aggregate, b->p->aggregates[b->aggregate].reached, boxes,
                          boxes + SL_MAX_OUTPUTS);
}

/* Whether a row of the chunk went to the group with `hash` of the aggregation. */
static bool chunk_reaches(const batch *b, const chunk *c, uint32_t aggregate, uint64_t hash) {
    const sl_step *step = &b->p->plan->steps[b->p->plan->sources[c->source].step];
    for (uint32_t k = 0; k < step->output_count; k++) {
        if (step->outputs[k].kind != SL_TO_AGGREGATE || step->outputs[k].target != aggregate)
            continue;
        for (uint32_t i = 0; i < c->groups[k].count; i++)
            if (c->groups[k].hashes[i] == hash) return true;
    }
    return false;
}

/* A result failed: fold the batch again, record by record, and name the one since which it does. A
 * result that failed before this batch, or fails whatever it is made of, is nobody's. Slow, and the
 * last thing that the batch does. */
static err *batch_locate(batch *b, err *e) {
    pipeline *p = b->p;
    worker *w = crew_failed(p->crew);
    chunk *c = p->chunks[0];
    uint32_t aggregate;
    uint64_t hash = emit_failed_group(w, &aggregate);
    const sl_record *since = NULL;
    uint32_t source = 0;
    worker_end(w, p->plan, false);
    worker_begin(w, p->plan);
    bool fails = emit_fails_again(w, &b->view);
    for (uint32_t s = 0; s < p->input_count; s++) {
        for (uint32_t i = 0; i < b->sources[s].record_count; i++) {
            c->source = s;
            c->first_record = i;
            c->record_count = 1;
            err *again = prepare_chunk(w, &b->view, c);
            if (!again) group_chunk(w, &b->view, c);
            if (!again) again = fold_chunk(w, &b->view, c);
            err_free(again);
            w->note_count = 0;
            if (again || !chunk_reaches(b, c, aggregate, hash)) continue;
            bool before = fails;
            fails = emit_fails_again(w, &b->view);
            if (fails && !before) since = &b->sources[s].records[i], source = s;
        }
    }
    if (!since) return e;
    const sl_partition *at = &b->sources[source].partitions[since->partition];
    err *located = err_new(e->code, "%s, since %s:%d:%" PRId64, e->message, at->topic, at->number,
                           since->offset);
    err_free(e);
    return located;
}

static err *batch_emit(batch *b) {
    for (b->aggregate = 0; b->aggregate < b->p->plan->aggregate_count; b->aggregate++) {
        err *e = crew_run(b->p->crew, emit_phase, b, b->threaded);
        if (e) return batch_locate(b, e);
        e = collect_results(b->p, b->aggregate);
        if (e) return e;
    }
    return NULL;
}

/* What was done counts, or leaves no trace. */
static void batch_end(batch *b, bool committed) {
    pipeline *p = b->p;
    for (uint32_t i = 0; i < crew_count(p->crew); i++) {
        worker *w = crew_worker(p->crew, i);
        worker_end(w, p->plan, committed);
        if (committed) p->counters.nulled_numbers += w->nulled_numbers;
        w->nulled_numbers = 0;
    }
    if (committed) {
        record_write(p, &b->view);
        for (uint32_t a = 0; a < p->plan->aggregate_count; a++)
            p->aggregates[a].watermark = b->aggregates[a].watermark_after;
        p->batch++;
        p->counters.batches++;
    }
    for (uint32_t i = 0; i < p->input_count; i++) input_release(&p->inputs[i], committed);
    mem_free(b->sources);
    mem_free(b->aggregates);
}

static bool is_empty(const batch *b) {
    for (uint32_t i = 0; i < b->p->input_count; i++)
        for (uint32_t r = 0; r < b->p->inputs[i].range_count; r++)
            if (b->p->inputs[i].ranges[r].from < b->p->inputs[i].ranges[r].to) return false;
    return true;
}

err *batch_run(pipeline *p, bool flush, bool *ran) {
    batch b;
    int64_t began_ms = clock_steady_ms(p->system.clock);
    *ran = false;
    batch_plan(&b, p);
    delivery_reset(&p->out);
    for (uint32_t w = 0; w < crew_count(p->crew); w++)
        worker_begin(crew_worker(p->crew, w), p->plan);
    err *e = batch_fetch(&b);
    if (!e && !flush && is_empty(&b) && !batch_is_due(p, b.view.now_ms)) {
        batch_end(&b, false);
        return NULL;
    }
    *ran = true;
    trigger_begin(&p->trigger, b.view.now_ms);
    if (is_empty(&b)) p->counters.empty_batches++;
    if (!e) e = batch_walk(&b);
    if (!e) e = collect_check(p);
    if (!e) e = batch_settle(&b, flush);
    if (!e) e = batch_emit(&b);
    if (!e) e = delivery_run(&p->out, b.view.batch, b.view.now_ms);
    batch_end(&b, !e);
    p->since_ms = began_ms;
    p->batch_ms = clock_steady_ms(p->system.clock) - began_ms;
    return e;
}
