/* Ceiling: rows that are there are written to Kafka, by the sink of the runtime, and nothing else.
 *
 *     bench_sink BROKERS TOPIC ROWS
 *
 * ROWS: a file of what users.lua or stateless.lua gives; the key of a row is what stands in front
 * of its window_end, as the pipeline has it; null where there is none. Batches have as many rows as
 * those of R2 (max_bytes), each is waited for. Prints as JSON how many rows there were.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/connect/connectors.h"

enum { ROWS = 120000,
       CHUNK = 4096 };

static void fail(const char *what) {
    fprintf(stderr, "bench_sink: %s\n", what);
    exit(1);
}

static void check(err *e) {
    if (e) fail(e->message);
}

static sl_string string_of(const char *text) {
    return (sl_string){ .data = text, .len = (uint32_t)strlen(text) };
}

static sl_value text_of(const char *name, const char *text) {
    return (sl_value){ .name = string_of(name), .kind = SL_TEXT, .text = string_of(text) };
}

/* The row of a line. */
static sl_message message_of(const char *line, const char *end, int64_t now_ms, arena *keys) {
    static const char BEHIND_KEY[] = ",\"window_end\":";
    size_t len = (size_t)(end - line);
    const char *behind = memmem(line, len, BEHIND_KEY, sizeof BEHIND_KEY - 1);
    sl_string key = { 0 };
    if (behind) {
        size_t key_len = (size_t)(behind - line) + 1;
        char *text = arena_take(keys, key_len, 1);
        memcpy(text, line, key_len - 1);
        text[key_len - 1] = '}';
        key = (sl_string){ .data = text, .len = (uint32_t)key_len };
    }
    return (sl_message){
        .key = key,
        .value = { .data = line, .len = (uint32_t)len },
        .partition = -1,
        .time_ms = now_ms,
    };
}

/* Up to ROWS of the lines at `*at`, as one batch; how many. */
static uint32_t write_batch(const sl_sink_ops *ops, void *sink, uint64_t batch, const char **at,
                            const char *end, arena *keys) {
    static sl_message messages[ROWS];
    clock_source clock = { 0 };
    int64_t now_ms = clock_now_ms(&clock);
    uint32_t count = 0, refused;
    const sl_rejection *rejections;
    check(ops->begin(sink, batch, now_ms));
    while (*at < end && count < ROWS) {
        uint32_t first = count;
        for (const char *stop; *at < end && count - first < CHUNK && count < ROWS; *at = stop + 1) {
            stop = memchr(*at, '\n', (size_t)(end - *at));
            if (!stop) fail("the last row has no end");
            messages[count] = message_of(*at, stop, now_ms, keys);
            messages[count].row = count;
            count++;
        }
        check(ops->write(sink, messages + first, count - first));
    }
    check(ops->flush(sink, &rejections, &refused));
    if (refused) fail(rejections->reason);
    return count;
}

static uint64_t write_rows(const sl_sink_ops *ops, void *sink, const char *path) {
    struct stat about;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &about) || !about.st_size) fail(path);
    const char *at = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) fail(strerror(errno));
    const char *end = at + about.st_size;
    uint64_t rows = 0;
    arena keys;
    arena_init(&keys, 1 << 20);
    for (uint64_t batch = 0; at < end; batch++) {
        rows += write_batch(ops, sink, batch, &at, end, &keys);
        arena_reset(&keys, 1 << 24);
    }
    arena_done(&keys);
    close(fd);
    return rows;
}

int main(int argc, char **argv) {
    static const volatile int stop = 0;
    if (argc != 4) return fprintf(stderr, "bench_sink BROKERS TOPIC ROWS\n"), 2;
    const sl_value items[] = { text_of("brokers", argv[1]), text_of("topic", argv[2]) };
    const sl_value options = { .kind = SL_TABLE, .items = items, .item_count = 2 };
    const sl_sink plan = {
        .name = string_of(argv[2]),
        .connector = string_of("kafka"),
        .options = &options,
        .on_error = SL_ON_ERROR_FAIL,
    };
    logger log;
    clock_source clock = { 0 };
    log_init(&log, 2, LOG_LOGFMT, LOG_INFO); /* it says so when librdkafka writes */
    sl_system system = { .pipeline = "bench", .log = &log, .clock = &clock, .stop = &stop };
    const sl_sink_ops *ops = connector_sink(&plan.connector);
    void *sink;
    check(ops->open(&plan, &system, &sink));
    uint64_t rows = write_rows(ops, sink, argv[3]);
    ops->close(sink);
    printf("{\"rows\": %" PRIu64 "}\n", rows);
    return 0;
}
