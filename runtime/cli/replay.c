/* `sluice replay`: recorded batches again, by the script that did them or by another; what they
 * send is shown or compared, and goes nowhere. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/cli/checkpoint_show.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/past.h"
#include "runtime/cli/plan_options.h"
#include "runtime/cli/replay_files.h"
#include "runtime/cli/replay_rows.h"
#include "runtime/cli/replay_sent.h"
#include "runtime/cli/stop.h"

typedef struct replaying {
    const args *a;
    uint64_t from, to; /* batches [from, to) */
    past was, is;      /* --diff: by the script that did them; by the one that is asked for */
    replayed_rows was_rows, is_rows;
    replay_sent *sent; /* --diff without --script: what topics hold; owned */
    uint32_t sent_count;
    replay_files files; /* and files */
    uint64_t read_hash; /* of the text whose topics are among them */
    buf line;
    uint64_t differing; /* rows */
} replaying;

static err *read_batch(const char *name, const char *text, uint64_t *batch) {
    char *end;
    *batch = strtoull(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end) return NULL;
    return err_new(ERR_USAGE, "%s %s: wanted the number of a batch, as the log and `sluice "
                              "checkpoint ls` show them",
                   name, text);
}

static err *read_options(replaying *r) {
    const args *a = r->a;
    if (!a->from) return err_new(ERR_USAGE, "replay: wanted --from BATCH");
    err *e = read_batch("--from", a->from, &r->from);
    r->to = r->from;
    if (!e && a->to) e = read_batch("--to", a->to, &r->to);
    if (!e && r->to < r->from)
        e = err_new(ERR_USAGE, "--to %s lies before --from %s", a->to, a->from);
    if (!e) r->to++;
    return e;
}

/* -- what is shown */

static void put_rows_json(const replayed_rows *rows, const char *sink, buf *out) {
    show_json_name(out, "messages");
    buf_put_char(out, '[');
    bool is_first = true;
    for (uint32_t i = 0; i < rows->count; i++) {
        if (strcmp(rows->sinks[rows->rows[i].sink], sink) != 0) continue;
        buf_put_text(out, is_first ? "{" : ",{");
        replayed_row_put(out, &rows->rows[i]);
        buf_put_char(out, '}');
        is_first = false;
    }
    buf_put_char(out, ']');
}

static void put_batch_json(replaying *r, uint64_t batch) {
    const replayed_rows *rows = &r->is_rows;
    buf *out = &r->line;
    buf_put_char(out, '{');
    const past_record *record = past_record_of(&r->is, batch);
    show_json_number(out, "batch", (int64_t)batch);
    show_json_name(out, "record"); /* is JSON (flow/record.h) */
    buf_put(out, record->text, record->len);
    show_json_name(out, "sinks");
    buf_put_char(out, '[');
    bool is_first = true;
    for (uint32_t s = 0; s < rows->sink_count; s++) {
        uint32_t count;
        char digest[20];
        uint64_t sum = replayed_rows_digest(rows, rows->sinks[s], &count);
        if (!count) continue;
        snprintf(digest, sizeof digest, "%016" PRIx64, sum);
        buf_put_text(out, is_first ? "{" : ",{");
        show_json_text(out, "sink", rows->sinks[s]);
        show_json_number(out, "rows", count);
        show_json_text(out, "digest", digest);
        put_rows_json(rows, rows->sinks[s], out);
        buf_put_char(out, '}');
        is_first = false;
    }
    buf_put_text(out, "]}\n");
}

static void put_batch(replaying *r, uint64_t batch) {
    const replayed_rows *rows = &r->is_rows;
    if (!rows->count) buf_printf(&r->line, "batch %" PRIu64 ": no rows\n", batch);
    for (uint32_t s = 0; s < rows->sink_count; s++) {
        uint32_t count;
        uint64_t sum = replayed_rows_digest(rows, rows->sinks[s], &count);
        if (count)
            buf_printf(&r->line,
                       "batch %" PRIu64 ": %" PRIu32 " row%s to %s, digest %016" PRIx64 "\n",
                       batch, count, count == 1 ? "" : "s", rows->sinks[s], sum);
    }
}

static void put_difference(replaying *r, uint64_t batch) {
    buf lines;
    buf_init(&lines);
    uint32_t count = replayed_rows_compare(&r->was_rows, &r->is_rows, &lines);
    r->differing += count;
    if (count)
        buf_printf(&r->line, "batch %" PRIu64 ": %" PRIu32 " rows differ\n", batch, count);
    else
        buf_printf(&r->line, "batch %" PRIu64 ": the same %" PRIu32 " rows\n", batch,
                   r->is_rows.count);
    buf_put(&r->line, lines.data, lines.len);
    buf_done(&lines);
}

/* -- what topics and files hold */

static bool compares_sinks(const replaying *r) { return r->a->diff && !r->a->script; }

static err *time_of(const replaying *r, uint64_t batch, int64_t *now_ms) {
    recorded read;
    const past_record *record = past_record_of(&r->is, batch);
    *now_ms = INT64_MIN;
    if (!record) return NULL;
    err *e = record_read(record->text, record->len, &read);
    if (!e) *now_ms = read.now_ms;
    recorded_done(&read);
    return e;
}

static bool has_topic(const replaying *r) {
    const sl_plan *plan = r->is.replay.pipeline.plan;
    bool has = false;
    for (uint32_t i = 0; i < plan->sink_count; i++) has |= replay_sent_can(&plan->sinks[i]);
    return has;
}

static bool is_read(const replaying *r, const sl_sink *sink) {
    for (uint32_t i = 0; i < r->sent_count; i++)
        if (plan_is(&sink->name, r->sent[i].sink)) return true;
    return false;
}

/* The topics that the text has and those before it had not, from `batch` on. */
static err *read_topics(replaying *r, uint64_t batch) {
    const sl_plan *plan = r->is.replay.pipeline.plan;
    sl_system system = r->is.stored.system;
    int64_t from_ms, to_ms;
    if (r->read_hash == plan->script_hash) return NULL;
    r->read_hash = plan->script_hash;
    err *e = time_of(r, batch, &from_ms);
    if (!e) e = time_of(r, r->to - 1, &to_ms);
    r->sent = mem_realloc(r->sent, (r->sent_count + plan->sink_count + 1u) * sizeof *r->sent);
    for (uint32_t i = 0; !e && i < plan->sink_count; i++) {
        const sl_sink *sink = &plan->sinks[i];
        if (!replay_sent_can(sink) || is_read(r, sink)) continue;
        e = replay_sent_read(sink, &system, from_ms, to_ms, &r->sent[r->sent_count++]);
    }
    return e;
}

/* How long a file was when its sink came is not known. */
static void tell_files(const replaying *r) {
    const sl_plan *plan = r->is.replay.pipeline.plan;
    for (uint32_t i = 0; i < plan->sink_count; i++)
        if (replay_files_lack(&r->files, &plan->sinks[i]))
            fprintf(stderr,
                    "sluice: `%.*s` came with a later text: what the file holds is not compared\n",
                    (int)plan->sinks[i].name.len, plan->sinks[i].name.data);
}

static err *read_sinks(replaying *r) {
    err *e = read_topics(r, r->from);
    if (!e) e = replay_files_open(&r->is, r->from, &r->files);
    if (e || r->sent_count || r->files.count) return e;
    return err_new(ERR_USAGE, "--diff: no sink of the script is a topic of Kafka, or a file, to "
                              "compare with; wanted --script OTHER.lua");
}

static void on_row(void *arg, const sl_sink *sink, const sl_message *m) {
    replaying *r = arg;
    if (replay_files_row(&r->files, sink, m, &r->is_rows)) return;
    if (!compares_sinks(r) || replay_sent_can(sink)) replayed_rows_add(&r->is_rows, sink, m);
}

/* -- the batches */

static err *begin(replaying *r, past *p, const char *path) {
    err *e = past_open(r->a, p);
    return e ? e : past_begin(p, r->from, r->to, path);
}

/* Whether batch `batch` and the one behind it, both of whose records were read, have one time. */
static err *find_tie(const replaying *r, uint64_t batch, bool *is_one) {
    int64_t now_ms, next_ms;
    err *e = time_of(r, batch, &now_ms);
    if (!e) e = time_of(r, batch + 1, &next_ms);
    *is_one = !e && now_ms == next_ms && now_ms != INT64_MIN;
    return e;
}

/* Begin a batch earlier; `*is_done`: what that takes is not kept any more. */
static err *begin_before(replaying *r, uint64_t to, bool *is_done) {
    err *e = past_begin(&r->is, r->from - 1, to, NULL);
    *is_done = e && e->code == ERR_REFUSED;
    if (!e) r->from--;
    if (!*is_done) return e;
    fprintf(stderr,
            "sluice: batch %" PRIu64 ", of the same ms as batch %" PRIu64 ", cannot be replayed "
            "any more: what topics hold of it is shown as a difference\n",
            r->from - 1, r->from);
    err_free(e);
    return past_begin(&r->is, r->from, to, NULL);
}

/* Topics do not tell batches of one time apart: those beside the range are done with it. */
static err *begin_by_sinks(replaying *r) {
    past *p = &r->is;
    err *e = past_open(r->a, p);
    if (e) return e;
    uint64_t end = p->stored.pointer.batch;
    bool is_one, is_done = false;
    do { /* with the records of the range, and the one behind it */
        e = past_begin(p, r->from, r->to + (r->to < end), NULL);
        if (e || !has_topic(r)) return e;
        e = find_tie(r, r->to - 1, &is_one);
        r->to += is_one;
    } while (is_one);
    while (!e && !is_done && r->from) {
        e = find_tie(r, r->from - 1, &is_one);
        if (e || !is_one) break;
        e = begin_before(r, r->to + (r->to < end), &is_done);
    }
    return e;
}

/* Rows of topics are known by their batch's time, those of files by what is stored: batches that
 * cannot be told apart are compared together. */
static err *do_by_sinks(replaying *r, uint64_t batch) {
    int64_t now_ms, next_ms;
    bool is_last = batch + 1 == r->to, is_known = true;
    err *e = past_step(&r->is);
    if (!e && r->read_hash != r->is.replay.pipeline.plan->script_hash) tell_files(r);
    if (!e) e = read_topics(r, batch);
    if (!e) e = time_of(r, batch, &now_ms);
    if (!e) e = time_of(r, batch + 1, &next_ms);
    if (!e) e = replay_files_add(&r->files, &r->is, batch, is_last, &r->was_rows, &is_known);
    if (e) return e;
    bool is_apart = is_last || next_ms != now_ms;
    for (uint32_t i = 0; is_apart && i < r->sent_count; i++)
        replay_sent_add(&r->sent[i], now_ms, &r->was_rows);
    if (!is_last && !(is_known && (is_apart || !r->sent_count))) return NULL;
    put_difference(r, batch);
    replayed_rows_reset(&r->is_rows);
    replayed_rows_reset(&r->was_rows);
    fwrite(r->line.data, 1, r->line.len, stdout);
    return NULL;
}

static err *do_batch(replaying *r, uint64_t batch) {
    if (compares_sinks(r)) return do_by_sinks(r, batch);
    replayed_rows_reset(&r->is_rows);
    replayed_rows_reset(&r->was_rows);
    err *e = r->a->diff ? past_step(&r->was) : NULL;
    if (!e) e = past_step(&r->is);
    if (e) return e;
    if (r->a->diff)
        put_difference(r, batch);
    else if (r->a->json)
        put_batch_json(r, batch);
    else
        put_batch(r, batch);
    fwrite(r->line.data, 1, r->line.len, stdout);
    return NULL;
}

static err *replay_all(replaying *r) {
    err *e = read_options(r);
    if (!e) e = compares_sinks(r) ? begin_by_sinks(r) : begin(r, &r->is, r->a->script);
    if (!e && compares_sinks(r)) e = read_sinks(r);
    if (!e && r->a->diff && r->a->script) e = begin(r, &r->was, NULL);
    r->is.replay.on_row = on_row;
    r->is.replay.on_row_arg = r;
    r->was.replay.on_row = replayed_rows_add;
    r->was.replay.on_row_arg = &r->was_rows;
    for (uint64_t batch = r->from; !e && batch < r->to && !*stop_asked(); batch++) {
        buf_reset(&r->line);
        e = do_batch(r, batch);
    }
    return e;
}

int command_replay(const args *a) {
    replaying r = { .a = a };
    buf_init(&r.line);
    err *e = replay_all(&r);
    for (uint32_t i = 0; i < r.sent_count; i++) replay_sent_done(&r.sent[i]);
    mem_free(r.sent);
    replay_files_done(&r.files);
    past_close(&r.was);
    past_close(&r.is);
    replayed_rows_done(&r.was_rows);
    replayed_rows_done(&r.is_rows);
    buf_done(&r.line);
    if (e) return command_failed(e);
    return r.differing ? 1 : 0;
}
