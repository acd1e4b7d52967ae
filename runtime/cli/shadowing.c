#include "runtime/cli/shadowing.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/base/err.h"
#include "runtime/base/json_text.h"
#include "runtime/base/mem.h"
#include "runtime/cli/thread.h"
#include "runtime/flow/shadow.h"

enum { MOST_BATCHES = 1000000,
       MOST_ROWS = 1000,
       HANGS_MS = 20000 };

typedef enum phase { FREE,
                     ASKED,
                     LOADING,
                     LOADED,
                     RUNS,
                     LOST /* loading never returned */ } phase;

struct shadowing {
    shadowing_options options;
    pthread_mutex_t lock; /* guards what follows */
    phase phase;
    uint64_t request; /* of who asked */
    uint64_t batches;
    uint32_t rows;
    char *path; /* owned */
    /* as the phase says, its thread's or main's */
    pthread_t thread;
    worker *worker;
    err *error;
    int64_t loading_ms;    /* steady time since which it loads */
    struct shadow *shadow; /* the pipeline's */
    atomic_bool has_hung;  /* a script's watchdog still uses this */
};

static int64_t steady_ms(void) { return clock_steady_ms(&(clock_source){ 0 }); }

static phase phase_of(shadowing *s) {
    pthread_mutex_lock(&s->lock);
    phase now = s->phase;
    pthread_mutex_unlock(&s->lock);
    return now;
}

static void go_on(shadowing *s, phase next) {
    pthread_mutex_lock(&s->lock);
    s->phase = next;
    pthread_mutex_unlock(&s->lock);
}

/* -- who asks */

/* "BATCHES ROWS PATH" */
static bool read_words(shadowing *s, const char *words) {
    char *end;
    s->batches = strtoull(words, &end, 10);
    s->rows = (uint32_t)strtoul(end, &end, 10);
    if (*end++ != ' ' || !*end) return false;
    if (!s->batches || s->batches > MOST_BATCHES || s->rows > MOST_ROWS) return false;
    const char *path = strcmp(end, "-") ? end : s->options.path;
    mem_free(s->path);
    s->path = mem_copy_text(path, strlen(path));
    return true;
}

/* thread: the control's */
static void on_shadow(void *arg, control *c, uint64_t request, const char *words) {
    shadowing *s = arg;
    const char *no = NULL;
    pthread_mutex_lock(&s->lock);
    if (s->phase == LOST)
        no = "an earlier script never came back: stop the pipeline and run it again";
    else if (s->phase != FREE)
        no = "another script is on shadow; one at a time";
    else if (!read_words(s, words))
        no = "wanted: shadow BATCHES ROWS PATH";
    if (!no) s->phase = ASKED;
    if (!no) s->request = request;
    pthread_mutex_unlock(&s->lock);
    char json[160];
    snprintf(json, sizeof json, "{\"error\":\"%s\"}", no ? no : "");
    if (no) control_answer(c, request, json);
}

static bool is_awaited(const shadowing *s) {
    return control_is_waiting(s->options.control, s->request);
}

/* It never began. Takes `e`. */
static void refuse(shadowing *s, err *e) {
    buf json;
    buf_init(&json);
    log_warn(s->options.log, "no shadow of the running script", log_text("reason", e->message));
    buf_put_char(&json, '{');
    json_put_text(&json, "state", "refused");
    bool is_utf8 = json_text_is_utf8(e->message, strlen(e->message));
    json_put_text(&json, "reason", is_utf8 ? e->message : "(it is not UTF-8; the log has it)");
    buf_put_char(&json, '}');
    control_answer(s->options.control, s->request, buf_text(&json));
    buf_done(&json);
    err_free(e);
}

/* -- loading */

/* A call that takes longer than it may. thread: the watchdog's. */
static void on_stuck(void *arg, const char *message, bool last) {
    shadowing *s = arg;
    log_warn(s->options.log, "a call into the script on shadow takes too long",
             log_text("where", message));
    pthread_mutex_lock(&s->lock);
    struct shadow *running = s->shadow;
    if (last) s->has_hung = true;
    pthread_mutex_unlock(&s->lock);
    if (last && running) shadow_hung(running, message);
}

static void *load(void *arg) {
    shadowing *s = arg;
    worker *w = NULL;
    err *e = s->options.load(s->options.arg, s->path, on_stuck, s, &w);
    pthread_mutex_lock(&s->lock);
    s->worker = w;
    s->error = e;
    s->phase = LOADED;
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void begin_load(shadowing *s) {
    s->loading_ms = steady_ms();
    go_on(s, LOADING);
    if (thread_start(&s->thread, load, s)) return;
    refuse(s, err_new(ERR_IO, "there is no thread to load %s in", s->path));
    go_on(s, FREE);
}

static void await_load(shadowing *s) {
    if (steady_ms() - s->loading_ms < HANGS_MS) return;
    pthread_mutex_lock(&s->lock);
    bool is_lost = s->phase == LOADING;
    if (is_lost) s->phase = LOST;
    if (is_lost) s->has_hung = true;
    pthread_mutex_unlock(&s->lock);
    if (is_lost) refuse(s, err_new(ERR_SCRIPT, "loading %s does not return", s->path));
}

/* -- beside the run */

/* A text that runs already shows nothing, whoever forgot that it was taken when it was saved. */
static err *check_text(const shadowing *s, const pipeline *p) {
    const sl_plan *plan = script_plan(s->worker->script);
    if (plan->script_hash != p->plan->script_hash) return NULL;
    return err_new(ERR_REFUSED,
                   "%s is the text that runs, there is nothing to compare: what is saved is loaded "
                   "at once, unless it runs with --no-watch; save the change under another name, "
                   "and give it by --script",
                   s->path);
}

static void drop_worker(shadowing *s) {
    if (s->worker) worker_free(s->worker, script_plan(s->worker->script));
    s->worker = NULL;
}

static err *start(shadowing *s, pipeline *p) {
    err *e = check_text(s, p);
    if (e) return e;
    shadow_options options = {
        .worker = s->worker,
        .path = s->path,
        .batches = s->batches,
        .rows = s->rows,
        .warm_batches = s->batches > 1, /* code is compiled in the first one */
    };
    s->worker = NULL;
    return shadow_start(p, &options);
}

static void begin(shadowing *s, pipeline *p) {
    if (!s->error && is_awaited(s) && !shadow_may_start(p)) return;
    pthread_join(s->thread, NULL);
    err *e = s->error;
    s->error = NULL;
    if (!e && !is_awaited(s)) e = err_new(ERR_STOPPED, "who asked for it has gone");
    if (!e) e = start(s, p);
    drop_worker(s);
    if (e) {
        refuse(s, e);
        go_on(s, FREE);
        return;
    }
    log_info(s->options.log, "another script does the next batches on shadow",
             log_text("script", s->path), log_number("batches", s->batches),
             log_number("batch", p->batch));
    pthread_mutex_lock(&s->lock);
    s->shadow = p->shadow;
    s->phase = RUNS;
    pthread_mutex_unlock(&s->lock);
}

static void tell(shadowing *s, pipeline *p) {
    buf json;
    buf_init(&json);
    buf_put_char(&json, '{');
    shadow_put(p->shadow, &json, true);
    buf_put_char(&json, '}');
    control_answer(s->options.control, s->request, buf_text(&json));
    buf_done(&json);
    shadow_result of = shadow_result_of(p->shadow);
    if (of.reason)
        log_warn(s->options.log, "the script on shadow is dropped", log_text("reason", of.reason),
                 log_number("batches", of.batches));
    else
        log_info(s->options.log, "the script on shadow has done its batches",
                 log_number("batches", of.batches), log_number("same", of.same),
                 log_number("different", of.different));
    mem_free(of.reason);
}

static void finish(shadowing *s, pipeline *p) {
    tell(s, p);
    pthread_mutex_lock(&s->lock);
    s->shadow = NULL;
    s->phase = FREE;
    pthread_mutex_unlock(&s->lock);
    if (shadow_free(p)) s->has_hung = true;
}

void shadowing_tick(shadowing *s, pipeline *p) {
    switch (phase_of(s)) {
    case ASKED: begin_load(s); break;
    case LOADING: await_load(s); break;
    case LOADED: begin(s, p); break;
    case RUNS:
        if (!is_awaited(s)) shadow_drop(p->shadow, "who asked for it has gone");
        if (shadow_is_over(p->shadow)) finish(s, p);
        break;
    case FREE:
    case LOST: break;
    }
}

/* -- life */

shadowing *shadowing_new(const shadowing_options *options) {
    shadowing *s = mem_zalloc(1, sizeof *s);
    s->options = *options;
    pthread_mutex_init(&s->lock, NULL);
    control_on(options->control, "shadow", on_shadow, s);
    return s;
}

static void doze(void) { nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL); }

void shadowing_end(shadowing *s, pipeline *p) {
    phase now = phase_of(s);
    if (now == LOADING || now == LOADED) {
        while (phase_of(s) == LOADING && steady_ms() - s->loading_ms < HANGS_MS) doze();
        if (phase_of(s) != LOADED) return;
        pthread_join(s->thread, NULL);
        err_free(s->error);
        drop_worker(s);
    }
    pthread_mutex_lock(&s->lock);
    s->shadow = NULL;
    s->phase = LOST;
    pthread_mutex_unlock(&s->lock);
    if (shadow_free(p)) s->has_hung = true;
}

void shadowing_free(shadowing *s) {
    if (!s || s->has_hung || s->phase == LOADING) return; /* a thread still uses it */
    pthread_mutex_destroy(&s->lock);
    mem_free(s->path);
    mem_free(s);
}
