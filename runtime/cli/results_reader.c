#include "runtime/cli/results_reader.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/cli/plan_options.h"
#include "runtime/cli/thread.h"
#include "runtime/connect/kafka_source.h"

enum {
    WAIT_MS = 100,
    STEP_RECORDS = 5000, /* of one partition at once */
    STEP_BYTES = 4 << 20,
    STEP_MS = 500,
    LAST_MS = 1000, /* for the leaders' last answers */
    OPTION_COUNT = 4
};

struct results_reader {
    results_reader_options options;
    volatile int never; /* the source's stop: it is closed, not interrupted */
    sl_value *topics;   /* owned */
    sl_value settings[OPTION_COUNT];
    sl_value table;
    sl_source plan;
    void *source;     /* owned */
    sl_range *ranges; /* owned */
    uint32_t range_room;
    sl_records records; /* items owned */
    arena bytes;
    buf lines;
    atomic_bool is_ending;
    bool is_mute; /* nobody takes the lines */
    pthread_t thread;
    bool has_thread;
};

/* -- one step */

/* Ranges of what is there; 0: nothing. */
static uint32_t plan_ranges(results_reader *r, const sl_partition *partitions, uint32_t count) {
    uint32_t planned = 0;
    if (r->range_room < count) {
        r->range_room = count;
        r->ranges = mem_realloc(r->ranges, count * sizeof *r->ranges);
    }
    for (uint32_t p = 0; p < count; p++) {
        int64_t from = partitions[p].position, to = partitions[p].end;
        if (to <= from) continue;
        if (to > from + STEP_RECORDS) to = from + STEP_RECORDS;
        r->ranges[planned++] = (sl_range){ .partition = p, .from = from, .to = to };
    }
    return planned;
}

static uint32_t table_of(const results_reader *r, const char *topic) {
    uint32_t count = results_count(r->options.into);
    for (uint32_t t = 0; t < count; t++)
        if (plan_is(&r->options.plan->sinks[results_sink(r->options.into, t)].name, topic))
            return t;
    return count;
}

static void write_lines(results_reader *r) {
    for (size_t at = 0; at < r->lines.len && !r->is_mute;) {
        ssize_t wrote = write(r->options.lines_fd, r->lines.data + at, r->lines.len - at);
        if (wrote > 0)
            at += (size_t)wrote;
        else
            r->is_mute = true;
    }
    if (r->is_mute && r->lines.len) r->options.on_closed();
    buf_reset(&r->lines);
}

/* Take in what has come; false: nothing was there. */
static err *step(results_reader *r, bool *any) {
    const sl_partition *partitions;
    uint32_t count;
    *any = false;
    err *e = kafka_source_ops.look(r->source, &partitions, &count);
    uint32_t planned = e ? 0 : plan_ranges(r, partitions, count);
    if (!planned) return e;
    e = kafka_source_ops.fetch(r->source, r->ranges, planned, STEP_BYTES, STEP_MS, &r->records,
                               &r->bytes);
    for (uint32_t i = 0; i < r->records.count; i++) {
        const sl_record *m = &r->records.items[i];
        uint32_t table = table_of(r, partitions[m->partition].topic);
        if (table == results_count(r->options.into)) continue;
        results_add(r->options.into, table, m);
        if (r->options.lines_fd >= 0) results_put_json(r->options.into, table, m, &r->lines);
    }
    *any = r->records.count > 0;
    write_lines(r);
    r->records.count = 0;
    arena_reset(&r->bytes, STEP_BYTES);
    return e;
}

/* Trouble of a broker in this process passes, or is told by the pipeline. */
static void forgive(results_reader *r, err *e) {
    if (!e) return;
    log_write(r->options.system.log, e->retriable ? LOG_DEBUG : LOG_WARN, "results cannot be read",
              LOG_FIELDS(log_text("reason", e->message)));
    err_free(e);
}

static void *read_results(void *arg) {
    results_reader *r = arg;
    bool any;
    while (!atomic_load(&r->is_ending)) {
        forgive(r, kafka_source_ops.wait(r->source, WAIT_MS));
        forgive(r, step(r, &any));
    }
    forgive(r, kafka_source_ops.confirm(r->source, LAST_MS));
    do forgive(r, step(r, &any));
    while (any);
    return NULL;
}

/* -- life */

static void plan_source(results_reader *r) {
    uint32_t count = results_count(r->options.into);
    r->topics = mem_zalloc(count, sizeof *r->topics);
    for (uint32_t t = 0; t < count; t++) {
        const sl_sink *sink = &r->options.plan->sinks[results_sink(r->options.into, t)];
        r->topics[t] = (sl_value){ .kind = SL_TEXT, .text = sink->name };
    }
    r->settings[0] = plan_table("topics", r->topics, count);
    r->settings[1] = plan_option("start", plan_text("earliest"));
    r->settings[2] = plan_option("isolation", plan_text("read_uncommitted"));
    r->settings[3] = plan_option("on_data_loss", plan_text("continue"));
    r->table = plan_table("", r->settings, OPTION_COUNT);
    r->plan = (sl_source){ .name = plan_text("results"),
                           .connector = plan_text("kafka"),
                           .options = &r->table };
}

err *results_reader_open(const results_reader_options *options, results_reader **out) {
    results_reader *r = mem_zalloc(1, sizeof *r);
    *out = r;
    r->options = *options;
    r->options.system.stop = &r->never;
    r->is_mute = options->lines_fd < 0;
    arena_init(&r->bytes, 1 << 20);
    buf_init(&r->lines);
    if (!results_count(r->options.into)) return NULL;
    plan_source(r);
    err *e = kafka_source_ops.open(&r->plan, &r->options.system, &r->source);
    if (e) return err_wrap(e, "reading results");
    r->has_thread = thread_start(&r->thread, read_results, r);
    return r->has_thread ? NULL : err_new(ERR_IO, "no thread for reading results");
}

void results_reader_close(results_reader *r) {
    if (!r) return;
    atomic_store(&r->is_ending, true);
    if (r->has_thread) pthread_join(r->thread, NULL);
    if (r->source) kafka_source_ops.close(r->source);
    arena_done(&r->bytes);
    buf_done(&r->lines);
    mem_free(r->records.items);
    mem_free(r->ranges);
    mem_free(r->topics);
    mem_free(r);
}
