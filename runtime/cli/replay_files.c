#include "runtime/cli/replay_files.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/cli/plan_options.h"
#include "runtime/connect/envelope.h"
#include "runtime/connect/options.h"
#include "state/object.h"

enum { POSITION_BYTES = 16 };

static uint64_t get_number(const char *at) {
    uint64_t number = 0;
    for (int i = 7; i >= 0; i--) number = number << 8 | (unsigned char)at[i];
    return number;
}

/* -- what objects hold */

/* The number of a sink in an object; false: it has none. */
static bool find_position(image_reader *object, const char *sink, uint64_t *number) {
    image_view view;
    image_rewind(object);
    while (image_next(object, &view)) {
        bool is = view.kind == IMAGE_SINK && !strcmp(view.name, sink);
        if (!is || view.len != POSITION_BYTES) continue;
        *number = get_number(view.bytes);
        return true;
    }
    return false;
}

/* The object that `at` names; NULL: it is gone. */
static image_reader *read_object(past *p, const pointer *at) {
    image_reader *object = NULL;
    size_t bytes;
    if (at->kind == POINTER_GENESIS) return NULL;
    err *e = object_read(&p->stored.store, p->stored.name, at, NULL, &object, &bytes);
    if (!e) return object;
    err_free(e);
    return NULL;
}

/* -- life */

static bool is_file(const sl_sink *sink) {
    return plan_is(&sink->connector, "file") && sink->kind == SL_SINK_BY_BATCH;
}

static err *place_one(replay_file *f, uint64_t from, image_reader *before, image_reader *base) {
    uint64_t number = 0;
    if (f->in_batches) {
        if (base) find_position(base, f->sink, &f->first);
        return NULL;
    }
    bool is_known = before && find_position(before, f->sink, &number);
    f->at = (int64_t)number;
    if (is_known || (!before && !from)) return NULL;
    return err_new(ERR_REFUSED,
                   "--diff: how long `%s` was before batch %" PRIu64 " is not stored any more: "
                   "begin with a batch that `sluice checkpoint ls` shows as `next batch`",
                   f->path, from);
}

err *replay_files_open(past *p, uint64_t from, replay_files *f) {
    const sl_plan *plan = p->replay.pipeline.plan;
    const past_record *last = from ? past_record_of(p, from - 1) : NULL;
    *f = (replay_files){ .items = mem_zalloc(plan->sink_count + 1u, sizeof *f->items) };
    image_reader *base = read_object(p, &p->begun);
    image_reader *before = last ? read_object(p, &last->at) : NULL;
    err *e = NULL;
    for (uint32_t i = 0; !e && i < plan->sink_count; i++) {
        const sl_sink *sink = &plan->sinks[i];
        if (!is_file(sink)) continue;
        replay_file *one = &f->items[f->count++];
        *one = (replay_file){ .sink = mem_copy_text(sink->name.data, sink->name.len),
                              .path = option_copy(sink->options, "path", "-"),
                              .in_batches = !option_flag(sink->options, "append", false) };
        e = place_one(one, from, p->begun.batch == from ? base : before, base);
    }
    image_reader_free(base);
    image_reader_free(before);
    return e;
}

void replay_files_done(replay_files *f) {
    for (uint32_t i = 0; i < f->count; i++) {
        mem_free(f->items[i].sink);
        mem_free(f->items[i].path);
    }
    mem_free(f->items);
    *f = (replay_files){ 0 };
}

/* -- what was given */

static replay_file *find(const replay_files *f, const sl_sink *sink) {
    for (uint32_t i = 0; i < f->count; i++) {
        if (plan_is(&sink->name, f->items[i].sink)) return &f->items[i];
    }
    return NULL;
}

bool replay_files_lack(const replay_files *f, const sl_sink *sink) {
    return is_file(sink) && !find(f, sink);
}

static void add_line(const char *name, const char *line, size_t len, replayed_rows *rows) {
    const sl_sink sink = { .name = { .data = name, .len = (uint32_t)strlen(name) } };
    sl_message m = { .value = { .data = line, .len = (uint32_t)len } };
    replayed_rows_add(rows, &sink, &m);
}

bool replay_files_row(replay_files *f, const sl_sink *sink, const sl_message *m,
                      replayed_rows *rows) {
    replay_file *one = find(f, sink);
    buf line;
    if (!one) return false;
    buf_init(&line);
    if (sink->is_side)
        envelope_put_side(&line, m);
    else if (sink->enveloped)
        envelope_put_row(&line, m);
    else
        buf_printf(&line, "%.*s\n", m->value.data ? (int)m->value.len : 4,
                   m->value.data ? m->value.data : "null");
    one->wanted += (int64_t)line.len;
    add_line(one->sink, line.data, line.len - 1, rows);
    buf_done(&line);
    return true;
}

/* -- what is there */

static err *read_lines(const replay_file *f, const char *path, int64_t from, int64_t to,
                       replayed_rows *rows) {
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    if (!file && (f->in_batches || from == to) && errno == ENOENT) return NULL; /* no rows */
    if (!file) return err_new(ERR_IO, "--diff: %s: %s", path, strerror(errno));
    bool is_there = !fseeko(file, from, SEEK_SET);
    for (int64_t at = from; is_there && at < to && (len = getline(&line, &room, file)) > 0;) {
        at += len;
        add_line(f->sink, line, (size_t)len - (line[len - 1] == '\n'), rows);
    }
    mem_free(line);
    fclose(file);
    return NULL;
}

static err *add_batch(const replay_file *f, uint64_t batch, replayed_rows *rows) {
    buf path;
    buf_init(&path);
    buf_printf(&path, "%s/batch-%012" PRIu64 ".jsonl", f->path, f->first + batch);
    err *e = read_lines(f, buf_text(&path), 0, INT64_MAX, rows);
    buf_done(&path);
    return e;
}

/* Where the growing files end behind `batch`. */
static bool find_ends(const replay_files *f, past *p, uint64_t batch, int64_t *ends) {
    const past_record *record = past_record_of(p, batch);
    image_reader *object = record ? read_object(p, &record->at) : NULL;
    bool is_known = object != NULL;
    for (uint32_t i = 0; is_known && i < f->count; i++) {
        uint64_t number = 0;
        if (!f->items[i].in_batches)
            is_known = find_position(object, f->items[i].sink, &number);
        ends[i] = (int64_t)number;
    }
    image_reader_free(object);
    return is_known;
}

static bool has_growing(const replay_files *f) {
    for (uint32_t i = 0; i < f->count; i++)
        if (!f->items[i].in_batches) return true;
    return false;
}

err *replay_files_add(replay_files *f, past *p, uint64_t batch, bool is_last, replayed_rows *rows,
                      bool *is_known) {
    int64_t *ends = mem_zalloc(f->count + 1u, sizeof *ends);
    err *e = NULL;
    bool is_stored = has_growing(f) && find_ends(f, p, batch, ends);
    *is_known = is_stored || is_last || !has_growing(f);
    for (uint32_t i = 0; !e && i < f->count; i++) {
        replay_file *one = &f->items[i];
        if (one->in_batches) e = add_batch(one, batch, rows);
        if (one->in_batches || !*is_known) continue;
        if (!is_stored) ends[i] = one->at + one->wanted;
        e = read_lines(one, one->path, one->at, ends[i], rows);
        one->at = ends[i];
        one->wanted = 0;
    }
    mem_free(ends);
    return e;
}
