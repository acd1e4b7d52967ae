#include "runtime/flow/commit_inside.h"

#include <assert.h>
#include <inttypes.h>
#include <time.h>

#include "runtime/base/crash.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/ahead.h"
#include "runtime/flow/behind.h"
#include "runtime/flow/keeper_inside.h"
#include "runtime/flow/local.h"
#include "runtime/flow/record.h"
#include "runtime/flow/reload.h"
#include "runtime/operator/stored.h"

enum {
    FIRST_REST_MS = 50, /* before it is tried again */
    LONGEST_REST_MS = 2000,
    SLICE_MS = 20,
    TELL_MS = 10000, /* between two lines about it */
};

/* -- the object */

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
        uint32_t rows = s->leaving_retracted.count + s->leaving_rows.count;
        if (rows)
            buf_printf(out, "%" PRIu32 " %.*s\n", rows, (int)s->plan->name.len, s->plan->name.data);
    }
    image_end(m);
}

static void put_section(image *m, int32_t kind, const buf *bytes) {
    buf_put(image_begin(m, kind, "", 0), bytes->data, bytes->len);
    image_end(m);
}

/* Make the object of the batch and begin to write it. */
static err *save(pipeline *p, const commit_work *work) {
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

/* -- one try after the other */

/* Sleep, but not beyond the moment at which waiting is over. */
static void rest(const pipeline *p, int64_t ms) {
    for (; ms > 0 && !*p->sink_system.stop; ms -= SLICE_MS)
        nanosleep(&(struct timespec){ .tv_nsec = SLICE_MS * 1000000 }, NULL);
}

static bool may_pass(const err *e) {
    return e->retriable && e->code != ERR_FENCED && e->code != ERR_STOPPED;
}

/* Give up what the ledger has begun; NULL: it can begin again. */
static err *give_up(const pipeline *p, int64_t *rest_ms) {
    const keeper *k = p->keeper;
    err *e = k->ops->abort(k->ledger);
    while (e && may_pass(e) && !*p->sink_system.stop) {
        rest(p, *rest_ms);
        if (*rest_ms < LONGEST_REST_MS) *rest_ms *= 2;
        err_free(e);
        e = k->ops->abort(k->ledger);
    }
    return e;
}

static uint64_t number_of(const commit_work *work) { return work->batch ? work->batch - 1 : 0; }

static void tell(const pipeline *p, const commit_work *work, const err *e, int64_t *told_ms) {
    int64_t now = clock_steady_ms(p->system.clock);
    if (*told_ms != INT64_MIN && now - *told_ms < TELL_MS) return;
    *told_ms = now;
    log_warn(p->system.log, "batch not committed, delivering it again",
             log_text("reason", e->message), log_number("batch", number_of(work)));
}

/* Told to stop while something does not work that may work later. Takes `e`. */
static err *stopped(const commit_work *work, err *e) {
    err *s = err_new(ERR_STOPPED, "stopped before batch %" PRIu64 " was committed: %s",
                     number_of(work), e->message);
    err_free(e);
    return s;
}

err *commit_try(pipeline *p, commit_once *once, bool begins, const commit_work *work) {
    int64_t rest_ms = FIRST_REST_MS, told_ms = INT64_MIN;
    for (uint32_t tries = 1;; tries++) {
        err *e = once(p, work);
        if (!e && tries > 1)
            log_info(p->system.log, "batch committed after all",
                     log_number("batch", number_of(work)), log_number("tries", tries));
        if (!e || !may_pass(e)) return e;
        tell(p, work, e, &told_ms);
        p->keeper->redelivered++;
        err *fatal = begins ? give_up(p, &rest_ms) : NULL;
        if (fatal) {
            err_free(e);
            return fatal;
        }
        if (*p->sink_system.stop) return stopped(work, e);
        err_free(e);
        rest(p, rest_ms);
        if (rest_ms < LONGEST_REST_MS) rest_ms *= 2;
    }
}

err *commit_text(const keeper *k, const pointer *which, const sl_mark *marks, uint32_t count) {
    char text[SL_POINTER_BYTES];
    pointer_write(which, text);
    return k->ops->commit(k->ledger, text, marks, count);
}

/* Of a script on trial, where it costs nothing to go back: what goes wrong with most rows is not
 * the rows' fault. */
static err *judge_refusals(const pipeline *p) {
    if (!p->trial || p->keeper->plan->delivery != SL_EXACTLY_ONCE) return NULL;
    if (reload_has_left(p)) return NULL; /* it would end the run */
    double share = 1;
    for (uint32_t i = 0; i < p->input_count; i++)
        if (p->inputs[i].plan->max_bad_share < share) share = p->inputs[i].plan->max_bad_share;
    return delivery_judge(&p->out, share);
}

static err *try_batch(pipeline *p, const commit_work *work) {
    keeper *k = p->keeper;
    k->was_asked = false;
    err *e = k->ops->begin(k->ledger);
    if (!e) e = keeper_step(p, "begun");
    if (!e) e = delivery_run(&p->out, number_of(work), work->now_ms);
    if (!e) e = judge_refusals(p);
    if (!e) e = keeper_step(p, "produced");
    if (!e && k->has_positions) e = save(p, work);
    if (!e) e = checkpoint_wait(k->checkpoint, &k->saved);
    if (!e) e = keeper_step(p, "written");
    if (e) return e;
    k->was_asked = true;
    return commit_text(k, &k->saved, k->marks, k->mark_count);
}

/* It was tried until it was committed, or cannot be. Takes `e`. */
static err *end_tries(pipeline *p, err *e) {
    keeper *k = p->keeper;
    p->counters.redelivered += atomic_exchange(&k->redelivered, 0);
    if (e) return e;
    k->current = k->saved;
    k->committed_ms = k->ended_ms;
    k->commit_ms = k->ended_ms - k->began_ms;
    return NULL;
}

/* thread: that of commits, or main */
static void run_commit(void *arg) {
    pipeline *p = arg;
    keeper *k = p->keeper;
    k->outcome = commit_try(p, try_batch, true, k->work);
    k->ended_ms = clock_steady_ms(p->system.clock);
}

err *commit_begin(pipeline *p, const commit_work *work) {
    keeper *k = p->keeper;
    assert(!k->is_beside);
    if (!k->work) k->work = mem_alloc(sizeof *k->work);
    *k->work = *work;
    k->began_ms = clock_steady_ms(p->system.clock);
    keeper_collect_marks(p, work->batch);
    buf_reset(&k->record);
    record_put(&k->record, p, work->view);
    err *e = k->has_positions ? NULL : save(p, work);
    if (e || !k->commits || p->trial) return e; /* what failed on trial must be there still */
    k->work->view = NULL;
    k->work->next = NULL;
    k->is_beside = true;
    if (k->behind)
        behind_begin(p);
    else
        k->ticket = jobs_add(k->commits, run_commit, p);
    return NULL;
}

bool commit_is_beside(const pipeline *p) { return p->keeper && p->keeper->is_beside; }

/* It is over. */
static err *take_outcome(pipeline *p) {
    err *e = end_tries(p, p->keeper->outcome);
    return e ? e : keeper_step(p, "committed");
}

err *commit_await(pipeline *p) {
    run_commit(p);
    return take_outcome(p);
}

/* Without a checkpoint the log alone says what the batch was. */
static void note_record(const pipeline *p, const commit_work *work) {
    buf record;
    if (p->system.log->level > LOG_DEBUG) return;
    buf_init(&record);
    if (!p->keeper) record_put(&record, p, work->view);
    record_log(p, p->keeper ? &p->keeper->record : &record);
    buf_done(&record);
}

void commit_count(pipeline *p, const commit_work *work) {
    note_record(p, work);
    delivery_count(&p->out);
    p->counters.nulled_numbers += work->nulled_numbers;
    p->counters.batches++;
}

err *commit_applied(pipeline *p) {
    keeper *k = p->keeper;
    k->has_other_shape = false;
    ahead_forget(p);
    checkpoint_committed(k->checkpoint, &k->current, k->marks, k->mark_count);
    return keeper_step(p, "applied");
}

void commit_given_up(pipeline *p) {
    checkpoint_given_up(p->keeper->checkpoint);
}

bool commit_leaves_no_trace(const pipeline *p) {
    const keeper *k = p->keeper;
    return k && k->plan->delivery == SL_EXACTLY_ONCE && !k->was_asked;
}

err *commit_take_back(pipeline *p) {
    int64_t rest_ms = FIRST_REST_MS;
    err *e = fault_is("rows_stay") ? NULL : give_up(p, &rest_ms);
    commit_given_up(p);
    return e;
}

/* -- beside the next batch */

bool commit_wait(const pipeline *p, int64_t most_ms) {
    const keeper *k = p->keeper;
    return k->behind ? behind_wait(k, most_ms) : jobs_wait_some(k->commits, k->ticket, most_ms);
}

bool commit_is_open(const pipeline *p) {
    return commit_is_beside(p) || (p->keeper && checkpoint_underway(p->keeper->checkpoint) > 0);
}

int64_t commit_next_ms(const pipeline *p) {
    const keeper *k = p->keeper;
    int64_t next_ms = k->is_beside ? k->began_ms + k->commit_ms : INT64_MIN;
    int64_t paced_ms = k->behind ? behind_next_ms(k) : INT64_MIN;
    return saturate_sub(next_ms > paced_ms ? next_ms : paced_ms, p->batch_ms);
}

err *commit_look(pipeline *p) {
    if (commit_is_beside(p) && commit_wait(p, 0)) return commit_make_way(p);
    return p->keeper && p->keeper->behind ? behind_look(p) : NULL;
}

err *commit_make_way(pipeline *p) {
    if (!p->keeper || !p->keeper->behind || p->trial) return commit_settle(p);
    return behind_make_way(p);
}

err *commit_settle(pipeline *p) {
    keeper *k = p->keeper;
    if (k && k->behind) return behind_settle(p);
    if (!commit_is_beside(p)) return NULL;
    jobs_wait(k->commits, k->ticket, NULL);
    k->is_beside = false;
    err *e = take_outcome(p);
    if (e) {
        p->batch = number_of(k->work);
        commit_given_up(p);
    } else {
        commit_count(p, k->work);
    }
    for (uint32_t i = 0; i < p->input_count; i++) input_release_parked(&p->inputs[i], !e);
    return e ? e : commit_applied(p);
}

void commit_settle_for_later(pipeline *p) {
    err *e = commit_settle(p);
    p->later = err_join(p->later, e);
}

err *commit_settle_before(pipeline *p, err *e) {
    err *first = commit_settle(p);
    if (!first) return e;
    err_free(e);
    return first;
}

/* -- without a batch */

static err *try_pointer(pipeline *p, const commit_work *work) {
    keeper *k = p->keeper;
    err *e = k->ops->begin(k->ledger);
    if (!e && work->next) e = checkpoint_wait(k->checkpoint, &k->saved);
    return e ? e : commit_text(k, &k->saved, k->marks, k->mark_count);
}

static err *commit_pointer(pipeline *p, const commit_work *work) {
    keeper *k = p->keeper;
    k->began_ms = clock_steady_ms(p->system.clock);
    err *e = commit_try(p, try_pointer, true, work);
    k->ended_ms = clock_steady_ms(p->system.clock);
    return end_tries(p, e);
}

/* Files that are appended to, and positions that no ledger knows, stand in an object. */
static bool needs_object(const pipeline *p) {
    const keeper *k = p->keeper;
    for (uint32_t i = 0; i < p->input_count; i++)
        if (!keeper_marks(k, p->inputs[i].plan)) return true;
    return k->has_positions;
}

err *commit_genesis(pipeline *p) {
    keeper *k = p->keeper;
    uint32_t count = p->plan->aggregate_count + p->plan->distinct_count;
    int64_t *none = mem_alloc((count + 1) * sizeof *none);
    for (uint32_t i = 0; i < count; i++) none[i] = WATERMARK_NONE;
    commit_work work = { .now_ms = clock_now_ms(p->system.clock) };
    err *e = NULL;
    if (needs_object(p)) {
        work.next = none;
        e = save(p, &work);
    } else {
        k->saved = pointer_new(POINTER_GENESIS, 0, k->mark_count);
    }
    if (!e) e = commit_pointer(p, &work);
    mem_free(none);
    if (e) return e;
    crash_point("flow_genesis");
    checkpoint_committed(k->checkpoint, &k->current, k->marks, k->mark_count);
    return NULL;
}

err *commit_again(pipeline *p) {
    keeper *k = p->keeper;
    commit_work work = { .batch = k->current.batch };
    k->saved = k->current;
    return commit_pointer(p, &work);
}
