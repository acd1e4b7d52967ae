/* A ledger and its sinks by hand, for tests/e2e/test_transactions*.py: a command a line on stdin,
 * an answer a line on stdout.
 *
 *   open GROUP exactly-once|at-least-once TIMEOUT_MS COMPRESSION TOPIC[,TOPIC..]
 *   read | begin | abort | check | close
 *   claim POINTER TOPIC:PARTITION:OFFSET..     commit likewise
 *   write SINK BATCH COUNT BYTES [ROW:BYTES|no-keys]   rows of random letters; one of another
 *                                             size, or every second one without a key
 *   flush SINK
 *   measure COUNT ROWS BYTES POINTER PAUSE_MS MARK..    transactions: first, p50, p99 in us
 *
 *   ok MS WHAT..        |        error CODE retriable fatal MS MESSAGE */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/connect/connectors.h"

enum { MOST_SINKS = 8,
       MOST_WORDS = 64,
       LINE_BYTES = 8192,
       MOST_OPTIONS = 4 };

typedef struct driver {
    logger log;
    clock_source clock;
    volatile int stop;
    sl_system system;
    sl_checkpoint plan;
    sl_value options[MOST_OPTIONS], config[1], table;
    sl_sink sinks[MOST_SINKS];
    sl_value sink_options[MOST_SINKS][MOST_OPTIONS], sink_tables[MOST_SINKS];
    void *handles[MOST_SINKS];
    uint32_t sink_count;
    const sl_ledger_ops *ledger_ops;
    const sl_sink_ops *sink_ops;
    buf bytes;            /* of the rows under way */
    sl_message *messages; /* owned */
    uint32_t room, seed;
    char line[LINE_BYTES], names[LINE_BYTES]; /* names: what plans point to */
    char *words[MOST_WORDS];
    uint32_t word_count;
    buf out; /* the answer's details */
} driver;

static sl_string string_of(const char *text) {
    return (sl_string){ .data = text, .len = (uint32_t)strlen(text) };
}

static sl_value text_value(const char *name, const char *text) {
    return (sl_value){ .name = string_of(name), .kind = SL_TEXT, .text = string_of(text) };
}

static sl_value table_value(const char *name, const sl_value *items, uint32_t count) {
    return (
        sl_value){ .name = string_of(name), .kind = SL_TABLE, .items = items, .item_count = count };
}

static int64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static err *open_sinks(driver *d, char *topics, const char *compression) {
    char *rest = topics;
    for (char *topic; (topic = strsep(&rest, ","));) {
        uint32_t i = d->sink_count;
        sl_value *items = d->sink_options[i];
        items[0] = text_value("topic", topic);
        items[1] = text_value("compression", compression);
        items[2] = text_value("brokers", getenv("KAFKA_BROKERS"));
        d->sink_tables[i] = table_value("", items, 3);
        d->sinks[i] = (sl_sink){ .name = string_of(topic),
                                 .connector = string_of("kafka"),
                                 .options = &d->sink_tables[i],
                                 .kind = d->plan.delivery == SL_EXACTLY_ONCE
                                             ? SL_SINK_TRANSACTIONAL
                                             : SL_SINK_REPEATS };
        err *e = d->sink_ops->open(&d->sinks[i], &d->system, &d->handles[i]);
        if (e) return e;
        d->sink_count++;
    }
    return NULL;
}

static err *run_open(driver *d) {
    memcpy(d->names, d->line, sizeof d->names);
    char *at[6];
    for (int i = 0; i < 6; i++) at[i] = d->names + (d->words[i] - d->line);
    d->config[0] = (sl_value){ .name = string_of("transaction.timeout.ms"),
                               .kind = SL_NUMBER,
                               .number = atof(at[3]) };
    d->options[0] = text_value("brokers", getenv("KAFKA_BROKERS"));
    d->options[1] = table_value("config", d->config, 1);
    d->table = table_value("", d->options, 2);
    d->plan = (sl_checkpoint){ .ledger = string_of("kafka"),
                               .group = string_of(at[1]),
                               .options = &d->table,
                               .delivery = strcmp(at[2], "exactly-once") ? SL_AT_LEAST_ONCE
                                                                         : SL_EXACTLY_ONCE };
    err *e = d->ledger_ops->open(&d->plan, &d->system, &d->system.ledger);
    return e ? e : open_sinks(d, at[5], at[4]);
}

static err *run_close(driver *d) {
    for (uint32_t i = 0; i < d->sink_count; i++) d->sink_ops->close(d->handles[i]);
    d->sink_count = 0;
    if (d->system.ledger) d->ledger_ops->close(d->system.ledger);
    d->system.ledger = NULL;
    return NULL;
}

static err *run_read(driver *d) {
    const sl_committed *items;
    uint32_t count;
    err *e = d->ledger_ops->read(d->system.ledger, &items, &count);
    for (uint32_t i = 0; !e && i < count; i++)
        buf_printf(&d->out, " %s:%d:%lld:%s", items[i].mark.topic, (int)items[i].mark.partition,
                   (long long)items[i].mark.offset, items[i].pointer);
    return e;
}

/* The words from `from` on as marks. */
static uint32_t read_marks(driver *d, uint32_t from, sl_mark *marks) {
    uint32_t count = 0;
    for (uint32_t i = from; i < d->word_count; i++) {
        char *rest = d->words[i], *topic = strsep(&rest, ":"), *partition = strsep(&rest, ":");
        marks[count++] = (sl_mark){ .topic = topic,
                                    .partition = atoi(partition),
                                    .offset = strtoll(rest, NULL, 10) };
    }
    return count;
}

typedef err *commit_call(void *ledger, const char *pointer, const sl_mark *marks, uint32_t count);

static err *run_marks(driver *d, commit_call *call) {
    sl_mark marks[MOST_WORDS];
    uint32_t count = read_marks(d, 2, marks);
    return call(d->system.ledger, d->words[1], marks, count);
}

static void fill_row(driver *d, size_t bytes) {
    char *at = buf_need(&d->bytes, bytes);
    for (size_t i = 0; i < bytes; i++) {
        d->seed = d->seed * 1664525u + 1013904223u;
        at[i] = (char)('a' + (d->seed >> 16) % 26);
    }
    d->bytes.len += bytes;
}

/* Rows "BATCH.ROW.random", keyed by their number. */
static void fill_rows(driver *d, uint64_t batch, uint32_t count, size_t bytes, uint32_t odd_row,
                      size_t odd_bytes) {
    if (d->room < count) {
        d->room = count;
        d->messages = mem_realloc(d->messages, count * sizeof *d->messages);
    }
    buf_reset(&d->bytes);
    d->seed = (uint32_t)batch + 1;
    size_t *ends = mem_alloc((size_t)(2 * count + 1) * sizeof *ends);
    for (uint32_t i = 0; i < count; i++) {
        ends[2 * i] = d->bytes.len;
        buf_printf(&d->bytes, "%u", i);
        ends[2 * i + 1] = d->bytes.len;
        buf_printf(&d->bytes, "%llu.%u.", (unsigned long long)batch, i);
        fill_row(d, i == odd_row ? odd_bytes : bytes);
    }
    ends[2 * count] = d->bytes.len;
    for (uint32_t i = 0; i < count; i++) {
        const char *key = d->bytes.data + ends[2 * i], *value = d->bytes.data + ends[2 * i + 1];
        const char *end = d->bytes.data + ends[2 * i + 2];
        d->messages[i] = (sl_message){ .key = { .data = key, .len = (uint32_t)(value - key) },
                                       .value = { .data = value, .len = (uint32_t)(end - value) },
                                       .partition = -1,
                                       .time_ms = clock_now_ms(&d->clock),
                                       .row = i };
    }
    mem_free(ends);
}

static err *write_rows(driver *d, uint32_t sink, uint64_t batch, uint32_t count) {
    err *e = d->sink_ops->begin(d->handles[sink], batch, clock_now_ms(&d->clock));
    return e ? e : d->sink_ops->write(d->handles[sink], d->messages, count);
}

static err *run_write(driver *d) {
    uint64_t batch = strtoull(d->words[2], NULL, 10);
    uint32_t count = (uint32_t)atoi(d->words[3]), odd_row = UINT32_MAX;
    size_t odd_bytes = 0;
    bool no_keys = d->word_count > 5 && !strcmp(d->words[5], "no-keys");
    if (d->word_count > 5 && !no_keys) {
        char *rest = d->words[5];
        odd_row = (uint32_t)atoi(strsep(&rest, ":"));
        odd_bytes = strtoull(rest, NULL, 10);
    }
    fill_rows(d, batch, count, strtoull(d->words[4], NULL, 10), odd_row, odd_bytes);
    for (uint32_t i = 0; no_keys && i < count; i += 2) d->messages[i].key = (sl_string){ 0 };
    return write_rows(d, (uint32_t)atoi(d->words[1]), batch, count);
}

static err *run_flush(driver *d) {
    const sl_rejection *rejections;
    uint32_t count;
    err *e = d->sink_ops->flush(d->handles[atoi(d->words[1])], &rejections, &count);
    for (uint32_t i = 0; !e && i < count; i++) buf_printf(&d->out, " %u", rejections[i].row);
    return e;
}

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static err *run_one(driver *d, uint64_t batch, uint32_t rows, const sl_mark *marks,
                    uint32_t mark_count) {
    const sl_rejection *rejections;
    uint32_t rejected;
    err *e = d->ledger_ops->begin(d->system.ledger);
    if (!e) e = write_rows(d, 0, batch, rows);
    if (!e) e = d->sink_ops->flush(d->handles[0], &rejections, &rejected);
    return e ? e : d->ledger_ops->commit(d->system.ledger, d->words[4], marks, mark_count);
}

static err *run_measure(driver *d) {
    uint32_t count = (uint32_t)atoi(d->words[1]), rows = (uint32_t)atoi(d->words[2]);
    sl_mark marks[MOST_WORDS];
    uint32_t mark_count = read_marks(d, 6, marks);
    int64_t pause_ms = atoi(d->words[5]);
    struct timespec pause = { .tv_sec = pause_ms / 1000, .tv_nsec = pause_ms % 1000 * 1000000 };
    int64_t *took_us = mem_zalloc(count, sizeof *took_us);
    err *e = NULL;
    fill_rows(d, 0, rows, strtoull(d->words[3], NULL, 10), UINT32_MAX, 0);
    for (uint32_t i = 0; !e && i < count; i++) {
        int64_t start_us = now_us();
        e = run_one(d, i, rows, marks, mark_count);
        took_us[i] = now_us() - start_us;
        nanosleep(&pause, NULL);
    }
    int64_t first_us = took_us[0];
    qsort(took_us, count, sizeof *took_us, by_value);
    buf_printf(&d->out, " %lld %lld %lld", (long long)first_us, (long long)took_us[count / 2],
               (long long)took_us[count - 1 - count / 100]);
    mem_free(took_us);
    return e;
}

static err *run(driver *d) {
    const char *name = d->words[0];
    void *ledger = d->system.ledger;
    if (!strcmp(name, "open")) return run_open(d);
    if (!strcmp(name, "close")) return run_close(d);
    if (!strcmp(name, "read")) return run_read(d);
    if (!strcmp(name, "begin")) return d->ledger_ops->begin(ledger);
    if (!strcmp(name, "abort")) return d->ledger_ops->abort(ledger);
    if (!strcmp(name, "check")) return d->ledger_ops->check(ledger);
    if (!strcmp(name, "claim")) return run_marks(d, d->ledger_ops->claim);
    if (!strcmp(name, "commit")) return run_marks(d, d->ledger_ops->commit);
    if (!strcmp(name, "write")) return run_write(d);
    if (!strcmp(name, "flush")) return run_flush(d);
    if (!strcmp(name, "measure")) return run_measure(d);
    return err_new(ERR_USAGE, "no such command: %s", name);
}

static void answer(driver *d, err *e, int64_t took_ms) {
    if (e)
        printf("error %d %d %d %lld %s\n", (int)e->code, e->retriable, e->fatal,
               (long long)took_ms, e->message);
    else
        printf("ok %lld%s\n", (long long)took_ms, buf_text(&d->out));
    fflush(stdout);
    err_free(e);
}

int main(void) {
    static driver d;
    const sl_string kafka = string_of("kafka");
    log_init(&d.log, 2, LOG_LOGFMT, getenv("DRIVER_DEBUG") ? LOG_DEBUG : LOG_INFO);
    d.system = (sl_system){ .pipeline = "driver",
                            .log = &d.log,
                            .clock = &d.clock,
                            .stop = &d.stop };
    d.ledger_ops = connector_ledger(&kafka);
    d.sink_ops = connector_sink(&kafka);
    buf_init(&d.bytes);
    buf_init(&d.out);
    while (fgets(d.line, sizeof d.line, stdin)) {
        char *rest = d.line;
        d.word_count = 0;
        for (char *word; d.word_count < MOST_WORDS && (word = strsep(&rest, " \n"));)
            if (*word) d.words[d.word_count++] = word;
        if (!d.word_count) continue;
        buf_reset(&d.out);
        int64_t start_us = now_us();
        err *e = run(&d);
        answer(&d, e, (now_us() - start_us) / 1000);
    }
    err_free(run_close(&d));
    buf_done(&d.bytes);
    buf_done(&d.out);
    mem_free(d.messages);
    log_done(&d.log);
    return 0;
}
