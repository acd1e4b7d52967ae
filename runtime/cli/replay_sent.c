#include "runtime/cli/replay_sent.h"

#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/connect/connectors.h"

enum { FETCH_BYTES = 16 << 20,
       FETCH_MS = 1000,
       ASK_MS = 5000,
       MOST_ITEMS = 8 };

static bool is_text(const sl_string *s, const char *text) {
    return s->len == strlen(text) && !memcmp(s->data, text, s->len);
}

static const sl_value *option(const sl_sink *sink, const char *name) {
    for (uint32_t i = 0; sink->options && i < sink->options->item_count; i++)
        if (is_text(&sink->options->items[i].name, name)) return &sink->options->items[i];
    return NULL;
}

bool replay_sent_can(const sl_sink *sink) {
    const sl_value *topic = option(sink, "topic");
    return is_text(&sink->connector, "kafka") && topic && topic->kind == SL_TEXT;
}

static sl_string name_of(const char *text) {
    return (sl_string){ .data = text, .len = (uint32_t)strlen(text) };
}

/* A source over the sink's topic. */
typedef struct topic_source {
    sl_value items[MOST_ITEMS], options, time;
    sl_source plan;
    const sl_source_ops *ops;
    void *handle;
    sl_records records;
    arena bytes;
} topic_source;

static void make_plan(topic_source *t, const sl_sink *sink, int64_t from_ms) {
    static const char *const SHARED[] = { "brokers", "tls", "sasl" };
    sl_value *items = t->items;
    uint32_t count = 0;
    for (size_t i = 0; i < sizeof SHARED / sizeof *SHARED; i++) {
        const sl_value *item = option(sink, SHARED[i]);
        if (item) items[count++] = *item;
    }
    items[count] = *option(sink, "topic");
    items[count++].name = name_of("topics");
    t->time = (sl_value){ .name = name_of("timestamp"),
                          .kind = SL_NUMBER,
                          .number = (double)from_ms };
    items[count++] = (sl_value){ .name = name_of("start"),
                                 .kind = SL_TABLE,
                                 .item_count = 1,
                                 .items = &t->time };
    t->options = (sl_value){ .kind = SL_TABLE, .item_count = count, .items = items };
    t->plan = (sl_source){ .name = sink->name,
                           .connector = sink->connector,
                           .options = &t->options,
                           .max_records = INT32_MAX,
                           .max_bytes = FETCH_BYTES,
                           .max_time_ms = FETCH_MS };
    t->ops = connector_source(&t->plan.connector);
}

static void keep(replay_sent *s, const sl_record *r) {
    if (s->count == s->room) {
        s->room = s->room ? 2 * s->room : 256;
        s->rows = mem_realloc(s->rows, s->room * sizeof *s->rows);
    }
    s->rows[s->count++] = (sent_row){ .time_ms = r->time_ms,
                                      .row = replayed_row_new(0, &r->key, &r->value) };
}

/* All partitions up to where they end now. */
static err *read_topic(topic_source *t, int64_t from_ms, int64_t to_ms, replay_sent *s) {
    const sl_partition *all;
    uint32_t count;
    err *e = t->ops->look(t->handle, &all, &count);
    sl_range *ranges = mem_zalloc(count + 1u, sizeof *ranges);
    int64_t *ends = mem_zalloc(count + 1u, sizeof *ends);
    for (uint32_t p = 0; !e && p < count; p++) ends[p] = all[p].end;
    while (!e) {
        uint32_t wanted = 0;
        for (uint32_t p = 0; p < count; p++)
            if (all[p].position < ends[p])
                ranges[wanted++] = (sl_range){ p, 0, all[p].position, ends[p] };
        if (!wanted) break;
        e = t->ops->fetch(t->handle, ranges, wanted, FETCH_BYTES, FETCH_MS, &t->records,
                          &t->bytes);
        for (uint32_t i = 0; !e && i < t->records.count; i++) {
            const sl_record *r = &t->records.items[i];
            if (r->time_ms >= from_ms && r->time_ms <= to_ms) keep(s, r);
        }
        t->records.count = 0;
        arena_reset(&t->bytes, FETCH_BYTES);
        if (!e) e = t->ops->look(t->handle, &all, &count);
    }
    mem_free(ranges);
    mem_free(ends);
    return e;
}

err *replay_sent_read(const sl_sink *sink, const sl_system *system, int64_t from_ms, int64_t to_ms,
                      replay_sent *s) {
    topic_source t = { 0 };
    *s = (replay_sent){ .sink = mem_copy_text(sink->name.data, sink->name.len) };
    arena_init(&t.bytes, FETCH_BYTES);
    make_plan(&t, sink, from_ms);
    err *e = t.ops->open(&t.plan, system, &t.handle);
    if (!e) e = t.ops->confirm(t.handle, ASK_MS);
    if (!e) e = read_topic(&t, from_ms, to_ms, s);
    if (t.handle) t.ops->close(t.handle);
    mem_free(t.records.items);
    arena_done(&t.bytes);
    return err_wrap(e, "reading what `%.*s` holds", (int)sink->name.len, sink->name.data);
}

void replay_sent_done(replay_sent *s) {
    for (uint32_t i = 0; i < s->count; i++) mem_free(s->rows[i].row.bytes);
    mem_free(s->rows);
    mem_free(s->sink);
    *s = (replay_sent){ 0 };
}

void replay_sent_add(const replay_sent *s, int64_t now_ms, replayed_rows *rows) {
    const sl_sink sink = { .name = name_of(s->sink) };
    for (uint32_t i = 0; i < s->count; i++) {
        const replayed_row *row = &s->rows[i].row;
        if (s->rows[i].time_ms != now_ms) continue;
        sl_string key = { .data = row->key_len < 0 ? NULL : row->bytes,
                          .len = row->key_len < 0 ? 0 : (uint32_t)row->key_len };
        sl_string value = { .data = row->value_len < 0 ? NULL : row->bytes + key.len,
                            .len = row->value_len < 0 ? 0 : (uint32_t)row->value_len };
        sl_message m = { .key = key, .value = value };
        replayed_rows_add(rows, &sink, &m);
    }
}
