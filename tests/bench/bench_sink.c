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
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "tests/bench/kafka_rows.h"

enum { ROWS = 120000,
       CHUNK = 4096 };

static void fail(const char *what) {
    fprintf(stderr, "bench_sink: %s\n", what);
    exit(1);
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
static uint32_t write_batch(kafka_rows *to, const char **at, const char *end, arena *keys) {
    static sl_message messages[ROWS];
    int64_t now_ms = kafka_rows_begin(to);
    uint32_t count = 0;
    while (*at < end && count < ROWS) {
        uint32_t first = count;
        for (const char *stop; *at < end && count - first < CHUNK && count < ROWS; *at = stop + 1) {
            stop = memchr(*at, '\n', (size_t)(end - *at));
            if (!stop) fail("the last row has no end");
            messages[count] = message_of(*at, stop, now_ms, keys);
            messages[count].row = count;
            count++;
        }
        kafka_rows_write(to, messages + first, count - first);
    }
    kafka_rows_end(to);
    return count;
}

static uint64_t write_rows(kafka_rows *to, const char *path) {
    struct stat about;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &about) || !about.st_size) fail(path);
    const char *at = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) fail(strerror(errno));
    const char *end = at + about.st_size;
    uint64_t rows = 0;
    arena keys;
    arena_init(&keys, 1 << 20);
    while (at < end) {
        rows += write_batch(to, &at, end, &keys);
        arena_reset(&keys, 1 << 24);
    }
    arena_done(&keys);
    close(fd);
    return rows;
}

int main(int argc, char **argv) {
    if (argc != 4) return fprintf(stderr, "bench_sink BROKERS TOPIC ROWS\n"), 2;
    kafka_rows to;
    kafka_rows_open(&to, argv[1], argv[2], "lz4"); /* as by default */
    uint64_t rows = write_rows(&to, argv[3]);
    kafka_rows_close(&to);
    printf("{\"rows\": %" PRIu64 "}\n", rows);
    return 0;
}
