/* The engine's input without sockets: a log of record batches in mapped memory.
 *
 *     bench_log pack LINES LOG CODEC    record batches of LINES, each line a value
 *     bench_log unpack LOG [print]      by the runtime's own reader; `print`: values to stdout
 *     bench_log copy FILE               its bytes into memory as large as a batch's
 *
 * The latter two print as JSON records (copy: none), bytes, and the ns of CPU that they took; pages
 * are mapped before. `unpack` is what a leader's thread and main do with an answer that has come:
 * headers, checksums, the codec, where records lie, records. A log of the broker will do as LOG. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/base/mem.h"
#include "runtime/connect/batch_writer.h"
#include "runtime/connect/fetch_answer.h"
#include "tests/bench/mapped_log.h"

enum { BATCH = 512 << 10, /* bytes before they are packed: those of tests/kafka/java/Rides.java */
       MEMORY = 16 << 20, /* of a batch of sluice: max_bytes */
       BLOCK = 1 << 20 };

static void fail(const char *what) {
    fprintf(stderr, "bench_log: %s\n", what);
    exit(1);
}

static void check(err *e) {
    if (e) fail(e->message);
}

static int64_t cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* -- pack */

static void seal(batch_writer *w, pack_tools *tools, unpack_codec codec, int64_t *base,
                 FILE *to) {
    static const batch_producer NOBODY = { .id = -1, .epoch = -1, .sequence = -1 };
    buf out;
    buf_init(&out);
    check(batch_writer_seal(w, tools, codec, &out));
    batch_stamp(out.data, out.len, &NOBODY);
    wire_write_at(out.data, (uint64_t)*base, sizeof *base); /* as the broker does */
    if (fwrite(out.data, 1, out.len, to) != out.len) fail("the log cannot be written");
    *base += w->count;
    batch_writer_reset(w);
    buf_done(&out);
}

static void pack(const char *lines, const char *path, const char *name) {
    mapped in = mapped_open(lines);
    unpack_codec codec = UNPACK_NONE;
    while (codec < UNPACK_CODECS && strcmp(unpack_codec_name(codec), name) != 0) codec++;
    if (codec == UNPACK_CODECS) fail("no such codec");
    pack_tools *tools = pack_tools_new(codec, -1);
    FILE *to = fopen(path, "w");
    if (!to || !tools) fail(path);
    batch_writer w;
    batch_writer_init(&w);
    int64_t base = 0;
    for (const char *end; in.at < in.end; in.at = end + 1) {
        end = memchr(in.at, '\n', (size_t)(in.end - in.at));
        if (!end) fail("the last line has no end");
        sl_message m = { .value = { .data = in.at, .len = (uint32_t)(end - in.at) } };
        if (w.count && w.records.len + batch_record_bytes(&m) > BATCH)
            seal(&w, tools, codec, &base, to);
        batch_writer_put(&w, &m);
    }
    if (w.count) seal(&w, tools, codec, &base, to);
    if (fclose(to)) fail(path);
    batch_writer_done(&w);
    pack_tools_free(tools);
}

/* -- unpack */

typedef struct totals {
    uint64_t records, bytes;
    int64_t ns;
} totals;

/* The records of a block, in the caller's room. */
static void take(const record_block *b, sl_record **records, uint32_t *room, totals *t,
                 bool prints) {
    if (b->count && !b->marks) fail("a block has no marks");
    if (b->count > *room) {
        *room = b->count;
        *records = mem_realloc(*records, *room * sizeof **records);
    }
    record_block_expand(b, 0, *records);
    t->records += b->count;
    t->bytes += (uint64_t)b->marked_bytes;
    for (uint32_t i = 0; prints && i < b->count; i++) {
        fwrite((*records)[i].value.data, 1, (*records)[i].value.len, stdout);
        putchar('\n');
    }
}

static totals unpack(const char *path, bool prints) {
    totals t = { 0 };
    mapped in = mapped_open(path);
    sl_record *records = NULL;
    uint32_t room = 0;
    fetch_wanted wanted = { .most = MAPPED_MOST, .room = INT64_MAX, .tools = unpack_tools_new() };
    int64_t began_ns = cpu_ns();
    while (in.end - in.at >= BATCH_HEADER) {
        bool is_cut;
        fetch_chain chain = { 0 };
        int32_t len = mapped_answer_bytes(in.at, in.end);
        wire_partition answer = { .records = in.at, .records_len = len };
        check(fetch_unpack(&answer, &wanted, &chain, &is_cut));
        for (const record_block *b = chain.first; b; b = b->next)
            take(b, &records, &room, &t, prints);
        if (chain.last) wanted.offset = chain.last->end;
        fetch_chain_free(&chain);
        in.at += answer.records_len;
    }
    t.ns = cpu_ns() - began_ns;
    unpack_tools_free(wanted.tools);
    mem_free(records);
    return t;
}

static totals copy(const char *path) {
    mapped in = mapped_open(path);
    totals t = { .bytes = (uint64_t)(in.end - in.at) };
    char *to = mem_alloc(MEMORY);
    memset(to, 1, MEMORY);
    int64_t began_ns = cpu_ns();
    for (size_t at = 0; in.at < in.end; at = (at + BLOCK) % MEMORY) {
        size_t len = in.end - in.at < BLOCK ? (size_t)(in.end - in.at) : BLOCK;
        memcpy(to + at, in.at, len);
        __asm__ volatile(""
                         :
                         : "r"(to)
                         : "memory"); /* it is read */
        in.at += len;
    }
    t.ns = cpu_ns() - began_ns;
    mem_free(to);
    return t;
}

int main(int argc, char **argv) {
    totals t;
    bool prints = argc == 4 && !strcmp(argv[3], "print");
    if (argc == 5 && !strcmp(argv[1], "pack")) {
        pack(argv[2], argv[3], argv[4]);
        return 0;
    }
    if (argc >= 3 && !strcmp(argv[1], "unpack"))
        t = unpack(argv[2], prints);
    else if (argc == 3 && !strcmp(argv[1], "copy"))
        t = copy(argv[2]);
    else
        return fprintf(stderr, "bench_log pack LINES LOG CODEC | unpack LOG [print] | copy FILE\n"),
               2;
    fprintf(prints ? stderr : stdout,
            "{\"records\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"ns\": %" PRId64 "}\n", t.records,
            t.bytes, t.ns);
    return 0;
}
