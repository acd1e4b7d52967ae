/* DESIGN. Sections are walked in order. An action (batch, tick, ...) first settles the step before
 * it: what came out then and was not expected by a section in between is a failure. So each step's
 * output is held to the file whole, and a step without expectations says that nothing comes out. */
#include "tests/golden/runner/play.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/kit/kit.h"
#include "runtime/flow/closing.h"
#include "runtime/flow/commit.h"
#include "runtime/flow/keeper.h"
#include "tests/golden/runner/attribute.h"
#include "tests/golden/runner/tally.h"
#include "tests/golden/runner/text.h"

enum { MOST_STEPS = 100000,
       MOST_SHOWN = 40 };

typedef struct play {
    story *s;
    const story_case *c;
    const play_options *options;
    world world;
    logger log;
    volatile int stop;
    buf script;
    char **sets; /* owned */
    uint32_t set_count;
    pipeline p;
    uint32_t workers;
    tally past;           /* of the runs before */
    const char *crash_at; /* step at which the next batch dies; NULL: it does not */
    uint32_t crashes;     /* with --crashes: how many there were */
    bool keeps;           /* state outlives a run */
    uint32_t closes;      /* as the options or the case say */
    bool spreads;         /* as the options say: closes are done in one step */
    bool beside;          /* commits have a thread */
    bool plans_ahead;     /* a batch that died is done as it was planned */
    bool may_end;         /* runs end as the options say */
    bool may_die;         /* likewise, in a batch */
    bool has_lost;        /* counters of a batch, with a process that died behind its commit */
    bool is_between;      /* the process has done no batch yet: who is idle is not known */
    bool can_rerun;       /* the step was a batch, and others may follow */
    size_t prelude_len;   /* of the script */
    uint32_t steps;       /* since the last restart */
    bool opened;          /* tried to */
    bool running;         /* opened with success */
    err *error;           /* of the step, not yet expected */
    bool *expected;       /* by sink: a section compared it in this step */
    uint32_t step_line, insert_at;
    uint32_t failures;
} play;

typedef struct lines {
    buf *items; /* owned */
    uint32_t count;
} lines;

static void lines_add(lines *l, buf line) {
    l->items = mem_realloc(l->items, (l->count + 1) * sizeof *l->items);
    l->items[l->count++] = line;
}

static void lines_done(lines *l) {
    for (uint32_t i = 0; i < l->count; i++) buf_done(&l->items[i]);
    mem_free(l->items);
}

static void fail(play *p, uint32_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void fail(play *p, uint32_t line, const char *format, ...) {
    va_list args;
    p->failures++;
    printf("%s:%u: ", p->s->path, line);
    if (*p->c->name) printf("[%s] ", p->c->name);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

/* ---- the pipeline */

/* Scripts keep the line numbers of the golden file: messages point into it. */
static void add_script(play *p, const section *sec) {
    uint32_t line = 1;
    for (size_t i = 0; i < p->script.len; i++) line += p->script.data[i] == '\n';
    for (; line <= sec->first; line++) buf_put_char(&p->script, '\n');
    for (uint32_t i = sec->first; i < sec->end; i++) buf_printf(&p->script, "%s\n", p->s->lines[i]);
}

static const char *script_name(const play *p) {
    const char *slash = strrchr(p->s->path, '/');
    return slash ? slash + 1 : p->s->path;
}

/* batch_step: the batch dies where it was told to. */
static err *die(void *arg, const char *step) {
    play *p = arg;
    if (!p->crash_at || strcmp(p->crash_at, step) != 0) return NULL;
    return err_new(ERR_CRASHED, "died at `%s`", step);
}

typedef err *with_script(play *p, const kit_options *options);

/* Open the pipeline, or reload it, with the case's script. */
static err *with_options(play *p, with_script *act) {
    script_options of_script = {
        .path = script_name(p),
        .text = buf_text(&p->script),
        .text_len = p->script.len,
        .overrides = (const char *const *)p->sets,
        .override_count = p->set_count,
        .library = getenv("SLUICE_LUA"),
        .stop = &p->stop,
        .jit_off = p->options->jit_off,
        .log = &p->log,
    };
    kit_options options = {
        .script = &of_script,
        .stop = &p->stop,
        .log = &p->log,
        .workers = p->workers,
        .keeps = p->keeps,
        .plans_ahead = p->plans_ahead,
        .beside = p->beside,
        .closes = p->closes,
        .on_step = die,
        .on_step_arg = p,
    };
    return act(p, &options);
}

static err *open_with(play *p, const kit_options *options) {
    return kit_open(&p->p, &p->world, options);
}

static err *reload_with(play *p, const kit_options *options) { return kit_reload(&p->p, options); }

static void open_run(play *p) {
    p->opened = true;
    p->error = with_options(p, open_with);
    if (p->error) return;
    p->running = true;
    if (!p->expected) p->expected = mem_zalloc(p->world.sink_count + 1, sizeof *p->expected);
}

static void open_pipeline(play *p) {
    if (!p->opened) open_run(p);
}

/* The pipeline goes, another one goes on from what it kept. */
static void reopen(play *p) {
    tally_add(&p->past, &p->p);
    kit_close(&p->p, NULL);
    p->running = false;
    p->steps = 0;
    open_run(p);
}

static void close_play(play *p) {
    kit_close(&p->p, NULL);
    mem_free(p->expected);
    tally_done(&p->past);
    for (uint32_t i = 0; i < p->set_count; i++) mem_free(p->sets[i]);
    mem_free(p->sets);
    buf_done(&p->script);
    err_free(p->error);
    world_done(&p->world);
    log_done(&p->log);
    if (p->log.fd > 2) close(p->log.fd);
}

/* ---- comparing */

/* The section's lines; `*TIMES LINE` stands for so many. */
static lines expected_lines(const play *p, const section *sec) {
    lines out = { 0 };
    for (uint32_t i = sec->first; i < sec->end; i++) {
        const char *text = p->s->lines[i];
        char *rest;
        long times = 1;
        if (!*text || *text == '#') continue;
        if (*text == '*' && (times = strtol(text + 1, &rest, 10)) > 0 && *rest == ' ')
            text = rest + 1;
        else
            times = 1;
        for (long k = 0; k < times; k++) {
            buf line;
            buf_init(&line);
            text_expand(&line, text);
            lines_add(&out, line);
        }
    }
    return out;
}

/* Rows byte by byte; header lines and messages may hold `…`, a header line of it alone any number
 * of them. */
static bool line_equals(buf *wanted, buf *got, bool loose) {
    const char *w = buf_text(wanted), *g = buf_text(got);
    return loose || strncmp(w, "  ", 2) == 0 ? text_matches(w, g) : strcmp(w, g) == 0;
}

static bool is_any_headers(buf *line) { return strcmp(buf_text(line), "  …") == 0; }

static bool equal_from(lines *wanted, uint32_t w, lines *got, uint32_t g, bool loose) {
    for (; w < wanted->count; w++, g++) {
        if (is_any_headers(&wanted->items[w])) {
            do {
                if (equal_from(wanted, w + 1, got, g, loose)) return true;
            } while (g < got->count && strncmp(buf_text(&got->items[g++]), "  ", 2) == 0);
            return false;
        }
        if (g == got->count || !line_equals(&wanted->items[w], &got->items[g], loose)) return false;
    }
    return g == got->count;
}

static void print_some(const char *mark, lines *l, uint32_t first, uint32_t end) {
    for (uint32_t i = first; i < end && i < first + MOST_SHOWN; i++)
        printf("    %s %.600s\n", mark, buf_text(&l->items[i]));
    if (end > first + MOST_SHOWN) printf("    %s ... %u lines\n", mark, end - first);
}

static void print_diff(lines *wanted, lines *got, bool loose) {
    uint32_t same = 0, tail = 0, least = wanted->count < got->count ? wanted->count : got->count;
    while (same < least && line_equals(&wanted->items[same], &got->items[same], loose)) same++;
    while (tail < least - same && line_equals(&wanted->items[wanted->count - 1 - tail],
                                              &got->items[got->count - 1 - tail], loose)) tail++;
    print_some("-", wanted, same, wanted->count - tail);
    print_some("+", got, same, got->count - tail);
}

static void update(play *p, uint32_t first, uint32_t end, const char *title, const lines *got) {
    buf text;
    buf_init(&text);
    if (title) buf_printf(&text, "--- %s\n", title);
    for (uint32_t i = 0; i < got->count; i++) buf_printf(&text, "%s\n", buf_text(&got->items[i]));
    story_edit_lines(p->s, first, end, buf_text(&text));
    buf_done(&text);
}

/* A process that died behind its commit leaves another one that has judged nobody yet. */
static void cut_verdicts(lines *l) {
    for (uint32_t i = 0; i < l->count; i++) {
        char *text = mem_copy_text(buf_text(&l->items[i]), l->items[i].len);
        char *end = strstr(text, " idle=");
        if (!end) end = strstr(text, " slowest=");
        if (end) *end = '\0';
        buf_reset(&l->items[i]);
        buf_put_text(&l->items[i], text);
        mem_free(text);
    }
}

/* With --close there are more batches. */
static void cut_run(lines *l) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < l->count; i++) {
        if (strncmp(buf_text(&l->items[i]), "run:", 4) == 0)
            buf_done(&l->items[i]);
        else
            l->items[kept++] = l->items[i];
    }
    l->count = kept;
}

/* Hold `got` to a section. */
static void compare(play *p, const section *sec, lines *got, bool loose) {
    lines wanted = expected_lines(p, sec);
    if (p->is_between && strcmp(sec->title, "watermark") == 0) {
        cut_verdicts(&wanted);
        cut_verdicts(got);
    }
    if (p->spreads && strcmp(sec->title, "counters") == 0) {
        cut_run(&wanted);
        cut_run(got);
    }
    if (!equal_from(&wanted, 0, got, 0, loose)) {
        fail(p, sec->line, "--- %s%s%s differs (- wanted, + got):", sec->title,
             *sec->words ? " " : "", sec->words);
        print_diff(&wanted, got, loose);
        if (p->options->update) update(p, sec->first, sec->end, NULL, got);
    }
    lines_done(&wanted);
}

static void add_text(lines *l, const char *name, const char *text, uint32_t len) {
    buf line;
    buf_init(&line);
    buf_printf(&line, "  %s: ", name);
    text_put(&line, text, len);
    lines_add(l, line);
}

/* Where options of the sink want a message, as headers that no record can have. */
static void add_destination(lines *l, const world_record *m) {
    char number[16];
    if (m->to_topic) add_text(l, "(topic)", m->to_topic, m->to_topic_len);
    if (m->place) add_text(l, "(place)", m->place, m->place_len);
    if (m->partition < 0) return;
    snprintf(number, sizeof number, "%d", m->partition);
    add_text(l, "(partition)", number, (uint32_t)strlen(number));
}

/* One message as the lines `KEY => VALUE` and, indented, its headers. */
static void add_message(lines *l, const world_record *m) {
    buf line;
    buf_init(&line);
    text_put(&line, m->key, m->key_len);
    buf_put_text(&line, " => ");
    text_put(&line, m->value, m->value_len);
    lines_add(l, line);
    add_destination(l, m);
    for (uint32_t h = 0; h < m->header_count; h++) {
        buf_init(&line);
        buf_put_text(&line, "  ");
        text_put(&line, m->headers[h].name.data, m->headers[h].name.len);
        buf_put_text(&line, ": ");
        text_put(&line, m->headers[h].value.data, m->headers[h].value.len);
        lines_add(l, line);
    }
}

static lines sink_lines(const world_sink *s) {
    lines made = { 0 };
    for (uint32_t i = 0; i < s->count; i++) add_message(&made, &s->messages[i]);
    return made;
}

static void check_law(play *p) {
    for (uint32_t i = 0; i < p->p.input_count; i++) {
        const source_counters *c = &p->p.inputs[i].counters;
        uint64_t sum =
            c->passed + c->filtered + c->duplicate + c->late + c->quarantined + c->skipped;
        if (sum == c->read) continue;
        fail(p, p->step_line,
             "source %.*s: counters add up to %" PRIu64 ", but %" PRIu64 " records were read",
             (int)p->p.inputs[i].plan->name.len, p->p.inputs[i].plan->name.data, sum, c->read);
    }
    for (uint32_t i = 0; i < p->world.sink_count; i++) {
        if (p->p.out.sinks[i].counters.rows != p->world.sinks[i]->kept)
            fail(p, p->step_line, "sink %s: counts %" PRIu64 " rows, but got %" PRIu64,
                 p->world.sinks[i]->name, p->p.out.sinks[i].counters.rows,
                 p->world.sinks[i]->kept);
    }
}

static void settle_sink(play *p, uint32_t i) {
    world_sink *s = p->world.sinks[i];
    if (!p->expected[i] && s->count) {
        lines none = { 0 }, got = sink_lines(s);
        char title[300];
        snprintf(title, sizeof title, "expect %.200s", s->name);
        fail(p, p->step_line, "%s: nothing was expected, but got:", title);
        print_diff(&none, &got, false);
        if (p->options->update) update(p, p->insert_at, p->insert_at, title, &got);
        lines_done(&got);
    }
    world_forget(s);
    p->expected[i] = false;
}

/* The step's expectations are over. */
static void settle(play *p) {
    for (uint32_t i = 0; p->expected && i < p->world.sink_count; i++) settle_sink(p, i);
    if (!p->error) return;
    fail(p, p->step_line, "failed: %s", p->error->message);
    if (p->options->update) {
        lines got = { 0 };
        buf line;
        buf_init(&line);
        text_put(&line, p->error->message, strlen(p->error->message));
        lines_add(&got, line);
        update(p, p->insert_at, p->insert_at, "error", &got);
        lines_done(&got);
    }
    err_free(p->error);
    p->error = NULL;
}

/* ---- expectations */

static int32_t find_sink(const play *p, const char *name) {
    int32_t only = -1;
    for (uint32_t i = 0; i < p->world.sink_count; i++) {
        const sl_sink *plan = p->world.sinks[i]->plan;
        if (*name && strlen(name) == plan->name.len &&
            !memcmp(name, plan->name.data, plan->name.len))
            return (int32_t)i;
        if (!*name && !plan->is_side) {
            if (only >= 0) return -1;
            only = (int32_t)i;
        }
    }
    return *name ? -1 : only;
}

static int32_t side_sink(const play *p, const section *sec) {
    if (*sec->words) return find_sink(p, sec->words);
    if (strcmp(sec->title, "quarantine") == 0) return p->p.plan->sources[0].quarantine;
    return p->p.plan->aggregate_count ? p->p.plan->aggregates[0].late : -1;
}

static void expect_rows(play *p, const section *sec) {
    if (!p->running) {
        fail(p, sec->line, "--- %s before any step", sec->title);
        return;
    }
    int32_t i = strcmp(sec->title, "expect") == 0 ? find_sink(p, sec->words) : side_sink(p, sec);
    if (i < 0) {
        fail(p, sec->line, "--- %s %s: no such sink, or several", sec->title, sec->words);
        return;
    }
    lines got = sink_lines(p->world.sinks[i]);
    compare(p, sec, &got, false);
    lines_done(&got);
    p->expected[i] = true;
}

static void expect_error(play *p, const section *sec) {
    lines got = { 0 };
    buf line;
    buf_init(&line);
    if (p->error)
        text_put(&line, p->error->message, strlen(p->error->message));
    else
        buf_put_text(&line, "(no error)");
    lines_add(&got, line);
    compare(p, sec, &got, true);
    lines_done(&got);
    err_free(p->error);
    p->error = NULL;
}

static void put_count(buf *out, const char *name, uint64_t number) {
    if (number) buf_printf(out, " %s=%" PRIu64, name, number);
}

static void put_source_counters(buf *out, const play *p, uint32_t i) {
    const sl_string *name = &p->p.inputs[i].plan->name;
    source_counters c = tally_source(&p->past, &p->p, i);
    buf_printf(out, "%.*s:", (int)name->len, name->data);
    put_count(out, "read", c.read);
    put_count(out, "passed", c.passed);
    put_count(out, "filtered", c.filtered);
    put_count(out, "duplicate", c.duplicate);
    put_count(out, "late", c.late);
    put_count(out, "quarantined", c.quarantined);
    put_count(out, "skipped", c.skipped);
    put_count(out, "late_windows", c.late_windows);
}

static lines counter_lines(play *p) {
    lines out = { 0 };
    buf line;
    for (uint32_t i = 0; i < p->p.input_count; i++) {
        buf_init(&line);
        put_source_counters(&line, p, i);
        lines_add(&out, line);
    }
    for (uint32_t i = 0; i < p->p.out.count; i++) {
        const sl_string *name = &p->p.out.sinks[i].plan->name;
        sink_counters c = tally_sink(&p->past, &p->p, i);
        buf_init(&line);
        buf_printf(&line, "%.*s:", (int)name->len, name->data);
        put_count(&line, "rows", c.rows);
        put_count(&line, "retracted", c.retracted);
        put_count(&line, "refused", c.refused);
        lines_add(&out, line);
    }
    run_counters run = tally_run(&p->past, &p->p);
    buf_init(&line);
    buf_put_text(&line, "run:");
    put_count(&line, "batches", run.batches);
    put_count(&line, "empty", run.empty_batches);
    put_count(&line, "overran", run.overran);
    put_count(&line, "nulled", run.nulled_numbers);
    lines_add(&out, line);
    return out;
}

static void put_watermark(buf *out, int64_t time_ms) {
    if (time_ms == WATERMARK_NONE)
        buf_put_text(out, " none");
    else if (time_ms == WATERMARK_ENDED)
        buf_put_text(out, " ended");
    else
        buf_printf(out, " %" PRId64, time_ms);
}

static void put_source_watermark(buf *out, const input *in) {
    const watermark_source *wm = &in->watermark;
    int64_t slowest = watermark_slowest(wm);
    bool any = false;
    buf_printf(out, "%.*s:", (int)in->plan->name.len, in->plan->name.data);
    put_watermark(out, wm->time);
    for (uint32_t i = 0; i < wm->count; i++) {
        if (!wm->partitions[i].is_idle) continue;
        buf_printf(out, "%s%s/%d", any ? "," : " idle=", in->partitions[i].topic,
                   in->partitions[i].number);
        any = true;
    }
    if (slowest >= 0)
        buf_printf(out, " slowest=%s/%d", in->partitions[slowest].topic,
                   in->partitions[slowest].number);
}

static lines watermark_lines(play *p) {
    lines out = { 0 };
    buf line;
    for (uint32_t i = 0; i < p->p.input_count; i++) {
        buf_init(&line);
        put_source_watermark(&line, &p->p.inputs[i]);
        lines_add(&out, line);
    }
    for (uint32_t i = 0; i < p->p.plan->aggregate_count; i++) {
        const sl_string *name = &p->p.plan->aggregates[i].name;
        buf_init(&line);
        buf_printf(&line, "%.*s:", (int)name->len, name->data);
        put_watermark(&line, p->p.stages.aggregates[i].watermark);
        lines_add(&out, line);
    }
    return out;
}

/* Only the lines that the section names are compared: `NAME: …`. */
static void expect_named(play *p, const section *sec, lines all) {
    lines wanted = expected_lines(p, sec), got = { 0 };
    for (uint32_t w = 0; w < wanted.count; w++) {
        const char *line = buf_text(&wanted.items[w]), *colon = strchr(line, ':');
        size_t len = colon ? (size_t)(colon - line) + 1 : strlen(line);
        for (uint32_t i = 0; i < all.count; i++)
            if (strncmp(buf_text(&all.items[i]), line, len) == 0) {
                lines_add(&got, all.items[i]);
                buf_init(&all.items[i]);
            }
    }
    compare(p, sec, &got, false);
    lines_done(&wanted);
    lines_done(&got);
    lines_done(&all);
}

/* ---- actions */

/* `[*TIMES] [TOPIC]/PARTITION [ATTRIBUTE…] VALUE`; without a place: the first topic's partition 0.
 */
static bool feed_line(play *p, const char *line) {
    world_record r = { .offset = -1 };
    char place[256] = "/0";
    buf scratch, value;
    long times = 1;
    bool ok = true;
    buf_init(&scratch);
    buf_init(&value);
    for (;;) {
        size_t len = strcspn(line, " ");
        const char *slash = memchr(line, '/', len);
        if (*line == '*')
            times = strtol(line + 1, NULL, 10);
        else if (slash && len < sizeof place && *line != '{' && *line != '"' &&
                 !memchr(line, '=', len))
            snprintf(place, sizeof place, "%.*s", (int)len, line);
        else if (!attribute_take(&r, line, len, &scratch))
            break;
        line += len;
        line += strspn(line, " ");
    }
    if (*line == '=' && line[1] == ' ') line += 2;
    world_partition *to = world_find(&p->world, place);
    if (strcmp(line, "~") != 0) {
        ok = text_parse(&value, line, strlen(line));
        r.value = mem_copy_text(value.len ? value.data : "", value.len);
        r.value_len = (uint32_t)value.len;
    }
    for (long i = 0; ok && to && i < times; i++) world_append(to, &r);
    world_record_done(&r);
    buf_done(&scratch);
    buf_done(&value);
    return ok && to;
}

static void feed(play *p, const section *sec) {
    if (p->opened && !p->running) return; /* said already */
    for (uint32_t i = sec->first; i < sec->end; i++) {
        const char *line = p->s->lines[i];
        if (!*line || *line == '#') continue;
        if (!feed_line(p, line)) fail(p, i + 1, "no such partition, or a wrong escape: %s", line);
    }
}

static const char *action_name(trigger_action action) {
    if (action == TRIGGER_RUN) return "a batch ran";
    return action == TRIGGER_WAIT ? "no batch ran" : "the run is over";
}

static void check_until(play *p, const section *sec, int64_t until_ms) {
    int64_t wanted;
    if (!*sec->words) return;
    if (strcmp(sec->words, "until data") == 0) {
        if (until_ms != INT64_MAX)
            fail(p, sec->line, "waits until %" PRId64 ", wanted: for data", until_ms);
        return;
    }
    if (strncmp(sec->words, "until ", 6) != 0 || !text_span(sec->words + 6, &wanted)) {
        fail(p, sec->line, "--- quiet [until TIME|data]");
        return;
    }
    if (until_ms != wanted)
        fail(p, sec->line, "waits until %" PRId64 ", wanted %" PRId64, until_ms, wanted);
}

/* The process died in a batch: another one goes on; what was committed is done. */
static err *go_on(play *p, trigger_verdict *verdict) {
    bool is_done = strcmp(p->crash_at, "committed") == 0 || strcmp(p->crash_at, "applied") == 0;
    p->crash_at = NULL;
    reopen(p);
    err *e = p->error;
    p->error = NULL;
    if (e) return e;
    verdict->action = TRIGGER_RUN;
    p->is_between = is_done;
    p->has_lost |= is_done;
    return is_done ? NULL : pipeline_step(&p->p, verdict);
}

/* With --crashes: the step at which this batch dies. */
static void choose_crash(play *p) {
    if (!p->options->crashes || !p->may_die || p->crash_at) return;
    uint32_t count = 0;
    while (keeper_steps[count]) count++;
    p->crash_at = keeper_steps[(p->options->crashes - 1 + p->crashes++) % count];
}

static err *step_once(play *p, trigger_verdict *verdict) {
    choose_crash(p);
    p->is_between = false;
    err *e = pipeline_step(&p->p, verdict);
    if (e && e->code == ERR_CRASHED) {
        err_free(e);
        e = go_on(p, verdict);
    }
    if (p->options->crashes) p->crash_at = NULL; /* nothing ran */
    return e;
}

/* With --restarts: what comes next is another run's. */
static void rerun(play *p) {
    if (!p->can_rerun) return;
    p->can_rerun = false;
    if (p->options->reloads) p->error = with_options(p, reload_with);
    if (!p->options->restarts || !p->may_end || ++p->steps < p->options->restarts) return;
    p->workers = p->workers == 1 ? p->options->workers : 1;
    reopen(p);
}

/* With --close: what the batch closed comes out whole in its step. */
static void finish_close(play *p) {
    trigger_verdict verdict;
    while (p->spreads && p->running && !p->error && closing_is_open(&p->p)) {
        p->can_rerun = true;
        rerun(p);
        if (!p->error) p->error = step_once(p, &verdict);
    }
}

/* With --beside: what goes on is over. */
static void await_commit(play *p) {
    p->error = commit_settle_before(&p->p, p->error);
    if (!p->error) check_law(p);
}

static void step(play *p, const section *sec, trigger_action wanted) {
    trigger_verdict verdict = { 0 };
    if (!p->running) return;
    p->error = step_once(p, &verdict);
    finish_close(p);
    if (!p->error && verdict.action != wanted) {
        fail(p, sec->line, "--- %s: %s", sec->title, action_name(verdict.action));
    } else if (!p->error && wanted == TRIGGER_WAIT) {
        check_until(p, sec, verdict.until_ms);
    } else if (!p->error && wanted == TRIGGER_DONE) {
        p->error = pipeline_finish(&p->p);
    }
    await_commit(p);
    p->can_rerun = !p->error && wanted == TRIGGER_RUN;
    if (!p->error && p->crash_at)
        fail(p, sec->line, "--- %s: no batch came to the step `%s`", sec->title, p->crash_at);
}

/* Step until there is nothing to do. */
static void run(play *p) {
    trigger_verdict verdict = { .action = TRIGGER_RUN };
    for (uint32_t i = 0; p->running && !p->error && verdict.action == TRIGGER_RUN && i < MOST_STEPS;
         i++) {
        p->error = step_once(p, &verdict);
        finish_close(p);
        if (!p->error && !commit_is_beside(&p->p)) check_law(p);
    }
    p->can_rerun = !p->error && verdict.action == TRIGGER_WAIT;
    if (p->running && !p->error && verdict.action == TRIGGER_DONE)
        p->error = pipeline_finish(&p->p);
    if (p->running) await_commit(p);
}

typedef void action(play *p, const section *sec);

static void act_batch(play *p, const section *sec) {
    open_pipeline(p);
    feed(p, sec);
    step(p, sec, TRIGGER_RUN);
}

static void act_tick(play *p, const section *sec) {
    open_pipeline(p);
    step(p, sec, TRIGGER_RUN);
}

static void act_quiet(play *p, const section *sec) {
    open_pipeline(p);
    feed(p, sec);
    step(p, sec, TRIGGER_WAIT);
}

static void act_done(play *p, const section *sec) {
    open_pipeline(p);
    step(p, sec, TRIGGER_DONE);
}

static void act_run(play *p, const section *sec) {
    open_pipeline(p);
    feed(p, sec);
    run(p);
}

static void act_open(play *p, const section *sec) {
    (void)sec;
    open_pipeline(p);
}

static void act_set(play *p, const section *sec) {
    p->sets = mem_realloc(p->sets, (p->set_count + 1) * sizeof *p->sets);
    p->sets[p->set_count++] = mem_copy_text(sec->words, strlen(sec->words));
}

static void act_topic(play *p, const section *sec) {
    char name[256];
    unsigned partitions;
    if (sscanf(sec->words, "%255s %u", name, &partitions) == 2)
        world_topic_of(&p->world, name, partitions);
    else
        fail(p, sec->line, "--- topic NAME PARTITIONS");
}

static void act_clock(play *p, const section *sec) {
    int64_t ms;
    if (!text_span(sec->words, &ms))
        fail(p, sec->line, "--- %s TIME", sec->title);
    else if (strcmp(sec->title, "clock") == 0)
        p->world.clock.manual_ms = ms;
    else if (strcmp(sec->title, "takes") == 0)
        p->world.takes_ms = ms;
    else
        clock_advance(&p->world.clock, ms);
}

/* Something happens to a partition. */
static void act_partition(play *p, const section *sec) {
    world_partition *to = world_find(&p->world, sec->words);
    if (!to)
        fail(p, sec->line, "--- %s TOPIC/PARTITION", sec->title);
    else if (strcmp(sec->title, "silent") == 0)
        to->silent = true;
    else if (strcmp(sec->title, "answers") == 0)
        to->silent = false;
    else if (strcmp(sec->title, "transaction") == 0) {
        to->in_transaction = true;
        to->stable = to->next;
    } else if (strcmp(sec->title, "commit") == 0) {
        to->in_transaction = false;
        to->next++; /* its marker */
    } else if (strcmp(sec->title, "marker") == 0)
        to->next++;
    else
        to->ended = true;
}

static void act_refuse(play *p, const section *sec) {
    mem_free(p->world.refused);
    p->world.refused = mem_copy_text(sec->words, strlen(sec->words));
}

static void act_broken(play *p, const section *sec) {
    p->world.has_failing_sink = strcmp(sec->title, "broken-sink") == 0;
}

/* `restart [WORKERS]`: the pipeline stops between two batches, and another one goes on. */
static void act_restart(play *p, const section *sec) {
    open_pipeline(p);
    if (*sec->words) p->workers = (uint32_t)strtoul(sec->words, NULL, 10);
    if (!p->workers || p->workers > 64)
        fail(p, sec->line, "--- restart [WORKERS], 1 to 64");
    else if (p->running)
        reopen(p);
}

/* The step that the section names; NULL: there is none (said). */
static const char *step_named(play *p, const section *sec) {
    for (uint32_t i = 0; keeper_steps[i]; i++)
        if (strcmp(keeper_steps[i], sec->words) == 0) return keeper_steps[i];
    fail(p, sec->line, "--- %s STEP, one of keeper_steps", sec->title);
    return NULL;
}

static void act_crash(play *p, const section *sec) { p->crash_at = step_named(p, sec); }

/* `die STEP`: its records are appended, a batch dies; the pipeline is opened again, no more. */
static void act_die(play *p, const section *sec) {
    trigger_verdict verdict;
    open_pipeline(p);
    feed(p, sec);
    p->crash_at = step_named(p, sec);
    if (!p->running || !p->crash_at) return;
    err *e = pipeline_step(&p->p, &verdict);
    if (!e || e->code != ERR_CRASHED)
        fail(p, sec->line, "--- die %s: no batch came there", sec->words);
    err_free(e);
    p->crash_at = NULL;
    reopen(p);
}

/* `close GROUPS`, before the first step: of windows that close, so many groups a batch. */
static void act_close(play *p, const section *sec) {
    if (!p->closes) p->closes = (uint32_t)strtoul(sec->words, NULL, 10);
    if (!p->closes) fail(p, sec->line, "--- close GROUPS");
}

/* Before the first step. */
static void act_planned(play *p, const section *sec) {
    (void)sec;
    p->plans_ahead = true;
}

/* Says why the case means something else when the process is another one. */
static void act_opt_out(play *p, const section *sec) {
    if (!*sec->words) fail(p, sec->line, "--- %s WHY", sec->title);
}

static void act_script(play *p, const section *sec) {
    add_script(p, sec);
    if (!strcmp(sec->title, "prelude")) p->prelude_len = p->script.len;
}

/* What `reload` and `restart` go on with: the prelude stays. */
static void act_changed(play *p, const section *sec) {
    p->script.len = p->prelude_len;
    add_script(p, sec);
}

/* `reload`: the script takes over between two batches. */
static void act_reload(play *p, const section *sec) {
    (void)sec;
    open_pipeline(p);
    if (p->running) p->error = with_options(p, reload_with);
}

static void act_feed(play *p, const section *sec) { feed(p, sec); }

static const struct {
    const char *title;
    action *act;
    bool is_step;
} actions[] = {
    { "prelude", act_script, false },
    { "script", act_script, false },
    { "changed", act_changed, false },
    { "set", act_set, false },
    { "in-one-run", act_opt_out, false },
    { "no-crashes", act_opt_out, false },
    { "no-plans", act_opt_out, false },
    { "no-spread", act_opt_out, false },
    { "topic", act_topic, false },
    { "clock", act_clock, false },
    { "advance", act_clock, false },
    { "takes", act_clock, false },
    { "silent", act_partition, false },
    { "answers", act_partition, false },
    { "transaction", act_partition, false },
    { "commit", act_partition, false },
    { "marker", act_partition, false },
    { "end", act_partition, false },
    { "refuse", act_refuse, false },
    { "broken-sink", act_broken, false },
    { "mended-sink", act_broken, false },
    { "feed", act_feed, false },
    { "crash", act_crash, false },
    { "close", act_close, false },
    { "planned", act_planned, false },
    { "restart", act_restart, true },
    { "reload", act_reload, true },
    { "die", act_die, true },
    { "open", act_open, true },
    { "batch", act_batch, true },
    { "tick", act_tick, true },
    { "quiet", act_quiet, true },
    { "done", act_done, true },
    { "run", act_run, true },
};

static bool play_expectation(play *p, const section *sec) {
    static const char *const rows[] = { "expect", "late", "quarantine" };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(sec->title, rows[i]) != 0) continue;
        expect_rows(p, sec);
        return true;
    }
    if (strcmp(sec->title, "error") == 0) {
        open_pipeline(p);
        expect_error(p, sec);
    } else if (strcmp(sec->title, "counters") == 0 && p->running) {
        /* those of a batch that was committed, and died then, are lost */
        if (!p->has_lost) expect_named(p, sec, counter_lines(p));
    } else if (strcmp(sec->title, "watermark") == 0 && p->running) {
        expect_named(p, sec, watermark_lines(p));
    } else {
        return false;
    }
    return true;
}

static void play_section(play *p, const section *sec) {
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(sec->title, actions[i].title) != 0) continue;
        settle(p);
        rerun(p);
        if (actions[i].is_step) p->step_line = sec->line;
        actions[i].act(p, sec);
        p->insert_at = sec->end;
        return;
    }
    if (!play_expectation(p, sec))
        fail(p, sec->line, "--- %s: unknown, or before any step", sec->title);
    p->insert_at = sec->end;
}

static bool has_section(const play *p, const char *title) {
    const section *all = p->s->sections;
    for (uint32_t i = 0; i < p->s->prelude_end; i++)
        if (strcmp(all[i].title, title) == 0) return true;
    for (uint32_t i = p->c->first; i < p->c->end; i++)
        if (strcmp(all[i].title, title) == 0) return true;
    return false;
}

bool play_case(story *s, const story_case *c, const play_options *options) {
    play p = { .s = s, .c = c, .options = options, .step_line = c->line };
    p.workers = options->workers;
    p.may_end = (options->restarts || options->crashes) && !has_section(&p, "in-one-run");
    p.may_die = p.may_end && !has_section(&p, "no-crashes");
    p.plans_ahead = options->plans_ahead && !has_section(&p, "no-plans");
    p.spreads = options->closes && !has_section(&p, "no-spread");
    p.closes = p.spreads ? options->closes : 0;
    p.keeps = p.may_end || has_section(&p, "die") || has_section(&p, "restart");
    p.keeps |= has_section(&p, "crash");
    bool dies = options->crashes || has_section(&p, "die") || has_section(&p, "crash");
    p.beside = options->beside && !dies && !has_section(&p, "in-one-run");
    p.keeps |= p.beside;
    world_init(&p.world);
    buf_init(&p.script);
    log_init(&p.log, open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_LOGFMT, LOG_ERROR);
    for (uint32_t i = 0; i < s->prelude_end; i++) play_section(&p, &s->sections[i]);
    for (uint32_t i = c->first; i < c->end; i++) play_section(&p, &s->sections[i]);
    if (!p.opened) fail(&p, c->line, "the case has no step");
    settle(&p);
    close_play(&p);
    return !p.failures;
}
