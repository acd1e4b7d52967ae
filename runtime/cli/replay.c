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
#include "runtime/cli/replay_rows.h"
#include "runtime/cli/stop.h"

typedef struct replaying {
    const args *a;
    uint64_t from, to; /* batches [from, to) */
    past was, is;      /* --diff: by the script that did them; by the one that is asked for */
    replayed_rows was_rows, is_rows;
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
    if (!e && a->diff && !a->script)
        e = err_new(ERR_USAGE, "--diff: wanted --script OTHER.lua to compare with");
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

/* -- the batches */

static err *begin(replaying *r, past *p, replayed_rows *rows, const char *path) {
    err *e = past_open(r->a, p);
    if (!e) e = past_begin(p, r->from, r->to, path);
    p->replay.on_row = replayed_rows_add;
    p->replay.on_row_arg = rows;
    return e;
}

static err *do_batch(replaying *r, uint64_t batch) {
    replayed_rows_reset(&r->is_rows);
    replayed_rows_reset(&r->was_rows);
    buf_reset(&r->line);
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
    if (!e) e = begin(r, &r->is, &r->is_rows, r->a->script);
    if (!e && r->a->diff) e = begin(r, &r->was, &r->was_rows, NULL);
    for (uint64_t batch = r->from; !e && batch < r->to && !*stop_asked(); batch++)
        e = do_batch(r, batch);
    return e;
}

int command_replay(const args *a) {
    replaying r = { .a = a };
    buf_init(&r.line);
    err *e = replay_all(&r);
    past_close(&r.was);
    past_close(&r.is);
    replayed_rows_done(&r.was_rows);
    replayed_rows_done(&r.is_rows);
    buf_done(&r.line);
    if (e) return command_failed(e);
    return r.differing ? 1 : 0;
}
