/* The shadow's own thread: it loads the state, does what is handed over, and compares. */
#include <inttypes.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/header.h"
#include "runtime/flow/keeper.h"
#include "runtime/flow/shadow_inside.h"

/* batch_step: its batch begins to work; its rows are made, and are about to go nowhere. */
static err *on_step(void *arg, const char *step) {
    shadow *s = arg;
    const pipeline *p = &s->replay.pipeline;
    if (!strcmp(step, "planned")) s->own_from = crew_cpu_ns(p->crew);
    if (strcmp(step, "processed") != 0) return NULL;
    int64_t cpu_ns = crew_cpu_ns(p->crew) - s->own_from;
    shadow_rows_take(&s->rows, p);
    s->own = shadow_side_of(p, s->rows.count);
    s->own.cpu_ns = cpu_ns;
    return NULL;
}

static err *open_pipeline(shadow *s) {
    sl_system system = {
        .pipeline = "shadow",
        .log = &s->log,
        .clock = &s->clock,
        .stop = &s->stop,
    };
    s->replay.source_arg = s;
    worker *workers[1] = { s->worker };
    s->worker = NULL;
    err *e = replay_open(&s->replay, workers, &system, shadow_find_source);
    if (!e) store_look_forget(&s->replay.pipeline.keeper->store);
    s->replay.pipeline.on_trial = true;
    s->replay.pipeline.on_step = on_step;
    s->replay.pipeline.on_step_arg = s;
    return e;
}

/* The next batch; NULL: it is to end. */
static shadow_job *next_job(shadow *s) {
    shadow_job *job = NULL;
    pthread_mutex_lock(&s->lock);
    while (!s->first_job && s->done < s->wanted && !s->stop) pthread_cond_wait(&s->wake, &s->lock);
    if (!s->stop && s->first_job) {
        job = s->first_job;
        s->first_job = job->next;
        if (!s->first_job) s->last_job = NULL;
    }
    pthread_mutex_unlock(&s->lock);
    return job;
}

/* A file that appeared since: its first line was read, and is no record. */
static err *tell_headers(shadow *s, const shadow_job *job) {
    pipeline *p = &s->replay.pipeline;
    for (uint32_t i = 0; i < p->input_count; i++) {
        const shadow_input *was = &job->inputs[i];
        input *in = &p->inputs[i];
        if (!was->headers) continue;
        err *e = input_look(in);
        if (e) return e;
        for (uint32_t n = 0; n < was->partition_count && n < in->partition_count; n++) {
            bool is_known = n < in->header_count && in->headers[n].text.data;
            if (was->headers[n].data && !is_known)
                header_restore(in, n, &was->headers[n], was->header_offsets[n]);
        }
    }
    return NULL;
}

static void add(shadow_side *sum, const shadow_side *more, bool is_timed) {
    sum->records += more->records;
    sum->rows += more->rows;
    sum->late += more->late;
    sum->bad += more->bad;
    if (is_timed) sum->timed_records += more->records;
    if (is_timed) sum->cpu_ns += more->cpu_ns;
    sum->state_bytes = more->state_bytes;
    sum->groups = more->groups;
}

/* What was seen counts, if it was not dropped meanwhile. */
static void count(shadow *s, const shadow_job *job, const shadow_seen *seen) {
    pthread_mutex_lock(&s->lock);
    bool is_timed = (int64_t)s->done >= s->warm_batches;
    add(&s->old, &job->side, is_timed);
    add(&s->new, &s->own, is_timed);
    s->done++;
    s->seen = *seen;
    s->waiting_bytes -= job->bytes;
    pthread_mutex_unlock(&s->lock);
}

static err *do_job(shadow *s, shadow_job *job) {
    shadow_rows_done(&s->rows);
    shadow_rows_init(&s->rows);
    shadow_mirrors_turn(s, job->inputs);
    err *e = tell_headers(s, job);
    if (!e) e = replay_do(&s->replay, job->record.data, job->record.len);
    if (e) return e;
    shadow_seen seen = s->seen; /* what is noted lies behind what others look at */
    shadow_rows_compare(&job->rows, &s->rows, job->number, &seen);
    count(s, job, &seen);
    return NULL;
}

/* All is compared, or there will be no more. Takes `e`. */
static void settle(shadow *s, err *e) {
    pthread_mutex_lock(&s->lock);
    if (s->state == SHADOW_RUNS) {
        s->state = e ? SHADOW_DROPPED : SHADOW_DONE;
        if (e) s->reason = mem_copy_text(e->message, strlen(e->message));
    }
    pthread_mutex_unlock(&s->lock);
    err_free(e);
}

void *shadow_run(void *arg) {
    shadow *s = arg;
    err *e = open_pipeline(s);
    store_kept_done(&s->kept); /* it is in the tables */
    shadow_job *job = NULL;
    while (!e && (job = next_job(s))) {
        e = do_job(s, job);
        shadow_job_free(job);
    }
    settle(s, e);
    replay_close(&s->replay); /* takes a while where state is large */
    pthread_mutex_lock(&s->lock);
    s->has_ended = true;
    pthread_mutex_unlock(&s->lock);
    return NULL;
}
