/* DESIGN. A table shows few of many rows: what changed since the last attempt first, then the
 * newest windows; elsewhere what came first. They are chosen by one pass that keeps the best,
 * sorting all of 100,000 would take as long as the run. */
#include "runtime/cli/trial.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/cli/columns.h"
#include "runtime/cli/excerpt.h"
#include "runtime/cli/grid.h"
#include "runtime/cli/shape.h"
#include "runtime/cli/summary.h"
#include "runtime/cli/text.h"
#include "runtime/cli/trial_thrown.h"

enum { MOST_ROWS = 64,
       LEAST_ROWS = 4,
       PLAIN_ROWS = 20, /* not on a terminal */
       OTHER_LINES = 16,
       ENOUGH = 1000 }; /* calls or records: fewer say nothing of their time */

/* A row that may be shown. */
typedef struct shown {
    const outcome_row *row, *was;
    const char *mark; /* NULL: as before */
} shown;

typedef struct choice {
    shown rows[MOST_ROWS]; /* the best so far, in order */
    uint32_t count, most;
    bool by_window; /* newest first, then by key */
    uint64_t there, added, changed, removed;
} choice;

/* -- which rows */

static int compare_texts(const sl_string *a, const sl_string *b) {
    uint32_t least = a->len < b->len ? a->len : b->len;
    int by_bytes = least ? memcmp(a->data, b->data, least) : 0;
    return by_bytes ? by_bytes : (a->len > b->len) - (a->len < b->len);
}

/* Whether `a` stands before `b`. */
static bool comes_first(const choice *c, const shown *a, const shown *b) {
    if (!a->mark != !b->mark) return a->mark != NULL;
    if (!c->by_window) return a->row->order < b->row->order;
    if (a->row->window_ms != b->row->window_ms) return a->row->window_ms > b->row->window_ms;
    return compare_texts(&a->row->key, &b->row->key) < 0;
}

static void offer(choice *c, shown x) {
    uint32_t at = c->count;
    while (at > 0 && comes_first(c, &x, &c->rows[at - 1])) at--;
    if (at == c->most) return;
    if (c->count < c->most) c->count++;
    memmove(&c->rows[at + 1], &c->rows[at], (c->count - 1 - at) * sizeof x);
    c->rows[at] = x;
}

static bool is_same_row(const outcome_row *a, const outcome_row *b) {
    return a->times == b->times && a->value.len == b->value.len &&
           !memcmp(a->value.data, b->value.data, a->value.len);
}

static const char *mark_of(choice *c, const outcome_sink *s, const outcome_row *row,
                           const outcome_row *was) {
    if (!was || !outcome_counts(was)) {
        c->added++;
        return "+";
    }
    /* how often a row was sent on the way does not matter where the last one counts */
    bool is_latest = s->mode == SL_UPDATE || s->mode == SL_COMPLETE;
    outcome_row as_often = *was;
    if (is_latest) as_often.times = row->times;
    if (is_same_row(row, &as_often)) return NULL;
    c->changed++;
    return "~";
}

static void offer_times(choice *c, shown x, uint32_t times) {
    for (uint32_t i = 0; i < times && i < c->most; i++) offer(c, x);
}

static uint32_t times_of(const outcome_row *row) {
    return row && outcome_counts(row) ? row->times : 0;
}

/* Rows that nothing tells apart but their value: what came three times is three rows. */
static void choose_by_value(choice *c, const outcome_sink *now, const outcome_sink *before) {
    for (uint32_t i = 0; i < now->count; i++) {
        const outcome_row *row = &now->rows[i], *was = before ? outcome_find(before, row) : NULL;
        uint32_t times = times_of(row), old = before ? times_of(was) : times;
        uint32_t added = times > old ? times - old : 0;
        c->there += times;
        c->added += added;
        offer_times(c, (shown){ .row = row, .was = was }, times - added);
        offer_times(c, (shown){ .row = row, .mark = "+" }, added);
    }
    for (uint32_t i = 0; before && i < before->count; i++) {
        const outcome_row *was = &before->rows[i], *row = outcome_find(now, was);
        uint32_t old = times_of(was), times = times_of(row), gone = old > times ? old - times : 0;
        c->removed += gone;
        offer_times(c, (shown){ .row = was, .mark = "-" }, gone);
    }
}

static void choose(choice *c, const outcome_sink *now, const outcome_sink *before) {
    if (!now->mode) {
        choose_by_value(c, now, before);
        return;
    }
    for (uint32_t i = 0; i < now->count; i++) {
        const outcome_row *row = &now->rows[i];
        if (!outcome_counts(row)) continue;
        shown x = { .row = row };
        c->there++;
        if (before) {
            x.was = outcome_find(before, row);
            x.mark = mark_of(c, now, row, x.was);
        }
        offer(c, x);
    }
    for (uint32_t i = 0; before && i < before->count; i++) {
        const outcome_row *was = &before->rows[i], *row = outcome_find(now, was);
        if (!outcome_counts(was) || (row && outcome_counts(row))) continue;
        c->removed++;
        offer(c, (shown){ .row = was, .mark = "-" });
    }
}

/* -- tables */

static void put_part(buf *out, uint64_t count, const char *what) {
    if (!count) return;
    buf_put_text(out, ", ");
    text_put_count(out, count);
    buf_printf(out, " %s", what);
}

static void put_title(buf *out, const choice *c, const outcome_sink *s, bool is_compared,
                      bool styled) {
    static const char *const MODES[] = { "", "  append", "  update", "  complete" };
    buf_printf(out, "%s%s%s%s  ", styled ? "\033[1m" : "", s->name, styled ? "\033[0m" : "",
               MODES[s->mode]);
    text_put_count(out, c->there);
    buf_put_text(out, c->there == 1 ? " row" : " rows");
    if (s->messages != c->there) {
        buf_put_text(out, " of ");
        text_put_count(out, s->messages);
        buf_put_text(out, " messages");
    }
    put_part(out, s->retracted, "of them retractions");
    put_part(out, c->added, "added (+)");
    put_part(out, c->changed, "changed (~)");
    put_part(out, c->removed, "gone (-)");
    if (is_compared && !(c->added + c->changed + c->removed)) buf_put_text(out, ", as before");
    buf_put_char(out, '\n');
}

static void put_row(grid *g, const shown *x, const sl_output *shape) {
    const outcome_row *r = x->row, *was = x->mark && *x->mark == '~' ? x->was : NULL;
    grid_row(g, x->mark);
    if (r->topic.data) grid_add(g, r->topic, NULL, "(topic)");
    if (!shape_names_key(shape)) grid_add(g, r->key, NULL, "(key)");
    grid_add(g, r->value, was ? &was->value : NULL, "(value)");
}

static void put_table(buf *out, const trial_view *v, uint32_t sink, uint32_t most) {
    const outcome_sink *s = &v->now->outcome->sinks[sink];
    const outcome_sink *before = outcome_named(v->before, s->name);
    int32_t mode;
    const sl_output *shape = shape_of_sink(v->now->pipeline.plan, sink, &mode);
    choice c = { .most = most, .by_window = mode != 0 };
    choose(&c, s, before);
    put_title(out, &c, s, before != NULL, v->styled);
    if (!c.count) return;
    grid *g = grid_new(shape, v->now_ms);
    for (uint32_t i = 0; i < c.count; i++) put_row(g, &c.rows[i], shape);
    grid_put(g, out, v->columns, v->styled);
    grid_free(g);
    uint64_t left = c.there + c.removed - c.count;
    if (!left) return;
    buf_put_text(out, "  … ");
    text_put_count(out, left);
    buf_put_text(out, left == 1 ? " more row\n" : " more rows\n");
}

static void put_tables(buf *out, const trial_view *v) {
    const outcome *o = v->now->outcome;
    uint32_t tables = 0, most = PLAIN_ROWS;
    for (uint32_t i = 0; i < o->count; i++) tables += !o->sinks[i].is_side;
    if (v->styled && tables) {
        uint32_t left = v->lines > OTHER_LINES ? v->lines - OTHER_LINES : 0;
        most = left / tables > 4 + LEAST_ROWS ? left / tables - 4 : LEAST_ROWS;
    }
    for (uint32_t i = 0; i < o->count; i++) {
        if (o->sinks[i].is_side) continue;
        put_table(out, v, i, most < MOST_ROWS ? most : MOST_ROWS);
        buf_put_char(out, '\n');
    }
}

/* -- functions */

/* A field of a line, up to the next tab. */
static int field_of(const char **at, const char **field) {
    *field = *at;
    int len = (int)strcspn(*at, "\t\n");
    *at += len + ((*at)[len] == '\t');
    return len;
}

void trial_functions(const attempt *t, trial_function *each, void *arg) {
    const char *at = t->timings.len ? strchr(t->timings.data, '\n') : NULL;
    while (at && *at == '\n' && at[1]) {
        trial_timing f;
        at++;
        f.what_len = field_of(&at, &f.what);
        f.line_len = field_of(&at, &f.line);
        f.calls = strtoull(at, (char **)(uintptr_t)&at, 10);
        f.ns = strtod(at, (char **)(uintptr_t)&at);
        at += *at == '\t';
        f.why_len = field_of(&at, &f.why);
        each(arg, &f);
    }
}

static void put_function(void *arg, const trial_timing *f) {
    columns *c = arg;
    columns_put(c, "%.*s", f->what_len, f->what);
    columns_put(c, "%.*s", f->line_len, f->line);
    columns_put_count(c, f->calls);
    if (f->calls < ENOUGH)
        columns_put(c, "-");
    else if (f->ns < 1)
        columns_put(c, "<1");
    else
        columns_put(c, f->ns < 10 ? "%.1f" : "%.0f", f->ns);
    if (f->calls && f->why_len)
        columns_put(c, "interpreted: %.*s", f->why_len, f->why);
    else
        columns_put(c, "%s", !f->calls ? "not called" : f->calls < ENOUGH ? "too few calls"
                                                                          : "compiled");
}

static void put_functions(buf *out, const attempt *t) {
    const char *more = t->timings.len ? strchr(t->timings.data, '\n') : NULL;
    columns c;
    if (!more) return;
    columns_begin(&c, "function|where|>calls|>ns a call|code");
    trial_functions(t, put_function, &c);
    columns_end(&c, out);
    buf_put_char(out, '\n');
}

double trial_ns(const attempt *t) {
    double clock_ns = t->timings.len ? strtod(t->timings.data, NULL) : 0;
    double ns = t->cpu_ms * 1e6 - clock_ns;
    return t->records && ns > 0 ? ns / (double)t->records : 0;
}

/* -- all */

static void put_error(buf *out, const trial_view *v) {
    const err *e = v->now->error;
    if (!e) return;
    buf_printf(out, "%s%s%s\n", v->styled ? "\033[31m" : "", e->message,
               v->styled ? "\033[0m" : "");
    excerpt_put(out, e->message, v->styled);
    if (e->code == ERR_BROKER || e->code == ERR_MISSING)
        buf_put_text(out, "without a Kafka: --input FILE, or --embedded for made-up events\n");
}

static void put_shares(buf *out, const attempt *t) {
    for (uint32_t i = 0; i < t->pipeline.input_count; i++) {
        const source_counters *c = &t->pipeline.inputs[i].counters;
        const sl_string *name = &t->pipeline.inputs[i].plan->name;
        uint64_t bad = c->quarantined + c->skipped + c->partly_quarantined;
        /* batches of fewer do not stop a run */
        if (c->read < ENOUGH || (double)bad <= t->max_bad_shares[i] * (double)c->read) continue;
        buf_printf(out,
                   "a run would stop here: %" PRIu64 " of %" PRIu64
                   " records of %.*s are bad, more than max_bad_share = %g allows\n",
                   bad, c->read, (int)name->len, name->data, t->max_bad_shares[i]);
    }
}

/* Late records are shown where they go somewhere. */
static void put_late(buf *out, const attempt *t) {
    const sl_plan *plan = t->pipeline.plan;
    bool is_kept = false, is_any = false;
    for (uint32_t i = 0; i < t->pipeline.input_count; i++)
        is_any |= t->pipeline.inputs[i].counters.late > 0;
    for (uint32_t a = 0; a < plan->aggregate_count; a++) is_kept |= plan->aggregates[a].late >= 0;
    for (uint32_t d = 0; d < plan->distinct_count; d++) is_kept |= plan->distincts[d].late >= 0;
    if (is_any && !is_kept)
        buf_put_text(out, "late records are dropped: with `:late_to(sink)` they are shown here\n");
}

static void put_end(buf *out, const attempt *t, int64_t now_ms) {
    text_put_count(out, t->records);
    buf_printf(out, " records in %.0f ms", t->run_ms);
    if (t->records >= ENOUGH) buf_printf(out, ", %.0f ns of CPU each", trial_ns(t));
    buf_printf(out, "; loaded in %.0f ms. Nothing was written or committed.\n", t->load_ms);
    if (!t->kept_ms) return;
    buf_put_text(out, "The sample was taken at ");
    text_put_time(out, t->kept_ms, now_ms);
    buf_put_text(out, " UTC and kept; --fresh takes a new one.\n");
}

void trial_put(buf *out, const trial_view *v) {
    const attempt *t = v->now;
    if (!t->ran) {
        put_error(out, v);
        return;
    }
    put_tables(out, v);
    summary_put_records(out, &t->pipeline, &t->drift);
    put_late(out, t);
    put_shares(out, t);
    trial_put_thrown(out, t->outcome);
    buf_put_char(out, '\n');
    put_functions(out, t);
    put_error(out, v);
    put_end(out, t, v->now_ms);
}
