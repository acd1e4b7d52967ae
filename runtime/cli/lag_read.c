#include "runtime/cli/lag_read.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/connect/connectors.h"
#include "runtime/operator/operators.h"

/* A source while it is read. */
typedef struct reading {
    worker *w;
    const sl_plan *plan;
    lag_source *s;
    sl_source source; /* the plan's, without what holds reading up */
    sl_value *items;  /* of its options, where `start` is another; owned */
    sl_value start[2], options;
    sl_system system;
    input in;
    int64_t share;   /* records of a partition */
    int64_t *begins; /* by partition, once it is known how far they go; owned */
    uint32_t begin_count;
    batch_view view;
    source_view *sources;
    aggregate_view *aggregates;
    distinct_view *distincts;
    chunk *c;
    laps laps;         /* nobody asks for them */
    uint32_t *numbers; /* by record of the chunk: in the disorder; UINT32_MAX: none */
} reading;

/* -- where reading begins */

/* sl_resume: at first from the earliest there is, which tells how much there is. */
static int32_t begin_at(void *arg, const char *topic, int32_t number, int64_t *offset) {
    const reading *r = arg;
    for (uint32_t p = 0; p < r->begin_count; p++) {
        const char *name = r->s->names[p];
        size_t len = strlen(topic);
        char tail[16];
        snprintf(tail, sizeof tail, ":%" PRId32, number);
        if (strncmp(name, topic, len) != 0 || strcmp(name + len, tail) != 0) continue;
        *offset = r->begins[p];
        return SL_KNOWN;
    }
    return SL_APPEARED;
}

static bool is_kafka(const sl_source *source) {
    return source->connector.len == 5 && !memcmp(source->connector.data, "kafka", 5);
}

static void name_partitions(reading *r) {
    lag_source *s = r->s;
    for (; s->name_count < r->in.partition_count; s->name_count++) {
        const sl_partition *at = &r->in.partitions[s->name_count];
        buf name;
        buf_init(&name);
        buf_put_text(&name, at->topic);
        if (is_kafka(&r->source)) buf_printf(&name, ":%" PRId32, at->number);
        s->names = mem_realloc(s->names, (s->name_count + 1) * sizeof *s->names);
        s->names[s->name_count] = mem_copy_text(name.data, name.len);
        buf_done(&name);
    }
}

static err *open_input(reading *r) {
    const sl_source_ops *ops = connector_source(&r->source.connector);
    if (!ops)
        return err_new(ERR_PLAN, "source `%.*s`: there is no connector `%.*s`",
                       (int)r->source.name.len, r->source.name.data, (int)r->source.connector.len,
                       r->source.connector.data);
    uint32_t number = (uint32_t)(r->s->plan - r->plan->sources);
    err *e = input_open(&r->in, &r->source, &r->source, ops, &r->system, number, true);
    if (!e) name_partitions(r);
    return e;
}

/* The option `start` becomes a time. */
static void begin_since(reading *r, int64_t since_ms) {
    const sl_value *was = r->source.options;
    r->items = mem_alloc((was->item_count + 1) * sizeof *r->items);
    r->start[1] = (sl_value){ .name = { "timestamp", 9, 0 },
                              .kind = SL_NUMBER,
                              .number = (double)since_ms };
    r->start[0] = (sl_value){ .name = { "start", 5, 0 },
                              .kind = SL_TABLE,
                              .item_count = 1,
                              .items = &r->start[1] };
    r->options = *was;
    r->options.items = r->items;
    r->options.item_count = 0;
    for (uint32_t i = 0; i < was->item_count; i++) {
        bool is_start = was->items[i].name.len == 5 && !memcmp(was->items[i].name.data, "start", 5);
        if (!is_start) r->items[r->options.item_count++] = was->items[i];
    }
    r->items[r->options.item_count++] = r->start[0];
    r->source.options = &r->options;
    r->system.resume = NULL;
}

/* Once more, where partitions hold more than is wanted. */
static err *begin_late(reading *r) {
    bool is_long = false;
    uint32_t count = r->in.partition_count;
    r->begins = mem_alloc((count + 1u) * sizeof *r->begins);
    for (uint32_t p = 0; p < count; p++) {
        const sl_partition *at = &r->in.partitions[p];
        r->begins[p] = at->begin;
        if (at->end - at->begin <= r->share) continue;
        r->begins[p] = at->end - r->share;
        is_long = true;
    }
    if (!is_long) return NULL;
    r->begin_count = count;
    input_close(&r->in);
    return open_input(r);
}

static err *open_where_wanted(reading *r, const lag_wanted *wanted) {
    bool by_time = wanted->since_ms != INT64_MIN && is_kafka(&r->source);
    if (by_time) begin_since(r, wanted->since_ms);
    err *e = open_input(r);
    if (e || !r->in.partition_count) return e;
    r->share = wanted->last / r->in.partition_count;
    if (r->share < 1) r->share = 1;
    return by_time || !is_kafka(&r->source) ? NULL : begin_late(r);
}

/* -- records */

static lag_stage *stage_of(lag_source *s, bool is_distinct, uint32_t index) {
    for (uint32_t i = 0; i < s->stage_count; i++)
        if (s->stages[i].is_distinct == is_distinct && s->stages[i].index == index)
            return &s->stages[i];
    s->stages = mem_realloc(s->stages, (s->stage_count + 1) * sizeof *s->stages);
    s->stages[s->stage_count] = (lag_stage){ .is_distinct = is_distinct, .index = index };
    return &s->stages[s->stage_count++];
}

static void add_rows(reading *r, const row_set *set, const grouping *g, lag_stage *stage) {
    const sl_record *records = r->sources[r->c->source].records;
    for (uint32_t i = 0; i < g->count; i++) {
        const sl_row *row = set->rows[g->indices[i]];
        uint32_t number = r->numbers[row->record - r->c->first_record];
        if (number == UINT32_MAX) continue;
        if (stage->count == stage->room) {
            stage->room = stage->room ? 2 * stage->room : 1024;
            stage->rows = mem_realloc(stage->rows, stage->room * sizeof *stage->rows);
        }
        stage->rows[stage->count++] = (lag_row){ .partition = records[row->record].partition,
                                                 .number = number,
                                                 .time_ms = row->time_ms,
                                                 .pane = g->panes[i],
                                                 .hash = g->hashes[i] };
        stage->key_bytes += g->key_lens[i];
    }
}

/* Rows of the steps of a level that go to stages. */
static void add_level(reading *r, uint32_t level) {
    for (uint32_t s = 0; s < r->plan->step_count; s++) {
        const sl_step *step = &r->plan->steps[s];
        if (step->root != r->c->root || step->level != level) continue;
        const row_set *set = chunk_rows(r->c, s);
        for (uint32_t k = 0; k < step->output_count; k++) {
            const sl_output *out = &step->outputs[k];
            bool is_distinct = out->kind == SL_TO_DISTINCT;
            if (!is_distinct && out->kind != SL_TO_AGGREGATE) continue;
            add_rows(r, set, &set->groups[k], stage_of(r->s, is_distinct, out->target));
        }
    }
}

/* Good records, those that move a watermark. */
static void add_records(reading *r) {
    const source_view *view = &r->sources[r->c->source];
    const row_set *set = chunk_rows(r->c, r->c->root);
    memset(r->numbers, 0xff, r->c->record_count * sizeof *r->numbers);
    for (uint32_t i = 0; i < set->count; i++) {
        const sl_row *row = set->rows[i];
        const sl_record *record = &view->records[row->record];
        if (row->time_ms == INT64_MIN || row->time_ms > view->skew_limit_ms) continue;
        disorder_record seen = { row->time_ms, is_kafka(&r->source) ? record->time_ms : -1 };
        r->numbers[row->record - r->c->first_record] =
            disorder_add(&r->s->disorder, record->partition, seen);
    }
    r->s->read += r->c->record_count;
    r->s->bad += r->c->record_count - set->count;
}

static uint32_t depth_of(const reading *r) {
    uint32_t depth = 0;
    for (uint32_t s = 0; s < r->plan->step_count; s++)
        if (r->plan->steps[s].root == r->c->root && r->plan->steps[s].level > depth)
            depth = r->plan->steps[s].level;
    return depth;
}

/* As in a batch (flow/walk.c), but nothing is folded. */
static err *walk_chunk(reading *r) {
    worker *w = r->w;
    r->c->notes.count = 0;
    w->notes = &r->c->notes;
    err *e = prepare_chunk(w, &r->view, r->c);
    if (!e) add_records(r);
    for (uint32_t level = 0; !e && level <= depth_of(r); level++) {
        e = advance_chunk(w, &r->view, r->c, level);
        if (!e) add_level(r, level);
        if (!e) e = distinct_chunk(w, w, &r->view, r->c, level);
    }
    w->notes = &w->own_notes;
    return e;
}

static void view_records(reading *r, int64_t now_ms) {
    input *in = &r->in;
    r->view.now_ms = now_ms;
    r->sources[in->number] = (source_view){
        .partitions = in->partitions,
        .partition_count = in->partition_count,
        .places = in->ranks,
        .headers = in->headers,
        .records = in->load.records.items,
        .record_count = in->load.records.count,
        .skew_limit_ms = watermark_skew_limit(&in->plan->time, now_ms, in->plan->bounded, false),
    };
}

static err *take_records(reading *r) {
    worker_begin(r->w, r->plan);
    r->w->laps = &r->laps;
    laps_mark(&r->laps);
    err *e = NULL;
    for (uint32_t at = 0; !e && at < r->in.load.records.count; at += VECTOR_ROWS) {
        uint32_t left = r->in.load.records.count - at;
        r->c->source = r->in.number;
        r->c->root = r->source.step;
        r->c->first_record = at;
        r->c->record_count = left < VECTOR_ROWS ? left : VECTOR_ROWS;
        e = walk_chunk(r);
    }
    worker_end(r->w, r->plan, !e);
    return e;
}

/* Batches are the script's; the last one takes what is wanted still. False: nothing is. */
static bool limit_batch(reading *r) {
    int64_t left = r->share * r->in.partition_count - (int64_t)r->s->read;
    if (!r->source.bounded) return true;
    if (left < r->source.max_records) r->source.max_records = left;
    return left > 0;
}

static err *read_all(reading *r) {
    err *e = NULL;
    for (uint64_t batch = 0; !e && !input_is_done(&r->in) && !*r->system.stop; batch++) {
        int64_t now_ms = clock_now_ms(r->system.clock);
        if (!limit_batch(r)) break;
        if ((e = input_look(&r->in))) break;
        if (!input_backlog(&r->in)) {
            e = r->in.ops->wait(r->in.handle, 100);
            continue;
        }
        input_plan(&r->in, batch, now_ms);
        e = input_fetch(&r->in);
        view_records(r, now_ms);
        if (!e) e = take_records(r);
        input_release(&r->in, true);
    }
    return e;
}

static void reading_init(reading *r, const sl_system *system) {
    const sl_plan *plan = r->plan;
    r->source.max_rate = 0;
    r->source.min_records = 0;
    r->system = *system;
    r->system.resume = begin_at;
    r->system.resume_arg = r;
    r->sources = mem_zalloc(plan->source_count, sizeof *r->sources);
    r->aggregates = mem_zalloc(plan->aggregate_count + 1u, sizeof *r->aggregates);
    r->distincts = mem_zalloc(plan->distinct_count + 1u, sizeof *r->distincts);
    for (uint32_t i = 0; i < plan->aggregate_count; i++)
        r->aggregates[i].watermark_before = r->aggregates[i].watermark_after = WATERMARK_NONE;
    for (uint32_t i = 0; i < plan->distinct_count; i++)
        r->distincts[i].watermark_before = r->distincts[i].watermark_after = WATERMARK_NONE;
    r->view = (batch_view){ .plan = plan,
                            .sources = r->sources,
                            .aggregates = r->aggregates,
                            .distincts = r->distincts };
    r->c = chunk_new(plan->step_count);
    r->numbers = mem_alloc(VECTOR_ROWS * sizeof *r->numbers);
}

static void reading_done(reading *r) {
    input_close(&r->in);
    chunk_free(r->c);
    mem_free(r->numbers);
    mem_free(r->begins);
    mem_free(r->items);
    mem_free(r->sources);
    mem_free(r->aggregates);
    mem_free(r->distincts);
}

err *lag_read(worker *w, const sl_plan *plan, uint32_t number, const sl_system *system,
              const lag_wanted *wanted, lag_source *s) {
    reading r = { .w = w, .plan = plan, .s = s, .source = plan->sources[number] };
    *s = (lag_source){ .plan = &plan->sources[number] };
    disorder_init(&s->disorder, s->plan->time.rule == SL_WATERMARK_MAX);
    reading_init(&r, system);
    err *e = open_where_wanted(&r, wanted);
    if (!e) e = read_all(&r);
    reading_done(&r);
    return err_wrap(e, "source `%.*s`", (int)s->plan->name.len, s->plan->name.data);
}

void lag_source_done(lag_source *s) {
    for (uint32_t p = 0; p < s->name_count; p++) mem_free(s->names[p]);
    for (uint32_t i = 0; i < s->stage_count; i++) mem_free(s->stages[i].rows);
    mem_free(s->names);
    mem_free(s->stages);
    disorder_done(&s->disorder);
    *s = (lag_source){ 0 };
}
