/* `sluice try`: a sample is taken once, then the script is run over it, with --watch again at every
 * save. Nothing is written or committed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/screen.h"
#include "runtime/cli/stop.h"
#include "runtime/cli/trial.h"
#include "runtime/cli/watch.h"

enum { WIDE = 120, /* columns where it is no terminal */
       LAST = 100000,
       MOST_LAST = 100000000 };

typedef struct trying {
    const args *a;
    logger log;
    clock_source clock;
    outcome_world world;
    int64_t last;
    outcome *before; /* of the last attempt that ran; owned */
    bool is_terminal;
    watch watch;
} trying;

/* A call into Lua that does not come back. thread: the watchdog's. */
static void on_stuck(void *arg, const char *message, bool last) {
    (void)arg;
    fprintf(stderr, "sluice: %s\n", message);
    if (last) command_end_now(1);
}

static void on_taking(void *arg) {
    const trying *t = arg;
    if (t->is_terminal) fprintf(stderr, "taking a sample …\n");
}

static void print(trying *t, const attempt *now) {
    buf out;
    uint32_t lines = 24, columns = WIDE;
    buf_init(&out);
    if (t->is_terminal) {
        screen_size(&(screen){ .fd = 1 }, &lines, &columns);
        if (t->a->watch) buf_put_text(&out, "\033[H\033[2J");
    }
    trial_view view = { .now = now,
                        .before = t->before,
                        .styled = t->is_terminal,
                        .lines = lines,
                        .columns = columns,
                        .now_ms = clock_now_ms(&t->clock) };
    if (t->a->json)
        trial_put_json(&out, now, t->a);
    else
        trial_put(&out, &view);
    if (t->a->watch && !t->a->json) buf_put_text(&out, "\n");
    fwrite(out.data, 1, out.len, stdout);
    fflush(stdout);
    buf_done(&out);
}

static void note_files(trying *t, const attempt *now) {
    for (uint32_t i = 0; i < now->file_count; i++) watch_add(&t->watch, now->files[i]);
    if (now->error) watch_add_folder(&t->watch, t->a->operand);
}

/* One attempt, shown; `code`: what the process would end with. */
static void once(trying *t, int *code) {
    attempt now;
    attempt_options options = {
        .a = t->a,
        .world = &t->world,
        .last = t->last,
        .system = { .pipeline = "sluice-try",
                    .log = &t->log,
                    .clock = &t->clock,
                    .stop = stop_asked() },
        .on_stuck = on_stuck,
        .on_taking = on_taking,
        .arg = t,
    };
    attempt_run(&now, &options);
    print(t, &now);
    note_files(t, &now);
    *code = now.error ? command_code(now.error) : 0;
    if (now.ran) {
        outcome_free(t->before);
        t->before = attempt_take_outcome(&now);
    }
    attempt_close(&now);
}

static err *read_last(const args *a, int64_t *last) {
    char *end;
    *last = LAST;
    if (!a->last) return NULL;
    *last = strtoll(a->last, &end, 10);
    if (!*end && *last > 0 && *last <= MOST_LAST) return NULL;
    return err_new(ERR_USAGE, "--last %s: wanted a number of records from 1 to %d", a->last,
                   MOST_LAST);
}

int command_try(const args *a) {
    trying t = { .a = a, .is_terminal = isatty(1) && !a->json };
    int code = 0;
    err *e = read_last(a, &t.last);
    if (e) return command_failed(e);
    log_init(&t.log, 2, LOG_PLAIN, LOG_ERROR);
    sample_init(&t.world.sample);
    stop_install(command_end_now, "");
    watch_add(&t.watch, a->operand); /* a save during the first attempt counts */
    once(&t, &code);
    while (a->watch && !*stop_asked() && watch_wait(&t.watch, stop_asked())) once(&t, &code);
    if (a->watch) code = 0;
    outcome_free(t.before);
    sample_done(&t.world.sample);
    watch_done(&t.watch);
    log_done(&t.log);
    return code;
}
