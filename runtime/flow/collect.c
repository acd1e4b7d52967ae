#include "runtime/flow/collect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/blank.h"
#include "runtime/flow/side.h"
#include "runtime/flow/verdict.h"
#include "runtime/operator/operators.h"

/* Records from which on max_bad_share counts: on trial, where the text before would take them, and
 * likewise where functions threw. */
enum { BAD_SHARE_FROM = 1000,
       BAD_SHARE_TRIAL = 2,
       BAD_SHARE_THROWN = 1 };

static int compare_messages(const out_message *a, const out_message *b) {
    if (a->window_end != b->window_end) return a->window_end < b->window_end ? -1 : 1;
    if (a->window_start != b->window_start) return a->window_start < b->window_start ? -1 : 1;
    if (a->order != b->order) return a->order < b->order ? -1 : 1;
    return 0;
}

static void observe(input *in, const chunk *c) {
    for (uint32_t i = 0; i < c->high_count; i++)
        if (c->highs[i].high_ms != INT64_MIN)
            watermark_observe(&in->watermark, c->highs[i].partition, c->highs[i].high_ms);
}

/* The rows of a chunk that go to one sink: in the order of their records, then of the outputs, not
 * as the chunk was cut. */
typedef struct gathering {
    const outbox **boxes; /* of its outputs in their order; owned */
    uint32_t *at;         /* owned */
    uint32_t count;
} gathering;

static void gather_boxes(gathering *g, const sl_plan *plan, const chunk *c, const sl_sink *sink) {
    g->count = 0;
    for (uint32_t f = 0; f < sink->feed_count; f++) {
        sl_feed feed = sink->feeds[f];
        if (plan->steps[feed.step].root != c->root) continue;
        if (feed.step == c->root && c->source == NO_SOURCE) continue; /* as they were emitted */
        g->at[g->count] = 0;
        g->boxes[g->count++] = &chunk_rows(c, feed.step)->messages[feed.output];
    }
}

/* Which record, or which result, a message stems from. */
static bool comes_before(const out_message *a, const out_message *b) {
    return a->record != NO_RECORD ? a->record < b->record : compare_messages(a, b) < 0;
}

static void append_merged(outbox *to, gathering *g) {
    for (;;) {
        const out_message *least = NULL;
        uint32_t from = 0;
        for (uint32_t i = 0; i < g->count; i++) {
            if (g->at[i] == g->boxes[i]->count) continue;
            const out_message *m = &g->boxes[i]->items[g->at[i]];
            if (least && !comes_before(m, least)) continue;
            least = m;
            from = i;
        }
        if (!least) return;
        outbox_append_one(to, g->boxes[from], g->at[from]++);
    }
}

static void take_messages(pipeline *p, const chunk *c) {
    for (uint32_t i = 0; i < p->plan->sink_count; i++) {
        const sl_sink *sink = &p->plan->sinks[i];
        if (!sink->feed_count) continue;
        gathering g = { .boxes = mem_alloc(sink->feed_count * sizeof *g.boxes),
                        .at = mem_alloc(sink->feed_count * sizeof *g.at) };
        gather_boxes(&g, p->plan, c, sink);
        if (g.count == 1)
            outbox_append(&p->out.sinks[i].rows, g.boxes[0]);
        else
            append_merged(&p->out.sinks[i].rows, &g);
        mem_free(g.boxes);
        mem_free(g.at);
    }
}

/* Whether a row of output `k` is in the aggregation: not if user code threw it out of the fold. */
static bool has_reached(const row_set *set, uint32_t k) {
    const grouping *g = &set->groups[k];
    for (uint32_t i = 0; i < g->count; i++)
        if (atomic_load_explicit(&set->passed[g->indices[i]], memory_order_relaxed) >> k & 1)
            return true;
    return false;
}

static void note_reached(pipeline *p, const chunk *c) {
    for (uint32_t a = 0; a < p->plan->aggregate_count; a++) {
        const sl_aggregate *plan = &p->plan->aggregates[a];
        stage_run *run = &p->stages.aggregates[a];
        for (uint32_t f = 0; f < plan->feed_count && !run->reached; f++)
            if (p->plan->steps[plan->feeds[f].step].root == c->root)
                run->reached =
                    has_reached(chunk_rows(c, plan->feeds[f].step), plan->feeds[f].output);
    }
}

static int compare_notes(const void *a, const void *b) {
    const note *x = a, *y = b;
    if (x->source != y->source) return x->source < y->source ? -1 : 1;
    if (x->record != y->record) return x->record < y->record ? -1 : 1;
    if (x->place != y->place) return x->place < y->place ? -1 : 1;
    if (x->window_start != y->window_start) return x->window_start < y->window_start ? -1 : 1;
    if (x->window_end != y->window_end) return x->window_end < y->window_end ? -1 : 1;
    if (x->partition != y->partition) return x->partition < y->partition ? -1 : 1;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Whether two notes, of which `b` is the next, say the same of one record: it was several rows. */
static bool says_the_same(const note *a, const note *b) {
    return a->source == b->source && a->record == b->record && a->place == b->place &&
           a->kind == b->kind && a->window_start == b->window_start &&
           a->window_end == b->window_end && a->partition == b->partition &&
           a->offset == b->offset;
}

/* Keep the first record that was thrown out, for the case that they are too many. */
static void remember_bad(input *in, const note *n) {
    in->load.has_thrown |= n->kind == NOTE_THREW;
    if (n->record == NO_RECORD) return;
    const sl_record *r = &in->load.records.items[n->record];
    const sl_partition *partition = &in->partitions[r->partition];
    if (in->load.first_bad[0] || n->kind == NOTE_LATE) return;
    input_load *load = &in->load;
    snprintf(load->first_bad, sizeof load->first_bad, "%s:%d:%lld%s%s: %.*s", partition->topic,
             partition->number, (long long)r->offset, *n->path ? ": " : "", n->path,
             (int)strcspn(n->reason, "\n"), n->reason);
}

static int32_t late_sink(const sl_plan *plan, const note *n) {
    return n->is_distinct ? plan->distincts[n->stage].late : plan->aggregates[n->stage].late;
}

static void send_note(pipeline *p, const batch_view *b, const note *n) {
    const sl_source *source = &p->plan->sources[n->source];
    remember_bad(&p->inputs[n->source], n);
    if (n->is_skipped) return;
    int32_t sink = n->kind == NOTE_LATE ? late_sink(p->plan, n) : source->quarantine;
    if (sink >= 0)
        side_write(&p->out.sinks[sink].rows, &p->out.side_text, b, &p->inputs[n->source], n);
}

static void send_notes(pipeline *p, const batch_view *b, note_list *list) {
    note *all = list->items;
    if (!list->count) return;
    qsort(all, list->count, sizeof *all, compare_notes);
    for (uint32_t i = 0; i < list->count; i++)
        if (!i || !says_the_same(&all[i - 1], &all[i])) send_note(p, b, &all[i]);
    list->count = 0;
}

void collect_notes(pipeline *p, const batch_view *b) {
    note_list all;
    note_list_init(&all);
    for (uint32_t w = 0; w < crew_count(p->crew); w++) {
        note_list *from = &crew_worker(p->crew, w)->own_notes;
        for (uint32_t i = 0; i < from->count; i++) note_list_add(&all, &from->items[i]);
        from->count = 0;
    }
    send_notes(p, b, &all);
    note_list_done(&all);
}

/* What a chunk of records says beside its rows. */
static void take_records(pipeline *p, const chunk *c) {
    input *in = &p->inputs[c->source];
    verdict_count(&in->load.pending, p->plan, c);
    observe(in, c);
    blank_look(in->blanks, in->plan, in->partitions, in->load.records.items, c, p->system.log);
}

void collect_chunk(pipeline *p, const batch_view *b, chunk *c) {
    if (c->source != NO_SOURCE) take_records(p, c);
    note_reached(p, c);
    take_messages(p, c);
    send_notes(p, b, &c->notes);
}

/* One record that does not decode says nothing of the text; one that it throws out is one more than
 * the text before has thrown. */
static uint64_t bad_share_from(const pipeline *p, const input *in) {
    if (p->trial && in->load.has_thrown) return BAD_SHARE_THROWN;
    return p->trial || p->on_trial ? BAD_SHARE_TRIAL : BAD_SHARE_FROM;
}

err *collect_check(const pipeline *p) {
    for (uint32_t i = 0; i < p->input_count; i++) {
        const input *in = &p->inputs[i];
        const source_counters *c = &in->load.pending;
        uint64_t bad = c->quarantined + c->skipped + c->partly_quarantined;
        if (c->read < bad_share_from(p, in)) continue;
        if ((double)bad <= in->plan->max_bad_share * (double)c->read) continue;
        return err_new(ERR_DATA,
                       "source `%.*s`: %llu of the batch's %llu records are bad, more than "
                       "max_bad_share = %g allows; nothing of this batch was kept. A producer's "
                       "schema, or a typo in the script?%s%s",
                       (int)in->plan->name.len, in->plan->name.data, (unsigned long long)bad,
                       (unsigned long long)c->read, in->plan->max_bad_share,
                       in->load.first_bad[0] ? " The first is " : "", in->load.first_bad);
    }
    return NULL;
}

outbox *collect_boxes(pipeline *p, uint32_t worker_number) {
    return &p->worker_boxes[worker_number * 2 * SL_MAX_OUTPUTS];
}

void collect_begin(pipeline *p) {
    for (uint32_t k = 0; k < crew_count(p->crew) * 2 * SL_MAX_OUTPUTS; k++)
        outbox_reset(&p->worker_boxes[k]);
    for (uint32_t i = 0; i < crew_count(p->crew); i++) emit_begin(crew_worker(p->crew, i));
}

/* Merge box `k` of all workers into `to`. Each is in order, and no group is on two workers. */
static void merge_boxes(pipeline *p, uint32_t k, outbox *to) {
    uint32_t count = crew_count(p->crew);
    if (count == 1 && !to->count) {
        outbox swapped = *to;
        *to = collect_boxes(p, 0)[k];
        collect_boxes(p, 0)[k] = swapped;
        return;
    }
    uint32_t *at = mem_zalloc(count, sizeof *at);
    for (;;) {
        const out_message *least = NULL;
        uint32_t from = 0;
        for (uint32_t w = 0; w < count; w++) {
            const outbox *box = &collect_boxes(p, w)[k];
            if (at[w] == box->count) continue;
            if (least && compare_messages(least, &box->items[at[w]]) <= 0) continue;
            least = &box->items[at[w]];
            from = w;
        }
        if (!least) break;
        outbox_append_one(to, &collect_boxes(p, from)[k], at[from]++);
    }
    mem_free(at);
}

/* Merge the results from `middle` on with those before them, of another aggregation or output: both
 * are in order. Ties: the earlier first. */
static void merge_results(outbox *box, uint32_t middle) {
    uint32_t first = middle, count = box->count;
    while (first > 0 && box->items[first - 1].record == NO_RECORD) first--;
    if (first == middle || middle == count) return;
    if (compare_messages(&box->items[middle - 1], &box->items[middle]) <= 0) return;
    uint32_t left = middle - first, l = 0, r = middle;
    out_message *before = mem_alloc(left * sizeof *before);
    memcpy(before, &box->items[first], left * sizeof *before);
    for (uint32_t at = first; l < left; at++) {
        bool takes_left = r == count || compare_messages(&before[l], &box->items[r]) <= 0;
        box->items[at] = takes_left ? before[l++] : box->items[r++];
    }
    mem_free(before);
}

static void add_results(pipeline *p, uint32_t k, outbox *to) {
    uint32_t before = to->count;
    merge_boxes(p, k, to);
    merge_results(to, before);
}

/* What a complete result may hold counts before any filter: it is what the state holds. */
static err *check_complete(const pipeline *p, uint32_t aggregate) {
    const sl_aggregate *plan = &p->plan->aggregates[aggregate];
    uint64_t count = 0;
    if (plan->mode != SL_COMPLETE) return NULL;
    for (uint32_t i = 0; i < crew_count(p->crew); i++)
        count += crew_worker(p->crew, i)->result_count;
    if (count <= (uint64_t)plan->max_rows) return NULL;
    return err_new(ERR_STATE,
                   "`%.*s`: the complete result has %llu rows, more than max_rows = %lld: raise "
                   "it, or use mode = \"update\"",
                   (int)plan->name.len, plan->name.data, (unsigned long long)count,
                   (long long)plan->max_rows);
}

err *collect_results(pipeline *p, uint32_t aggregate) {
    const sl_step *step = &p->plan->steps[p->plan->aggregates[aggregate].step];
    for (uint32_t k = 0; k < step->output_count; k++) {
        const sl_output *output = &step->outputs[k];
        if (output->kind != SL_TO_SINK) continue;
        out_sink *sink = &p->out.sinks[output->target];
        add_results(p, k, &sink->retracted);
        add_results(p, SL_MAX_OUTPUTS + k, &sink->rows);
    }
    return check_complete(p, aggregate);
}

void collect_results_begin(pipeline *p) {
    for (uint32_t i = 0; i < p->out.count; i++) p->rows_before[i] = p->out.sinks[i].rows.count;
}

void collect_results_end(pipeline *p) {
    for (uint32_t i = 0; i < p->out.count; i++)
        merge_results(&p->out.sinks[i].rows, p->rows_before[i]);
}
