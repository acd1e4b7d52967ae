#include "runtime/cli/live.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/json_text.h"
#include "runtime/base/mem.h"
#include "runtime/cli/report.h"
#include "runtime/cli/stop.h"

enum {
    EVENTS = 8,        /* errors, and reloads, that are told */
    EVENT_BYTES = 400, /* of the text of one */
    PUBLISH_MS = 1000, /* between two times without being asked */
    PATIENCE_MS = 300, /* for main to come by, for one who asks */
};

/* Something that happened. */
typedef struct event {
    int64_t at_ms; /* Unix ms; 0: nothing did */
    const char *verdict;
    char text[EVENT_BYTES];
} event;

typedef struct events {
    event items[EVENTS]; /* a ring */
    uint32_t next;
    uint64_t count; /* in all */
} events;

/* Who asked for a reload. */
typedef struct asker {
    uint64_t request, number;
    char *words;   /* what was asked with it; owned; NULL: main has taken it */
    bool on_trial; /* it is what has taken over, and is not certain yet */
} asker;

struct live {
    live_options options;
    control *control; /* owned */
    char *name;       /* owned; NULL: not open */
    bool wants_name;  /* another process has it; thread: main */
    int64_t started_ms;
    report_rates rates;   /* thread: main */
    int64_t published_ms; /* steady; thread: main */
    pthread_mutex_t lock; /* guards what follows */
    buf facts;            /* of report_put; empty: it starts */
    int64_t facts_ms;     /* steady time of them */
    events errors, reloads;
    uint64_t asked[CONTROL_CLIENTS]; /* requests for status that wait */
    int64_t asked_ms[CONTROL_CLIENTS];
    uint32_t asked_count;
    asker askers[CONTROL_CLIENTS]; /* those who wait for a reload */
    uint32_t asker_count;
    uint64_t last_ask;
    char *taken; /* what changed with the reload that was on trial last; owned; NULL: none */
};

static const clock_source real = { 0 };
static const char ON_TRIAL[] = "on trial";

/* -- events */

/* What came in a record, or was cut, need not be UTF-8. */
static void mend_text(char *text) {
    size_t len = strlen(text);
    bool is_utf8 = json_text_is_utf8(text, len);
    for (size_t i = 0; !is_utf8 && i < len; i++)
        if ((unsigned char)text[i] >= 0x80) text[i] = '?';
}

/* The lock is held. */
static void add_event(events *all, const char *verdict, const buf *text) {
    event *e = &all->items[all->next];
    size_t len = text->len < EVENT_BYTES ? text->len : EVENT_BYTES - 1;
    memcpy(e->text, text->data, len);
    e->text[len] = '\0';
    mend_text(e->text);
    e->at_ms = clock_now_ms(&real);
    e->verdict = verdict;
    all->next = (all->next + 1) % EVENTS;
    all->count++;
}

static void on_logged(void *arg, log_level level, const char *message, const log_field *fields,
                      size_t count) {
    live *l = arg;
    buf text;
    if (!strcmp(message, RELOADER_SAYS_REFUSED)) return; /* it is among the reloads */
    buf_init(&text);
    buf_put_text(&text, message);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&text, "%s%s=", i ? " " : " (", fields[i].name);
        if (fields[i].text)
            buf_put_text(&text, fields[i].text);
        else
            buf_printf(&text, "%" PRId64, fields[i].number);
    }
    if (count) buf_put_char(&text, ')');
    pthread_mutex_lock(&l->lock);
    add_event(&l->errors, level >= LOG_ERROR ? "error" : "warning", &text);
    pthread_mutex_unlock(&l->lock);
    buf_done(&text);
}

/* -- reloads */

/* What status says of one, by its outcome; NULL: as before. */
static const char *const VERDICTS[] = {
    [RELOADER_REFUSED] = "refused",
    [RELOADER_SAME] = "taken",
    [RELOADER_TAKEN] = ON_TRIAL,
    [RELOADER_WAITS] = NULL,
    [RELOADER_STAYS] = "taken",
    [RELOADER_BACK] = "taken back",
};

/* The reload that is on trial; NULL: none is. */
static event *find_trial(events *all) {
    for (uint32_t i = 0; i < EVENTS; i++)
        if (all->items[i].at_ms && !strcmp(all->items[i].verdict, ON_TRIAL)) return &all->items[i];
    return NULL;
}

/* One reload is one event, whose verdict changes. The lock is held. */
static void note_event(live *l, reloader_outcome outcome, const char *text) {
    event *trial = find_trial(&l->reloads);
    const char *verdict = VERDICTS[outcome];
    buf line;
    if (outcome == RELOADER_TAKEN && trial) trial->verdict = "replaced";
    bool is_of_trial =
        outcome == RELOADER_WAITS || outcome == RELOADER_STAYS || outcome == RELOADER_BACK;
    if (is_of_trial && trial && verdict) trial->verdict = verdict;
    if (is_of_trial && trial && *text) { /* why is worth more than what had changed */
        trial->at_ms = clock_now_ms(&real);
        snprintf(trial->text, EVENT_BYTES, "%s", text);
        mend_text(trial->text);
    }
    if (is_of_trial) return;
    buf_init(&line);
    buf_put_text(&line, text);
    add_event(&l->reloads, verdict, &line);
    buf_done(&line);
}

static void put_reload(buf *json, reloader_outcome outcome, const char *text, uint64_t hash) {
    bool is_hot = outcome != RELOADER_REFUSED && outcome != RELOADER_BACK;
    buf_put_text(json, is_hot ? "{\"hot\":true" : "{\"hot\":false");
    if (outcome == RELOADER_WAITS) buf_put_text(json, ",\"on_trial\":true");
    if (outcome == RELOADER_BACK) buf_put_text(json, ",\"went_back\":true");
    json_put_text(json, "text", text);
    buf_printf(json, ",\"script_hash\":\"%016" PRIx64 "\"}", hash);
}

/* Those to whom the outcome is told now, into `told`: of what was loaded after they had asked. The
 * lock is held. */
static uint32_t take_askers(live *l, reloader_outcome outcome, uint64_t ask, uint64_t *told) {
    bool is_of_trial =
        outcome == RELOADER_WAITS || outcome == RELOADER_STAYS || outcome == RELOADER_BACK;
    bool is_open = outcome == RELOADER_TAKEN ||
                   (outcome == RELOADER_SAME && find_trial(&l->reloads));
    uint32_t count = 0, kept = 0;
    for (uint32_t i = 0; i < l->asker_count; i++) {
        asker a = l->askers[i];
        bool is_meant = a.on_trial ? is_of_trial : !is_of_trial && a.number <= ask;
        a.on_trial |= is_meant && is_open;
        if (is_meant && !is_open)
            told[count++] = a.request;
        else
            l->askers[kept++] = a;
    }
    l->asker_count = kept;
    return count;
}

void live_note_reload(live *l, reloader_outcome outcome, const char *text, uint64_t hash,
                      uint64_t ask) {
    uint64_t asked[CONTROL_CLIENTS];
    buf json;
    buf_init(&json);
    char *whole = mem_copy_text(text, strlen(text));
    mend_text(whole);
    pthread_mutex_lock(&l->lock);
    note_event(l, outcome, text);
    uint32_t count = take_askers(l, outcome, ask, asked);
    if (!*whole && l->taken) { /* what the one on trial had changed */
        mem_free(whole);
        whole = mem_copy_text(l->taken, strlen(l->taken));
    }
    if (count) put_reload(&json, outcome, whole, hash);
    if (outcome == RELOADER_TAKEN) {
        mem_free(l->taken);
        l->taken = whole;
        whole = NULL;
    }
    pthread_mutex_unlock(&l->lock);
    for (uint32_t i = 0; i < count; i++) control_answer(l->control, asked[i], buf_text(&json));
    buf_done(&json);
    mem_free(whole);
}

/* `,"NAME":[…]`, the last one first. */
static void put_events(buf *out, const char *name, const events *all) {
    json_put_name(out, name);
    buf_put_char(out, '[');
    for (uint32_t i = 1; i <= EVENTS; i++) {
        const event *e = &all->items[(all->next + EVENTS - i) % EVENTS];
        if (!e->at_ms) break;
        buf_put_text(out, i > 1 ? ",{" : "{");
        json_put_number(out, "at", e->at_ms);
        json_put_text(out, "verdict", e->verdict);
        json_put_text(out, "text", e->text);
        buf_put_char(out, '}');
    }
    buf_put_char(out, ']');
}

/* -- status */

static int64_t rss_bytes(void) {
    long pages = 0, total;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file) return 0;
    if (fscanf(file, "%ld %ld", &total, &pages) != 2) pages = 0;
    fclose(file);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

/* The lock is held. */
static void put_status(live *l, buf *out) {
    int other;
    int64_t now_ms = clock_now_ms(&real);
    buf_put_char(out, '{');
    json_put_text(out, "name", l->name);
    json_put_text(out, "label", control_label(l->control, &other));
    json_put_text(out, "version", SLUICE_VERSION);
    json_put_number(out, "pid", getpid());
    json_put_number(out, "now_ms", now_ms);
    json_put_number(out, "started_ms", l->started_ms);
    json_put_number(out, "uptime_ms", now_ms - l->started_ms);
    json_put_number(out, "rss_bytes", rss_bytes());
    buf_put_text(out, l->options.embedded ? ",\"embedded\":true" : ",\"embedded\":false");
    json_put_number(out, "silent_ms", l->facts.len ? clock_steady_ms(&real) - l->facts_ms : 0);
    json_put_number(out, "error_count", (int64_t)l->errors.count);
    put_events(out, "errors", &l->errors);
    put_events(out, "reloads", &l->reloads);
    buf_put_char(out, ',');
    if (l->facts.len) {
        buf_put(out, l->facts.data, l->facts.len);
    } else {
        buf_put_text(out, *stop_asked() ? "\"state\":\"stopping\"" : "\"state\":\"starting\"");
        json_put_text(out, "script", l->options.script);
    }
    buf_put_char(out, '}');
}

/* Answer those who wait: all, or those who have waited long enough. The lock is not held. */
static void answer(live *l, bool all) {
    uint64_t now[CONTROL_CLIENTS];
    uint32_t count = 0, kept = 0;
    int64_t now_ms = clock_steady_ms(&real);
    buf text;
    buf_init(&text);
    pthread_mutex_lock(&l->lock);
    for (uint32_t i = 0; i < l->asked_count; i++) {
        if (all || !l->facts.len || now_ms - l->asked_ms[i] >= PATIENCE_MS) {
            now[count++] = l->asked[i];
            continue;
        }
        l->asked[kept] = l->asked[i];
        l->asked_ms[kept++] = l->asked_ms[i];
    }
    l->asked_count = kept;
    if (count) put_status(l, &text);
    pthread_mutex_unlock(&l->lock);
    for (uint32_t i = 0; i < count; i++) control_answer(l->control, now[i], buf_text(&text));
    buf_done(&text);
}

static void on_status(void *arg, control *c, uint64_t request, const char *words) {
    live *l = arg;
    (void)words;
    pthread_mutex_lock(&l->lock);
    bool has_room = l->asked_count < CONTROL_CLIENTS;
    if (has_room) {
        l->asked_ms[l->asked_count] = clock_steady_ms(&real);
        l->asked[l->asked_count++] = request;
    }
    pthread_mutex_unlock(&l->lock);
    if (!has_room) control_answer(c, request, "{\"error\":\"too many ask\"}");
}

static void on_turn(void *arg, control *c) {
    (void)c;
    answer(arg, false);
}

/* Answered by live_close, with the exit code. */
static void on_stop(void *arg, control *c, uint64_t request, const char *words) {
    (void)arg, (void)c, (void)request, (void)words;
    stop_ask();
}

/* main asks for it between steps; answered when it has ended. */
static void on_reload(void *arg, control *c, uint64_t request, const char *words) {
    live *l = arg;
    pthread_mutex_lock(&l->lock);
    const char *no = NULL;
    if (!l->facts.len) no = "it is starting, and has just read its script";
    if (l->asker_count == CONTROL_CLIENTS) no = "too many ask";
    if (!no)
        l->askers[l->asker_count++] = (asker){ .request = request,
                                               .number = ++l->last_ask,
                                               .words = mem_copy_text(words, strlen(words)) };
    pthread_mutex_unlock(&l->lock);
    char json[96];
    snprintf(json, sizeof json, "{\"error\":\"%s\"}", no ? no : "");
    if (no) control_answer(c, request, json);
}

bool live_take_reload(live *l, char **words, uint64_t *ask) {
    *words = NULL;
    *ask = 0;
    pthread_mutex_lock(&l->lock);
    for (uint32_t i = 0; i < l->asker_count && !*words; i++) {
        *words = l->askers[i].words;
        *ask = l->askers[i].number;
        l->askers[i].words = NULL;
    }
    pthread_mutex_unlock(&l->lock);
    return *words != NULL;
}

void live_update(live *l, const pipeline *p, const status_facts *f) {
    report_note(&l->rates, f);
    pthread_mutex_lock(&l->lock);
    bool is_asked = l->asked_count > 0;
    pthread_mutex_unlock(&l->lock);
    if (!is_asked && l->published_ms && f->at_ms - l->published_ms < PUBLISH_MS) return;
    l->published_ms = f->at_ms;
    live_take_name(l);
    buf facts;
    buf_init(&facts);
    report_put(&facts, p, f, &l->rates);
    pthread_mutex_lock(&l->lock);
    buf_done(&l->facts);
    l->facts = facts;
    l->facts_ms = f->at_ms;
    pthread_mutex_unlock(&l->lock);
    if (is_asked) answer(l, true);
}

/* -- life */

live *live_new(const live_options *options) {
    live *l = mem_zalloc(1, sizeof *l);
    l->options = *options;
    l->started_ms = clock_now_ms(&real);
    pthread_mutex_init(&l->lock, NULL);
    buf_init(&l->facts);
    l->control = control_new();
    control_on(l->control, "status", on_status, l);
    control_on(l->control, "stop", on_stop, l);
    control_on(l->control, "reload", on_reload, l);
    control_on_turn(l->control, on_turn, l);
    options->log->tap_arg = l;
    options->log->tap = on_logged;
    return l;
}

control *live_control(live *l) { return l->control; }

int live_open(live *l, const char *name, bool guards) {
    int other = 0;
    logger *log = l->options.log;
    l->name = mem_copy_text(name, strlen(name));
    err *e = control_open(l->control, name);
    if (e) {
        log_warn(log, "no control socket: sluice status, stop and reload cannot reach it",
                 log_text("reason", e->message));
        err_free(e);
        return 0;
    }
    const char *label = control_label(l->control, &other);
    l->wants_name = other && guards;
    if (other)
        log_warn(log, "another process of this name runs on this machine", log_text("name", name),
                 log_number("pid", other), log_text("this_one_is", label));
    return other;
}

void live_take_name(live *l) {
    if (!l->wants_name) return;
    pthread_mutex_lock(&l->lock); /* status tells the label */
    l->wants_name = !control_take_name(l->control, l->name);
    pthread_mutex_unlock(&l->lock);
    if (!l->wants_name)
        log_info(l->options.log, "the name is free, this process has it now",
                 log_text("name", l->name));
}

void live_close(live *l, int exit_code) {
    char json[64];
    if (!l) return;
    snprintf(json, sizeof json, "{\"ended\":true,\"exit_code\":%d}", exit_code);
    control_close(l->control, json);
    l->options.log->tap = NULL;
    buf_done(&l->facts);
    mem_free(l->name);
    for (uint32_t i = 0; i < l->asker_count; i++) mem_free(l->askers[i].words);
    mem_free(l->taken);
    pthread_mutex_destroy(&l->lock);
    mem_free(l);
}
