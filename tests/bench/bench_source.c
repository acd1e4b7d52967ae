/* Ceilings: records that are brought, by the sources of the runtime, and nothing done with them.
 *
 *     bench_source bytes PATH                           plain read(), newlines counted
 *     bench_source file PATH COUNT [decode]             the file source, also with the decoder
 *     bench_source kafka BROKERS TOPIC COUNT [print]    the Kafka source; `print`: values to stdout
 *     bench_source librdkafka BROKERS TOPIC COUNT       the same, reading by librdkafka
 *
 * Prints what came as JSON (`print`: to stderr): records, bytes, a sum over the decoded rows, and
 * Unix ms of the first and the last batch. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/codec/codec.h"
#include "runtime/connect/connectors.h"
#include "runtime/flow/input.h"

enum { VECTOR = 2048,
       BLOCK = 1 << 20 };

typedef struct ride {
    sl_row head;
    sl_string event_id, user_id, event_type;
    double amount;
    int64_t ts;
} ride;

typedef struct totals {
    uint64_t records, bytes;
    int64_t ts_sum; /* wraps */
    double amount_sum;
    int64_t first_ms, last_ms;
} totals;

#define NAME(text) \
    { .data = (text), .len = sizeof(text) - 1 }
#define TEXT(name_, text_)                                                              \
    {                                                                                   \
        .name = NAME(name_), .kind = SL_TEXT, .text = {.data = (text_),                 \
                                                       .len = (uint32_t)strlen(text_) } \
    }
#define FIELD(text, kind, member, bit, is_required) \
    { .column = { .name = NAME(text),               \
                  .offset = offsetof(ride, member), \
                  .null_bit = (bit),                \
                  .type = (kind) },                 \
      .from = SL_FROM_VALUE,                        \
      .path = &(const sl_string)NAME(text),         \
      .path_count = 1,                              \
      .required = (is_required) }

static const sl_field fields[] = {
    FIELD("event_id", SL_STRING, event_id, 0, 1),
    FIELD("user_id", SL_STRING, user_id, 1, 1),
    FIELD("event_type", SL_STRING, event_type, 2, 0),
    FIELD("amount", SL_DOUBLE, amount, 3, 0),
    FIELD("ts", SL_INT64, ts, 4, 1),
};

static uint32_t length(const char *text) {
    return (uint32_t)strlen(text);
}

static void fail(const char *what) {
    fprintf(stderr, "bench_source: %s\n", what);
    exit(1);
}

static void check(err *e) {
    if (e) fail(e->message);
}

/* As scripts/ride_counts.lua has it, limits at their defaults. */
static sl_source ride_source(const char *connector, const char *name, const sl_value *options) {
    return (sl_source){
        .name = { .data = name, .len = length(name) },
        .connector = { .data = connector, .len = length(connector) },
        .format = NAME("json"),
        .options = options,
        .fields = fields,
        .field_count = sizeof fields / sizeof *fields,
        .row_size = sizeof(ride),
        .null_words = 1,
        .bounded = !strcmp(connector, "file"),
        .max_records = 500000,
        .max_bytes = 16 << 20,
        .max_time_ms = 10000,
    };
}

static void decode(decoder *d, const input *in, ride *rows, arena *strings, totals *t) {
    bad_record bad;
    const record_origin origin = { .topic = "rides" };
    for (uint32_t i = 0; i < in->load.records.count; i++) {
        ride *row = &rows[i % VECTOR];
        if (i % VECTOR == 0) arena_reset(strings, 1 << 20);
        if (!decoder_decode(d, &in->load.records.items[i], &origin, &row->head, strings, &bad))
            fail(bad.reason);
        t->ts_sum += row->ts;
        t->amount_sum += row->amount;
    }
}

static void print_values(const input *in) {
    for (uint32_t i = 0; i < in->load.records.count; i++) {
        const sl_string *value = &in->load.records.items[i].value;
        fwrite(value->data, 1, value->len, stdout);
        putchar('\n');
    }
}

static void count(const input *in, totals *t) {
    clock_source clock = { 0 };
    if (!in->load.records.count) return;
    t->last_ms = clock_now_ms(&clock);
    if (!t->records) t->first_ms = t->last_ms;
    t->records += in->load.records.count;
    for (uint32_t i = 0; i < in->load.records.count; i++)
        t->bytes += in->load.records.items[i].value.len;
}

/* Batch after batch until `wanted` records have come. */
static void drain(const sl_source *source, uint64_t wanted, bool decodes, bool prints, totals *t) {
    static const volatile int stop = 0;
    logger log;
    clock_source clock = { 0 };
    log_init(&log, 2, LOG_LOGFMT, LOG_WARN);
    sl_system system = { .pipeline = "bench", .log = &log, .clock = &clock, .stop = &stop };
    input in;
    decoder *d;
    arena strings;
    arena_init(&strings, 1 << 16);
    ride *rows = calloc(VECTOR, sizeof *rows);
    check(decoder_new(source, &d));
    check(input_open(&in, source, source, connector_source(&source->connector), &system, 0, false));
    for (uint64_t batch = 0; t->records < wanted; batch++) {
        check(input_look(&in));
        if (!input_backlog(&in)) {
            if (source->bounded) break;
            check(in.ops->wait(in.handle, 100));
            continue;
        }
        input_plan(&in, batch, clock_now_ms(&clock));
        check(input_fetch(&in));
        count(&in, t);
        if (decodes) decode(d, &in, rows, &strings, t);
        if (prints) print_values(&in);
        input_release(&in, true);
    }
    input_close(&in);
    decoder_free(d);
    arena_done(&strings);
    free(rows);
}

static void read_bytes(const char *path, totals *t) {
    clock_source clock = { 0 };
    char *block = malloc(BLOCK);
    int fd = open(path, O_RDONLY);
    if (fd < 0) fail(path);
    t->first_ms = clock_now_ms(&clock);
    for (ssize_t got; (got = read(fd, block, BLOCK)) > 0;) {
        const char *at = block, *end = block + got;
        while ((at = memchr(at, '\n', (size_t)(end - at)))) at++, t->records++;
        t->bytes += (uint64_t)got;
    }
    t->bytes -= t->records; /* newlines */
    t->last_ms = clock_now_ms(&clock);
    close(fd);
    free(block);
}

static void print_totals(const totals *t, FILE *out) {
    fprintf(out, "{\"records\": %" PRIu64 ", \"bytes\": %" PRIu64 ", ", t->records, t->bytes);
    fprintf(out, "\"ts_sum\": %" PRId64 ", \"amount_sum\": %.2f, ", t->ts_sum, t->amount_sum);
    fprintf(out, "\"first_ms\": %" PRId64 ", \"last_ms\": %" PRId64 "}\n", t->first_ms, t->last_ms);
}

int main(int argc, char **argv) {
    totals t = { 0 };
    bool prints = argc == 6 && !strcmp(argv[5], "print");
    if (argc == 3 && !strcmp(argv[1], "bytes")) {
        read_bytes(argv[2], &t);
    } else if (argc >= 4 && !strcmp(argv[1], "file")) {
        const sl_value items[] = { TEXT("path", argv[2]) };
        const sl_value options = { .kind = SL_TABLE, .items = items, .item_count = 1 };
        sl_source source = ride_source("file", argv[2], &options);
        drain(&source, strtoull(argv[3], NULL, 10), argc > 4, false, &t);
    } else if (argc >= 5 && (!strcmp(argv[1], "kafka") || !strcmp(argv[1], "librdkafka"))) {
        const sl_value items[] = { TEXT("brokers", argv[2]), TEXT("start", "earliest"),
                                   TEXT("topics", argv[3]),
                                   TEXT("fetch", *argv[1] == 'k' ? "auto" : argv[1]) };
        const sl_value options = { .kind = SL_TABLE, .items = items, .item_count = 4 };
        sl_source source = ride_source("kafka", argv[3], &options);
        drain(&source, strtoull(argv[4], NULL, 10), false, prints, &t);
    } else {
        fail("bytes PATH | file PATH COUNT [decode] | "
             "kafka|librdkafka BROKERS TOPIC COUNT [print]");
    }
    print_totals(&t, prints ? stderr : stdout);
    return 0;
}
