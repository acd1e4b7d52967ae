/* `sluice lag`: how far out of order records come, and what each delay of the watermark would lose
 * and cost. Looks only: no group, no commit. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/cli/checkpoint_show.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/lag_save.h"
#include "runtime/cli/lag_show.h"
#include "runtime/cli/stop.h"

static const int64_t LAST = 1000000, LAST_SINCE = (int64_t)1 << 31;
static const double LOSS = 0.0001;

typedef struct lag {
    const args *a;
    logger log;
    clock_source clock;
    sl_system system;
    worker *w;
    const sl_plan *plan;
    char *name; /* of the pipeline; owned */
    lag_wanted wanted;
    double loss;
} lag;

/* -- options */

static err *read_last(const char *text, int64_t *last) {
    char *end;
    *last = LAST;
    if (!text) return NULL;
    *last = strtoll(text, &end, 10);
    if (*end || *last < 1 || *last > LAST_SINCE)
        return err_new(ERR_USAGE, "--last %s: wanted a number of records from 1 to %" PRId64, text,
                       LAST_SINCE);
    return NULL;
}

/* "2 hours", "30m": a number and what its unit begins with. */
static err *read_since(const char *text, int64_t now_ms, int64_t *since_ms) {
    static const struct {
        char letter;
        int64_t ms;
    } UNITS[] = { { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 } };
    char *end;
    *since_ms = INT64_MIN;
    if (!text) return NULL;
    double number = strtod(text, &end);
    while (*end == ' ') end++;
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++)
        if (*end == UNITS[i].letter && end[1] != 's' && number > 0 && number < 1e6)
            *since_ms = now_ms - (int64_t)(number * (double)UNITS[i].ms);
    if (*since_ms != INT64_MIN) return NULL;
    return err_new(ERR_USAGE, "--since %s: wanted how long ago, as in --since \"2 hours\"", text);
}

static err *read_loss(const char *text, double *loss) {
    char *end;
    *loss = LOSS;
    if (!text) return NULL;
    *loss = strtod(text, &end);
    if (*end == '%') *loss /= 100, end++;
    if (end != text && !*end && *loss >= 0 && *loss <= 1) return NULL;
    return err_new(ERR_USAGE, "--loss %s: wanted a share of the records, as in --loss 0.01%%",
                   text);
}

static err *read_options(lag *l) {
    err *e = read_last(l->a->last, &l->wanted.last);
    if (!e) e = read_since(l->a->since, clock_now_ms(&l->clock), &l->wanted.since_ms);
    if (!e) e = read_loss(l->a->loss, &l->loss);
    if (!e && l->a->last && l->a->since)
        e = err_new(ERR_USAGE, "--last and --since: give one of the two");
    if (l->wanted.since_ms != INT64_MIN) l->wanted.last = LAST_SINCE;
    return e;
}

/* -- the script */

static err *open_script(lag *l) {
    script *s = NULL;
    script_options options = { .path = l->a->operand,
                               .text = l->a->text,
                               .text_len = l->a->text_len,
                               .root = l->a->root,
                               .overrides = l->a->sets,
                               .override_count = l->a->set_count,
                               .params = l->a->params,
                               .param_count = l->a->param_count,
                               .shows_secrets = true,
                               .library = getenv("SLUICE_LUA"),
                               .stop = stop_asked() };
    err *e = script_open(&options, &s);
    if (e) return e;
    l->plan = script_plan(s);
    l->name = mem_copy_text(l->plan->name.data, l->plan->name.len);
    l->system = (sl_system){ .pipeline = l->name,
                             .log = &l->log,
                             .clock = &l->clock,
                             .script = s,
                             .stop = stop_asked() };
    return worker_new(l->plan, s, 0, 1, &l->w);
}

/* -- sources */

static void put_source(const lag *l, lag_source *s, buf *text, buf *json) {
    lag_answer *answers = mem_zalloc(s->stage_count + 1u, sizeof *answers);
    disorder_arrange(&s->disorder);
    for (uint32_t i = 0; i < s->stage_count; i++)
        lag_judge(s, l->plan, &s->stages[i], l->loss, &answers[i]);
    if (text->len) buf_put_char(text, '\n');
    lag_put_text(s, l->plan, l->loss, answers, text);
    char last = json->data[json->len - 1];
    buf_put_text(json, last == '[' ? "{" : ",{");
    lag_put_json(s, l->plan, answers, json);
    buf_put_char(json, '}');
    mem_free(answers);
}

static err *look_at_sources(lag *l, buf *text, buf *json) {
    err *e = NULL;
    buf_put_char(json, '{');
    show_json_text(json, "pipeline", l->name);
    show_json_name(json, "sources");
    buf_put_char(json, '[');
    for (uint32_t i = 0; !e && i < l->plan->source_count; i++) {
        lag_source s;
        if (l->plan->sources[i].time.kind == SL_TIME_NONE) continue;
        e = lag_read(l->w, l->plan, i, &l->system, &l->wanted, &s);
        if (!e) put_source(l, &s, text, json);
        lag_source_done(&s);
    }
    buf_put_text(json, "]}\n");
    if (e || text->len) return e;
    return err_new(ERR_PLAN, "%s: no source has `event_time`: nothing is late", l->a->operand);
}

int command_lag(const args *a) {
    lag l = { .a = a };
    buf text, json;
    buf_init(&text);
    buf_init(&json);
    log_init(&l.log, 2, LOG_PLAIN, LOG_WARN);
    stop_install(command_end_now, "");
    err *e = read_options(&l);
    if (!e) e = open_script(&l);
    if (!e) e = look_at_sources(&l, &text, &json);
    if (!e && a->save) e = lag_save(a->save, clock_now_ms(&l.clock), &json, &text);
    if (!e) fwrite(a->json ? json.data : text.data, 1, a->json ? json.len : text.len, stdout);
    if (l.w) worker_free(l.w, l.plan);
    mem_free(l.name);
    buf_done(&text);
    buf_done(&json);
    log_done(&l.log);
    return e ? command_failed(e) : 0;
}
