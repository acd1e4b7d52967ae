/* What is stored of a batch: its progress, its record, how many rows it gave, and what changed in
 * the tables. */
#include <assert.h>
#include <inttypes.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/commit_inside.h"
#include "runtime/flow/keeper_inside.h"
#include "runtime/flow/local.h"
#include "runtime/operator/stored.h"

static progress_source progress_of(const keeper *k, const input *in, arena *memory) {
    const progress_source *was = k && k->has_gone ? keeper_loaded(k, in->number) : NULL;
    uint32_t most = in->partition_count + (was ? was->count : 0), count = in->partition_count;
    progress_partition *all = arena_take(memory, most * sizeof *all, sizeof(int64_t));
    for (uint32_t n = 0; n < count; n++) {
        uint32_t at = in->order[n];
        all[n] = (progress_partition){
            .topic = in->partitions[at].topic,
            .number = in->partitions[at].number,
            .position = in->reached[at],
            .high = in->watermark.partitions[at].high,
        };
        if (at >= in->header_count) continue;
        all[n].header = in->headers[at].text;
        all[n].header_offset = in->headers[at].offset;
    }
    progress_source s = {
        .name = in->plan->name,
        .is_marked = k && keeper_marks(k, in->plan),
        .time = in->watermark.time,
        .all_idle_ms = in->watermark.all_idle_ms,
        .all_idle_time = in->watermark.all_idle_time,
        .partitions = all,
        .count = count,
    };
    /* files that are not there may come back */
    for (uint32_t i = 0; was && i < was->count; i++)
        if (!progress_find_partition(&s, was->partitions[i].topic, was->partitions[i].number))
            all[s.count++] = was->partitions[i];
    return s;
}

void commit_put_progress(const pipeline *p, const commit_work *work, buf *out) {
    uint32_t aggregates = p->plan->aggregate_count, distincts = p->plan->distinct_count;
    progress made = {
        .batch = work->batch,
        .now_ms = work->now_ms,
        .is_flushed = work->is_flushed,
        .sources = mem_zalloc(p->input_count, sizeof *made.sources),
        .source_count = p->input_count,
        .stages = mem_zalloc(aggregates + distincts, sizeof *made.stages),
        .stage_count = aggregates + distincts,
    };
    arena_init(&made.memory, 16 << 10);
    for (uint32_t i = 0; i < p->input_count; i++)
        made.sources[i] = progress_of(p->keeper, &p->inputs[i], &made.memory);
    for (uint32_t i = 0; i < made.stage_count; i++)
        made.stages[i] = (progress_stage){
            .is_distinct = i >= aggregates,
            .name = i < aggregates ? p->plan->aggregates[i].name
                                   : p->plan->distincts[i - aggregates].name,
            .watermark = work->next[i],
            .closing = i < aggregates ? p->stages.aggregates[i].closing_next : (close_cursor){ 0 },
        };
    progress_write(&made, out);
    mem_free(made.sources);
    mem_free(made.stages);
    progress_done(&made);
}

static err *put_positions(const pipeline *p, image *m) {
    for (uint32_t i = 0; i < p->out.count; i++) {
        const out_sink *s = &p->out.sinks[i];
        if (!s->ops->position) continue;
        buf *out = image_begin(m, IMAGE_SINK, s->plan->name.data, s->plan->name.len);
        err *e = s->ops->position(s->handle, out);
        image_end(m);
        if (e) return err_wrap(e, "sink `%.*s`", (int)s->plan->name.len, s->plan->name.data);
    }
    return NULL;
}

/* For whoever goes back: how many rows come again. */
static void put_rows(const pipeline *p, image *m) {
    buf *out = image_begin(m, IMAGE_ROWS, "", 0);
    for (uint32_t i = 0; i < p->out.count; i++) {
        const out_sink *s = &p->out.sinks[i];
        if (s->made)
            buf_printf(out, "%" PRIu32 " %.*s\n", s->made, (int)s->plan->name.len,
                       s->plan->name.data);
    }
    image_end(m);
}

static void put_section(image *m, int32_t kind, const buf *bytes) {
    buf_put(image_begin(m, kind, "", 0), bytes->data, bytes->len);
    image_end(m);
}

err *commit_save(pipeline *p, const commit_work *work) {
    keeper *k = p->keeper;
    size_t held = 0;
    if (k->has_positions) checkpoint_given_up(k->checkpoint); /* of a try before this one */
    for (uint32_t w = 0; w < crew_count(p->crew); w++)
        held += worker_state_bytes(crew_worker(p->crew, w), p->plan);
    bool is_full = local_wants_full(p, checkpoint_wants_full(k->checkpoint, held), held);
    if (k->has_other_shape) is_full = true;
    assert(!is_full || !local_has_spilled(p)); /* it would lack what is not in memory */
    k->parent[0] = '\0';
    if (work->view)
        pointer_write(checkpoint_underway(k->checkpoint) ? &k->saved : &k->current, k->parent);
    image_head head = {
        .is_full = is_full,
        .batch = work->batch,
        .parent = k->parent,
        .created_ms = work->now_ms,
        .script_hash = p->plan->script_hash,
        .shape = k->shape,
        .pipeline = k->name,
        .cluster = k->ops->cluster ? k->ops->cluster(k->ledger) : "",
    };
    image *m = image_new(&head);
    image_use(m, checkpoint_spares(k->checkpoint));
    commit_put_progress(p, work, image_begin(m, IMAGE_PROGRESS, "", 0));
    image_end(m);
    if (work->view) put_section(m, IMAGE_RECORD, &k->record);
    if (work->view) put_rows(p, m);
    for (uint32_t w = 0; w < crew_count(p->crew); w++)
        worker_save(crew_worker(p->crew, w), p->plan, m, is_full);
    err *e = put_positions(p, m);
    if (e) {
        image_free(m);
        return e;
    }
    checkpoint_put(k->checkpoint, m, &k->record, is_full, head.batch, k->mark_count, &k->saved);
    return keeper_step(p, "saved");
}
