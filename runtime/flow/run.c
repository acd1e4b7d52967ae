#include "runtime/flow/run.h"

#include "runtime/base/err.h"
#include "runtime/flow/commit.h"
#include "runtime/script/tidy.h"

enum { LONGEST_WAIT_MS = 100,
       SHARED_WAIT_MS = 5,
       REST_MS = 20,
       TIDY_MS = 3 }; /* of a wait that is long enough for it */

static bool has_backlog(const pipeline *p) {
    for (uint32_t i = 0; i < p->input_count; i++)
        if (input_backlog(&p->inputs[i])) return true;
    return false;
}

static err *tidy(worker *w, void *arg) {
    (void)arg;
    if (script_wants_tidy(w->script)) script_tidy(w->script);
    return NULL;
}

/* Garbage that functions left behind goes while nothing waits for them. */
static void tidy_scripts(pipeline *p) {
    bool is_wanted = false;
    for (uint32_t i = 0; i < crew_count(p->crew); i++)
        is_wanted |= script_wants_tidy(crew_worker(p->crew, i)->script);
    if (is_wanted) err_free(crew_run(p->crew, tidy, NULL, crew_count(p->crew) > 1));
}

static int64_t left_ms(const pipeline *p, int64_t until_ms) {
    if (until_ms == INT64_MAX) return LONGEST_WAIT_MS;
    int64_t left = until_ms - clock_now_ms(p->system.clock);
    return left < LONGEST_WAIT_MS ? left : LONGEST_WAIT_MS;
}

/* Wait for data, or for the end of a commit, at most until `until_ms` (Unix ms). */
static err *wait_for_work(pipeline *p, int64_t until_ms) {
    int64_t left = left_ms(p, until_ms);
    if (left > TIDY_MS) {
        tidy_scripts(p);
        left = left_ms(p, until_ms);
    }
    if (left <= 0) return NULL;
    pipeline_expect(p, pipeline_next_ms(p));
    if (commit_is_beside(p)) {
        commit_wait(p, left);
        return NULL;
    }
    /* Data is there, but its time has not come: inputs would not wait. */
    if (has_backlog(p)) {
        clock_doze(left < REST_MS ? left : REST_MS);
        return NULL;
    }
    /* Several inputs take turns in short waits; one is woken by its own data at once. */
    for (uint32_t i = 0; i < p->input_count; i++) {
        input *in = &p->inputs[i];
        err *e = in->ops->wait(in->handle, p->input_count == 1 ? left : SHARED_WAIT_MS);
        if (e && e->retriable) {
            err_free(e);
            e = NULL;
        }
        if (e) return e;
    }
    return NULL;
}

err *run_pipeline(pipeline *p, run_tick *tick, void *arg) {
    trigger_verdict verdict = { .action = TRIGGER_RUN };
    err *e = NULL;
    while (!e && verdict.action != TRIGGER_DONE && !*p->system.stop) {
        e = pipeline_step(p, &verdict);
        if (tick) tick(arg, p);
        if (!e && verdict.action == TRIGGER_WAIT) e = wait_for_work(p, verdict.until_ms);
    }
    if (!e) e = pipeline_later(p);
    if (!e && !*p->system.stop) e = pipeline_finish(p);
    e = commit_settle_before(p, e);
    bool is_told = *p->system.stop || *p->sink_system.stop;
    if (e && e->code == ERR_STOPPED && is_told) {
        err_free(e);
        e = NULL;
    }
    return e;
}
