/* DESIGN. What main does for a shadow is copying: each batch's records and rows, and where no state
 * is stored, once all of that, into the bytes of an object as a restart would find it. All else
 * happens in the shadow's thread, and what waits for it is bounded, so that main need not wait.
 * Stored objects stay for a while when nothing needs them any more (state/keeper.c), long enough to
 * be read. */
#include "runtime/flow/shadow.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/ahead.h"
#include "runtime/flow/budget.h"
#include "runtime/flow/closing.h"
#include "runtime/flow/commit.h"
#include "runtime/flow/held.h"
#include "runtime/flow/local.h"
#include "runtime/flow/record.h"
#include "runtime/flow/reload_inside.h"
#include "runtime/flow/shadow_inside.h"
#include "state/names.h"

enum { CHUNK_BYTES = 16 << 10, /* of a batch: small ones may wait by the thousand */
       SLICE_MS = 10,
       LONGEST_MS = 5000, /* for its thread to end */
       MB = 1 << 20 };

/* -- whether it can be */

bool shadow_may_start(const pipeline *p) { return reload_may_swap(p) && !p->trial; }

/* What is other, as a reload would see it. */
static err *check_state(const pipeline *p, worker *w, buf *changes) {
    const sl_compat *compat;
    const sl_string *was = &p->plan->checkpoint.shape;
    if (local_has_spilled(p))
        return err_new(ERR_REFUSED, "part of the state is on disk, and a shadow takes a copy of "
                                    "all of it in memory: give more `memory`, or try the script "
                                    "by `sluice replay --script`");
    if (held_is_text(was, &script_plan(w->script)->checkpoint.shape)) return NULL;
    char *shape = mem_copy_text(was->data, was->len);
    err *e = script_compat(w->script, shape, &compat);
    mem_free(shape);
    if (e) return e;
    if (compat->verdict == SL_COMPAT_REFUSED)
        return err_new(ERR_REFUSED, "%.*s; %.*s", (int)compat->message.len, compat->message.data,
                       (int)compat->ways_out.len, compat->ways_out.data);
    buf_put(changes, compat->message.data, compat->message.len);
    return NULL;
}

/* -- its begin */

/* The state as a restart would find it. */
static void take_image(pipeline *p, shadow *s) {
    char name[OBJECT_NAME_BYTES];
    char *pipeline_name = mem_copy_text(p->plan->name.data, p->plan->name.len);
    const sl_string *shape_of = &p->plan->checkpoint.shape;
    char *shape = mem_copy_text(shape_of->data ? shape_of->data : "", shape_of->len);
    image_head head = {
        .is_full = true,
        .batch = p->batch,
        .parent = "",
        .created_ms = clock_now_ms(p->system.clock),
        .script_hash = p->plan->script_hash,
        .shape = shape,
        .pipeline = pipeline_name,
        .cluster = "",
    };
    uint32_t count = p->plan->aggregate_count + p->plan->distinct_count;
    int64_t *watermarks = mem_alloc((count + 1) * sizeof *watermarks);
    stages_stand(&p->stages, watermarks);
    closing_begin(p); /* between two batches, the next one's rows are the last one's */
    commit_work work = { .batch = p->batch, .now_ms = head.created_ms, .next = watermarks };
    image *m = image_new(&head);
    commit_put_progress(p, &work, image_begin(m, IMAGE_PROGRESS, "", 0));
    image_end(m);
    for (uint32_t w = 0; w < crew_count(p->crew); w++)
        worker_save(crew_worker(p->crew, w), p->plan, m, true);
    image_finish(m);
    s->replay.from = pointer_new(POINTER_FULL, p->batch, 1);
    buf id;
    buf_init(&id);
    buf_put_text(&id, s->replay.from.id);
    names_plain(name, pipeline_name, "store");
    store_kept_add(&s->kept, name, &id);
    for (uint32_t i = 0; i < image_part_count(m); i++) {
        buf part = image_take_part(m, i);
        names_state(name, pipeline_name, &s->replay.from, i);
        store_kept_add(&s->kept, name, &part);
    }
    image_free(m);
    mem_free(watermarks);
    mem_free(shape);
    mem_free(pipeline_name);
}

/* The state behind the last batch, which is committed then. */
static err *find_state(pipeline *p, shadow *s) {
    const keeper *k = p->keeper;
    commit_settle_for_later(p);
    if (p->later) return err_new(ERR_STOPPED, "the run ends");
    bool is_stored = k && k->current.kind != POINTER_GENESIS && k->current.batch == p->batch;
    if (!is_stored) {
        take_image(p, s);
        return NULL;
    }
    s->replay.store = &k->store;
    s->replay.from = k->current;
    return NULL;
}

static char *copy_text(arena *memory, const char *text) {
    return arena_copy(memory, text, strlen(text) + 1);
}

/* Partitions as they stood before the running batch, if one runs. */
static void take_partitions(const input *in, shadow_input *out, arena *memory) {
    uint32_t count = in->partition_count;
    out->partitions = arena_take(memory, (count + 1) * sizeof *out->partitions, 8);
    out->partition_count = count;
    for (uint32_t i = 0; i < count; i++) {
        out->partitions[i] = in->partitions[i];
        out->partitions[i].topic = copy_text(memory, in->partitions[i].topic);
        out->partitions[i].position = in->reached[i];
    }
    for (uint32_t i = 0; i < in->range_count; i++)
        out->partitions[in->ranges[i].partition].position = in->ranges[i].from;
}

static void take_headers(const input *in, shadow_input *out, arena *memory) {
    if (!in->plan->has_header) return;
    uint32_t count = out->partition_count;
    out->headers = arena_take(memory, (count + 1) * sizeof *out->headers, 8);
    out->header_offsets = arena_take(memory, (count + 1) * sizeof *out->header_offsets, 8);
    for (uint32_t i = 0; i < count; i++) {
        out->headers[i] = (sl_string){ 0 };
        if (i >= in->header_count || !in->headers[i].text.data) continue;
        const sl_string *text = &in->headers[i].text;
        out->headers[i] =
            (sl_string){ .data = arena_copy(memory, text->data, text->len), .len = text->len };
        out->header_offsets[i] = in->headers[i].offset;
    }
}

static shadow_input *take_inputs(const pipeline *p, arena *memory) {
    shadow_input *all = arena_take(memory, (p->input_count + 1) * sizeof *all, 8);
    for (uint32_t i = 0; i < p->input_count; i++) {
        all[i] = (shadow_input){ 0 };
        take_partitions(&p->inputs[i], &all[i], memory);
        take_headers(&p->inputs[i], &all[i], memory);
    }
    return all;
}

static shadow *new_shadow(const pipeline *p, const shadow_options *o) {
    shadow *s = mem_zalloc(1, sizeof *s);
    s->wanted = o->batches;
    s->first = p->batch;
    s->warm_batches = o->warm_batches;
    s->path = mem_copy_text(o->path, strlen(o->path));
    s->script_hash = script_plan(o->worker->script)->script_hash;
    s->worker = o->worker;
    log_init(&s->log, -1, LOG_LOGFMT, LOG_ERROR + 1);
    s->clock = *p->system.clock;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    shadow_rows_init(&s->rows);
    shadow_seen_init(&s->seen, o->rows);
    return s;
}

static void free_shadow(shadow *s) {
    replay_close(&s->replay);
    if (s->worker) worker_free(s->worker, script_plan(s->worker->script));
    while (s->first_job) {
        shadow_job *job = s->first_job;
        s->first_job = job->next;
        shadow_job_free(job);
    }
    store_kept_done(&s->kept);
    shadow_mirrors_free(s);
    shadow_rows_done(&s->rows);
    shadow_seen_done(&s->seen);
    log_done(&s->log);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    mem_free(s->path);
    mem_free(s->changes);
    mem_free(s->reason);
    mem_free(s);
}

/* Signals that ask the process to end are main's; the one that breaks calls must come through. */
static err *start_thread(shadow *s) {
    sigset_t mains, before;
    sigemptyset(&mains);
    sigaddset(&mains, SIGINT);
    sigaddset(&mains, SIGTERM);
    sigaddset(&mains, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &mains, &before);
    int number = pthread_create(&s->thread, NULL, shadow_run, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    s->has_thread = number == 0;
    return number ? err_new(ERR_IO, "no thread for a shadow: %s", strerror(number)) : NULL;
}

err *shadow_start(pipeline *p, const shadow_options *options) {
    const sl_plan *plan = script_plan(options->worker->script);
    shadow *s = new_shadow(p, options);
    buf changes;
    buf_init(&changes);
    int64_t began_ms = clock_steady_ms(p->system.clock);
    err *e = reload_check(p, plan, plan->workers);
    if (!e) e = check_state(p, s->worker, &changes);
    s->changes = mem_copy_text(buf_text(&changes), changes.len);
    buf_done(&changes);
    if (!e) {
        arena memory;
        arena_init(&memory, CHUNK_BYTES);
        shadow_mirrors_new(s, take_inputs(p, &memory), p->input_count);
        arena_done(&memory);
        s->replay.kept = &s->kept;
        s->replay.is_other_script = true;
        e = find_state(p, s);
    }
    s->copy_ms = clock_steady_ms(p->system.clock) - began_ms;
    if (!e) e = start_thread(s);
    if (e) {
        free_shadow(s);
        return e;
    }
    p->shadow = s;
    return NULL;
}

/* -- a batch */

void shadow_job_free(shadow_job *job) {
    shadow_rows_done(&job->rows);
    buf_done(&job->record);
    arena_done(&job->memory);
    mem_free(job);
}

static uint64_t groups_of(const pipeline *p) {
    uint64_t groups = 0;
    for (uint32_t i = 0; i < stored_count(p->plan); i++)
        if (stored_groups(p->plan, i) || i >= 2 * p->plan->aggregate_count)
            groups += budget_groups(p, i);
    return groups;
}

shadow_side shadow_side_of(const pipeline *p, uint64_t rows) {
    shadow_side side = { .rows = rows, .state_bytes = budget_used(p), .groups = groups_of(p) };
    for (uint32_t i = 0; i < p->input_count; i++) {
        const source_counters *c = &p->inputs[i].load.pending;
        side.records += c->read;
        side.late += c->late;
        side.bad += c->quarantined + c->skipped + c->partly_quarantined;
    }
    return side;
}

static sl_string hold(arena *memory, const sl_string *text) {
    if (!text->data) return (sl_string){ 0 };
    return (sl_string){ .data = arena_copy(memory, text->data, text->len), .len = text->len };
}

static const sl_header *hold_headers(arena *memory, const sl_record *r) {
    if (!r->header_count) return NULL;
    sl_header *all = arena_take(memory, r->header_count * sizeof *all, 8);
    for (uint32_t i = 0; i < r->header_count; i++)
        all[i] = (sl_header){ .name = hold(memory, &r->headers[i].name),
                              .value = hold(memory, &r->headers[i].value) };
    return all;
}

static void take_records(const input *in, shadow_input *out, arena *memory) {
    const sl_records *from = &in->load.records;
    out->records = arena_take(memory, (from->count + 1) * sizeof *out->records, 8);
    out->record_count = from->count;
    for (uint32_t i = 0; i < from->count; i++) {
        const sl_record *r = &from->items[i];
        out->records[i] = *r;
        out->records[i].key = hold(memory, &r->key);
        out->records[i].value = hold(memory, &r->value);
        out->records[i].headers = hold_headers(memory, r);
    }
}

static int64_t fetch_ns(const pipeline *p) { return crew_laps(p->crew, 0)->ns[LAP_FETCH]; }

static shadow_job *make_job(const pipeline *p, const batch_view *view, int64_t cpu_ns) {
    shadow_job *job = mem_zalloc(1, sizeof *job);
    job->number = view->batch;
    buf_init(&job->record);
    record_put(&job->record, p, view);
    arena_init(&job->memory, CHUNK_BYTES);
    shadow_rows_init(&job->rows);
    shadow_rows_take(&job->rows, p);
    job->inputs = take_inputs(p, &job->memory);
    for (uint32_t i = 0; i < p->input_count; i++)
        take_records(&p->inputs[i], &job->inputs[i], &job->memory);
    job->side = shadow_side_of(p, job->rows.count);
    job->side.cpu_ns = cpu_ns;
    job->bytes = sizeof *job + job->record.len + arena_held(&job->memory) +
                 shadow_rows_bytes(&job->rows);
    return job;
}

/* Records are read beside a batch now and then (early.h): that is no work of the script's. */
static int64_t worked_ns(const pipeline *p) {
    const shadow *s = p->shadow;
    int64_t ns = crew_cpu_ns(p->crew) - s->cpu_from - (fetch_ns(p) - s->fetch_from);
    return ns > 0 ? ns : 0;
}

void shadow_batch_begins(pipeline *p) {
    shadow *s = p->shadow;
    if (!s || s->sent == s->wanted) return;
    s->cpu_from = crew_cpu_ns(p->crew);
    s->fetch_from = fetch_ns(p);
}

static void fall_behind(shadow *s) {
    char reason[160];
    snprintf(reason, sizeof reason,
             "it does not keep up: more than %d MiB of records and rows wait for it, behind "
             "%" PRIu64 " batches",
             SHADOW_WAITING_BYTES / MB, s->done);
    shadow_drop(s, reason);
}

void shadow_batch_is_made(pipeline *p, const batch_view *view) {
    shadow *s = p->shadow;
    if (!s || s->sent == s->wanted) return;
    int64_t cpu_ns = worked_ns(p);
    pthread_mutex_lock(&s->lock);
    bool runs = s->state == SHADOW_RUNS, is_late = s->waiting_bytes > SHADOW_WAITING_BYTES;
    pthread_mutex_unlock(&s->lock);
    if (runs && is_late) fall_behind(s);
    if (!runs || is_late) return;
    shadow_job *job = make_job(p, view, cpu_ns);
    pthread_mutex_lock(&s->lock);
    if (s->last_job)
        s->last_job->next = job;
    else
        s->first_job = job;
    s->last_job = job;
    s->waiting_bytes += job->bytes;
    s->sent++;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

/* -- its end */

void shadow_drop(shadow *s, const char *reason) {
    if (!s) return;
    pthread_mutex_lock(&s->lock);
    if (s->state == SHADOW_RUNS) {
        s->state = SHADOW_DROPPED;
        s->reason = mem_copy_text(reason, strlen(reason));
    }
    s->stop = 1;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

void shadow_hung(shadow *s, const char *message) {
    shadow_drop(s, message);
    pthread_mutex_lock(&s->lock);
    s->has_hung = true;
    pthread_mutex_unlock(&s->lock);
}

static bool has_ended(shadow *s) {
    pthread_mutex_lock(&s->lock);
    bool ended = s->has_ended;
    pthread_mutex_unlock(&s->lock);
    return ended;
}

bool shadow_is_over(shadow *s) {
    pthread_mutex_lock(&s->lock);
    bool over = s->has_ended || s->has_hung;
    pthread_mutex_unlock(&s->lock);
    return over;
}

bool shadow_free(pipeline *p) {
    shadow *s = p->shadow;
    if (!s) return false;
    p->shadow = NULL;
    shadow_drop(s, "the run ends");
    for (int ms = 0; !shadow_is_over(s) && ms < LONGEST_MS; ms += SLICE_MS)
        nanosleep(&(struct timespec){ .tv_nsec = SLICE_MS * 1000000 }, NULL);
    if (!has_ended(s)) {
        if (p->keeper) p->keeper->is_lent = true;
        return true;
    }
    pthread_join(s->thread, NULL);
    free_shadow(s);
    return false;
}
