/* DESIGN. Files are looked at ten times a second: their time, size and number in the file system,
 * since editors write by rename, and several files in a row. A change counts once it has stood for
 * one look. After a text that was refused, all Lua files beside the script count: what it required
 * is not known then. */
#include "runtime/cli/reloader.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/cli/reload_asks.h"
#include "runtime/cli/thread.h"
#include "runtime/flow/backfill.h"
#include "runtime/flow/reload.h"
#include "runtime/script/trying.h"

enum { LOOK_MS = 100,
       SLOW_MS = 1000, /* one that loads for longer is told */
       HANGS_MS = 12000,
       ALONE_MS = 2000 /* a script on trial to which no record comes is told */ };

static const uint64_t STAMP_START = 0xcbf29ce484222325u;
static const uint64_t STAMP_MISSING = 0, STAMP_OTHER = 1;

/* A text that was being filled. */
typedef struct filled {
    backfill *refill; /* owned, or NULL */
    worker **workers; /* owned; NULL: none */
    uint32_t count;
} filled;

struct reloader {
    reloader_options options;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    bool ends;
    reload_asks asks;    /* that have not begun */
    uint64_t ask;        /* number of the last one that has */
    uint64_t asked_hash; /* what is loaded, or ready, had to be; 0: whatever it is */
    char **files;        /* of the script that was loaded last; owned */
    uint32_t file_count;
    bool was_refused;      /* the last text */
    uint64_t seen;         /* stamp of the files when they were loaded */
    uint64_t last;         /* stamp at the last look */
    uint64_t running_hash; /* of the script */
    int64_t loading_ms;    /* steady time since which it loads; 0: it does not */
    bool was_slow;         /* which was told */
    char *warned;          /* what is warned of in the text before, lines; owned; its thread's */
    worker **ready;        /* loaded; owned */
    uint32_t ready_count;
    bool is_outdated;       /* another text was saved since it was loaded */
    struct reload *retired; /* to be freed here, where nobody waits; owned */
    filled given_up;        /* likewise */
    bool on_trial;          /* what it became is still to be told; thread: main */
    int64_t taken_ms;       /* steady time since which it is; 0: it was told to wait */
};

static int64_t steady_ms(void) { return clock_steady_ms(&(clock_source){ 0 }); }

/* -- what is watched */

static uint64_t mix(uint64_t stamp, uint64_t value) {
    return (stamp ^ value) * 0x100000001b3u;
}

static uint64_t add_file(uint64_t stamp, const char *path) {
    struct stat s;
    if (stamp == STAMP_MISSING || stat(path, &s)) return STAMP_MISSING;
    stamp = mix(stamp, (uint64_t)s.st_mtim.tv_sec);
    stamp = mix(stamp, (uint64_t)s.st_mtim.tv_nsec);
    stamp = mix(stamp, (uint64_t)s.st_size);
    return mix(stamp, (uint64_t)s.st_ino) | 1;
}

static bool is_lua(const char *name) {
    size_t len = strlen(name);
    return len > 4 && strcmp(name + len - 4, ".lua") == 0;
}

/* In any order: they are summed up. */
static uint64_t stamp_folder(const char *path) {
    const char *slash = strrchr(path, '/');
    char *folder = slash ? mem_copy_text(path, (size_t)(slash - path)) : mem_copy_text(".", 1);
    DIR *listed = opendir(*folder ? folder : "/");
    uint64_t sum = 0;
    buf name = { 0 };
    for (struct dirent *one; listed && (one = readdir(listed));) {
        if (!is_lua(one->d_name)) continue;
        buf_reset(&name);
        buf_printf(&name, "%s/%s", folder, one->d_name);
        sum += add_file(STAMP_START, buf_text(&name));
    }
    if (listed) closedir(listed);
    buf_done(&name);
    mem_free(folder);
    return sum;
}

/* STAMP_MISSING: one is not there, as while an editor writes it. The lock is held. */
static uint64_t stamp_files(const reloader *r) {
    uint64_t stamp = add_file(STAMP_START, r->options.path);
    for (uint32_t i = 0; i < r->file_count; i++) stamp = add_file(stamp, r->files[i]);
    if (r->was_refused && stamp != STAMP_MISSING)
        stamp = mix(stamp, stamp_folder(r->options.path)) | 1;
    return stamp;
}

static void free_files(reloader *r) {
    for (uint32_t i = 0; i < r->file_count; i++) mem_free(r->files[i]);
    mem_free(r->files);
    r->files = NULL;
    r->file_count = 0;
}

static void keep_file(void *arg, const char *path) {
    reloader *r = arg;
    r->files = mem_realloc(r->files, (r->file_count + 1) * sizeof *r->files);
    r->files[r->file_count++] = mem_copy_text(path, strlen(path));
}

/* What is loaded waits to be filled, and another text is there. The lock is held. */
static bool has_changed(reloader *r) {
    uint64_t now = r->asks.count || r->options.watches ? stamp_files(r) : r->seen;
    bool is_still = now == r->last;
    r->last = now;
    return now != STAMP_MISSING && now != r->seen && is_still;
}

/* Whether it is time to load. The lock is held. */
static bool is_due(reloader *r, bool *by_hand) {
    if (r->ready) {
        r->is_outdated |= has_changed(r);
        return false;
    }
    *by_hand = r->asks.count > 0;
    uint64_t now = *by_hand || r->options.watches ? stamp_files(r) : r->seen;
    bool is_still = now == r->last;
    r->last = now;
    if (!*by_hand && (now == STAMP_MISSING || now == r->seen || !is_still)) return false;
    r->seen = now;
    return true;
}

/* -- thread: the reloader's */

static void tell(const reloader *r, reloader_outcome outcome, const char *text, uint64_t hash,
                 uint64_t ask) {
    if (r->options.told) r->options.told(r->options.arg, outcome, text, hash, ask);
}

static void refuse(const reloader *r, const err *e, uint64_t hash, uint64_t ask) {
    log_warn(r->options.log, RELOADER_SAYS_REFUSED, log_text("reason", e->message));
    tell(r, RELOADER_REFUSED, e->message, hash, ask);
}

static void tell_same(const reloader *r) {
    log_write(r->options.log, LOG_INFO, "the script is the one that runs", NULL, 0);
    tell(r, RELOADER_SAME, "nothing has changed", r->running_hash, r->ask);
}

/* What counts as watched depends on the outcome; what was saved meanwhile is a change. The lock is
 * held. */
static void note_outcome(reloader *r, bool is_refused) {
    bool is_still = stamp_files(r) == r->seen;
    r->was_refused = is_refused;
    r->last = stamp_files(r);
    r->seen = is_still ? r->last : STAMP_OTHER;
}

/* Its files are watched from now on. The lock is held. */
static void note_loaded(reloader *r, const script *s) {
    free_files(r);
    script_files(s, keep_file, r);
    r->was_refused = false;
    r->last = stamp_files(r);
    r->seen = script_is_current(s) ? r->last : STAMP_OTHER;
}

/* What was being filled is waited for. A script that is in a call for ever is lost. */
static void free_filled(const filled *f) {
    const sl_plan *plan = f->count ? script_plan(f->workers[0]->script) : NULL;
    if (!backfill_free(f->refill)) f->workers[0]->script = NULL;
    for (uint32_t i = f->count; i > 0; i--) worker_free(f->workers[i - 1], plan);
    mem_free(f->workers);
}

static void free_workers(worker **workers, uint32_t count) {
    free_filled(&(filled){ .workers = workers, .count = count });
}

static bool has_line(const char *text, const char *line, size_t len) {
    for (; text && *text; text += strcspn(text, "\n"), text += *text == '\n')
        if (strcspn(text, "\n") == len && !memcmp(text, line, len)) return true;
    return false;
}

/* What is warned of in this text: what was not before is told, if it `tells`. */
static void note_warnings(reloader *r, script *s, bool tells) {
    const char *text;
    err *e = script_warnings(s, &text);
    if (e) {
        err_free(e);
        return;
    }
    char *all = mem_copy_text(text, strlen(text));
    for (char *at = all; tells && *at;) {
        size_t len = strcspn(at, "\n");
        char *line = mem_copy_text(at, len);
        if (!has_line(r->warned, line, len))
            log_write(r->options.log, LOG_WARN, line, NULL, 0);
        mem_free(line);
        at += len + (at[len] == '\n');
    }
    mem_free(r->warned);
    r->warned = all;
}

/* It must be the text that was looked at. */
static err *load_text(const reloader *r, const char *path, uint64_t hash, worker ***workers,
                      uint32_t *count) {
    err *e = r->options.load(r->options.arg, path, workers, count);
    if (e || !hash || script_plan((*workers)[0]->script)->script_hash == hash) return e;
    free_workers(*workers, *count);
    return err_new(ERR_REFUSED, "%s is another text than the one that was on shadow, it was saved "
                                "since: try that one",
                   path ? path : r->options.path);
}

/* Load it. The lock is held, but not meanwhile. */
static void load(reloader *r, bool by_hand) {
    worker **workers = NULL;
    uint32_t count = 0;
    reload_ask asked = { 0 };
    reload_asks_take(&r->asks, &asked);
    r->asked_hash = asked.hash;
    if (asked.number) r->ask = asked.number;
    r->loading_ms = steady_ms();
    r->was_slow = false;
    pthread_mutex_unlock(&r->lock);
    err *e = load_text(r, asked.path, asked.hash, &workers, &count);
    bool is_other = asked.path != NULL;
    mem_free(asked.path);
    if (!e) note_warnings(r, workers[0]->script, true);
    pthread_mutex_lock(&r->lock);
    r->loading_ms = 0;
    if (e) {
        if (!is_other) note_outcome(r, true);
        if (e->code != ERR_STOPPED) refuse(r, e, r->running_hash, r->ask);
        err_free(e);
        return;
    }
    bool was_refused = r->was_refused;
    if (!is_other) note_loaded(r, workers[0]->script); /* else the script's own are, as before */
    if (script_plan(workers[0]->script)->script_hash == r->running_hash) {
        free_workers(workers, count);
        if (by_hand || was_refused) tell_same(r);
        return;
    }
    r->ready = workers;
    r->ready_count = count;
    r->is_outdated = false;
}

/* Wait for at most LOOK_MS. The lock is held. */
static void doze(reloader *r) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_MS * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&r->wake, &r->lock, &until);
}

static void free_done(reloader *r) {
    struct reload *retired = r->retired;
    filled given_up = r->given_up;
    if (!retired && !given_up.workers) return;
    r->retired = NULL;
    r->given_up = (filled){ 0 };
    pthread_mutex_unlock(&r->lock);
    reload_free(retired);
    if (given_up.workers) free_filled(&given_up);
    mem_release(); /* else many reloads leave holes that nothing fills */
    pthread_mutex_lock(&r->lock);
}

static void *work(void *arg) {
    reloader *r = arg;
    bool by_hand;
    pthread_mutex_lock(&r->lock);
    while (!r->ends) {
        free_done(r);
        if (is_due(r, &by_hand)) load(r, by_hand);
        if (!r->ends && (r->ready || !r->asks.count) && !r->retired && !r->given_up.workers)
            doze(r);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* -- thread: main, but for who asks */

reloader *reloader_new(const reloader_options *options, script *running) {
    reloader *r = mem_zalloc(1, sizeof *r);
    pthread_condattr_t monotonic;
    r->options = *options;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&r->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&r->lock, NULL);
    r->running_hash = script_plan(running)->script_hash;
    note_loaded(r, running);
    note_warnings(r, running, false);
    r->has_thread = thread_start(&r->thread, work, r);
    if (!r->has_thread)
        log_write(options->log, LOG_WARN, "no thread for reloads, the script is not watched",
                  NULL, 0);
    return r;
}

void reloader_ask(reloader *r, const char *words, uint64_t ask) {
    const char *no = !r->has_thread      ? "there was no thread to load scripts in when it began"
                     : reloader_hangs(r) ? "the text before is still being loaded, and does not end"
                                         : NULL;
    pthread_mutex_lock(&r->lock);
    if (!no) reload_asks_add(&r->asks, words, ask);
    uint64_t hash = r->running_hash;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    if (!no) return;
    err *e = err_new(ERR_REFUSED, "%s: stop the pipeline and run it again", no);
    refuse(r, e, hash, ask);
    err_free(e);
}

bool reloader_hangs(reloader *r) {
    if (!r) return false;
    pthread_mutex_lock(&r->lock);
    bool hangs = r->loading_ms && steady_ms() - r->loading_ms >= HANGS_MS;
    pthread_mutex_unlock(&r->lock);
    return hangs;
}

static worker **take_ready(reloader *r, uint32_t *count, bool *is_outdated) {
    pthread_mutex_lock(&r->lock);
    *is_outdated = r->is_outdated;
    worker **workers = r->ready;
    *count = r->ready_count;
    pthread_mutex_unlock(&r->lock);
    return workers;
}

static void swap(reloader *r, pipeline *p, worker **workers, uint32_t count) {
    char *changes = NULL;
    int64_t began_ms = steady_ms();
    err *e = reload_swap(p, workers, count, &changes);
    if (!e) {
        log_info(p->system.log, "the script was reloaded", log_text("changes", changes),
                 log_number("batch", (int64_t)p->batch),
                 log_number("pause_ms", steady_ms() - began_ms));
        r->on_trial = true;
        r->taken_ms = steady_ms();
        tell(r, RELOADER_TAKEN, changes, p->plan->script_hash, r->ask);
    }
    mem_free(changes);
    pthread_mutex_lock(&r->lock);
    mem_free(r->ready);
    r->ready = NULL;
    r->running_hash = p->plan->script_hash;
    if (e) {
        note_outcome(r, true);
        if (e->code != ERR_STOPPED) refuse(r, e, r->running_hash, r->ask);
        err_free(e);
    }
    pthread_mutex_unlock(&r->lock);
}

static bool has_backlog(const pipeline *p) {
    for (uint32_t i = 0; i < p->input_count; i++)
        if (input_backlog(&p->inputs[i])) return true;
    return false;
}

/* Whether the first batch is done. Who waits for it is told where there is nothing to read; where
 * records wait for the trigger it is worth waiting, too. */
static void look_at_trial(reloader *r, const pipeline *p, const char *went_back) {
    if (!r->on_trial) return;
    if (p->trial && r->taken_ms && steady_ms() - r->taken_ms >= ALONE_MS && !has_backlog(p)) {
        r->taken_ms = 0;
        tell(r, RELOADER_WAITS, "", p->plan->script_hash, 0);
    }
    if (p->trial) return;
    r->on_trial = false;
    if (!went_back) tell(r, RELOADER_STAYS, "", p->plan->script_hash, 0);
}

/* Scripts that are done with go to the thread; what became of one on trial is told. */
static void look_back(reloader *r, pipeline *p) {
    struct reload *retired = r->has_thread ? reload_take_retired(p) : NULL;
    char *why = p->went_back;
    look_at_trial(r, p, why);
    if (!retired && !why) return;
    p->went_back = NULL;
    pthread_mutex_lock(&r->lock);
    r->running_hash = p->plan->script_hash;
    if (retired) {
        reload_chain(retired, r->retired);
        r->retired = retired;
    }
    if (why) note_outcome(r, true);
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    if (why) tell(r, RELOADER_BACK, why, p->plan->script_hash, 0);
    mem_free(why);
}

static void tell_slow(reloader *r) {
    pthread_mutex_lock(&r->lock);
    bool tells = r->loading_ms && !r->was_slow && steady_ms() - r->loading_ms >= SLOW_MS;
    r->was_slow |= tells;
    pthread_mutex_unlock(&r->lock);
    if (tells)
        log_write(r->options.log, LOG_INFO, "the changed script is still being loaded", NULL, 0);
}

/* What is loaded, and filled, goes to the thread, which then loads the next. `why`: it is refused;
 * taken; NULL: another text was saved, which counts for who asked for whatever the script is. */
static void give_up(reloader *r, pipeline *p, worker **workers, uint32_t count, err *why) {
    static const char OUTDATED[] = "another text was saved, what was being filled is given up";
    pthread_mutex_lock(&r->lock);
    if (!why && r->asked_hash) why = err_new(ERR_REFUSED, "%s", OUTDATED);
    if (!why) log_write(p->system.log, LOG_INFO, OUTDATED, NULL, 0);
    r->ready = NULL;
    r->given_up = (filled){ .refill = backfill_give_up(p), .workers = workers, .count = count };
    if (why) note_outcome(r, true);
    if (why && why->code != ERR_STOPPED) refuse(r, why, r->running_hash, r->ask);
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    err_free(why);
}

void reloader_tick(reloader *r, pipeline *p) {
    uint32_t count;
    bool is_outdated;
    err *why = NULL;
    if (!r) return;
    tell_slow(r);
    look_back(r, p);
    worker **workers = take_ready(r, &count, &is_outdated);
    if (!workers) return;
    if (p->refill && is_outdated)
        give_up(r, p, workers, count, NULL);
    else if (reload_may_swap(p) && backfill_is_ready(p, workers, count, &why))
        swap(r, p, workers, count);
    else if (why)
        give_up(r, p, workers, count, why);
}

void reloader_free(reloader *r, pipeline *p) {
    if (!r) return;
    if (reloader_hangs(r)) return; /* its thread never ends: the process does */
    pthread_mutex_lock(&r->lock);
    r->ends = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    if (r->has_thread) pthread_join(r->thread, NULL);
    if (r->given_up.workers) free_filled(&r->given_up);
    if (r->ready) free_filled(&(filled){ backfill_give_up(p), r->ready, r->ready_count });
    reload_free(r->retired);
    free_files(r);
    mem_free(r->warned);
    reload_asks_done(&r->asks);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
    mem_free(r);
}
