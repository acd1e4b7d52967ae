/* The engine without sockets and without a file reader: `sluice` as it is, but what scripts call
 * files are mapped logs of record batches (bench_log pack), which the runtime's own reader
 * unpacks as if a leader had sent them. `bench_mapped run SCRIPT.lua --set source.path=LOG`; of a
 * pattern each log is a partition.
 *
 * DESIGN: the linker puts __wrap_connector_source in the place of connector_source, so that
 * nothing in the runtime knows of it. What the reader's threads do with an answer that has come
 * and what main does behind them (kafka_take.c: a block whose bytes go into the batch as they are)
 * is done here in one call. Batches end where blocks end. */
#include <glob.h>
#include <poll.h>
#include <stdbool.h>

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/connect/connectors.h"
#include "runtime/connect/fetch_answer.h"
#include "runtime/connect/options.h"
#include "tests/bench/mapped_log.h"

enum { LAST_DELTA_FROM = 23 }; /* record_batch.h */

/* What a log has beside its sl_partition. */
typedef struct mapped_partition {
    mapped log;        /* what is not yet unpacked */
    fetch_chain chain; /* unpacked, not yet taken */
    int64_t offset;    /* of what is unpacked next */
} mapped_partition;

typedef struct mapped_source {
    const sl_system *system;  /* borrowed until close */
    glob_t paths;             /* topics of the partitions */
    mapped_partition *logs;   /* owned */
    sl_partition *partitions; /* owned */
    unpack_tools *tools;      /* owned */
} mapped_source;

/* The offset behind the last batch. */
static int64_t end_of(mapped log) {
    int64_t end = 0;
    for (const char *at = log.at; log.end - at >= BATCH_HEADER;) {
        wire_reader base = { .at = at, .end = log.end };
        wire_reader delta = { .at = at + LAST_DELTA_FROM, .end = log.end };
        end = wire_int64(&base) + wire_int32(&delta) + 1;
        at += mapped_batch_bytes(at, log.end);
    }
    return end;
}

static err *source_open(const sl_source *plan, const sl_system *system, void **source) {
    mapped_source *s = *source = mem_zalloc(1, sizeof *s);
    char *pattern = option_copy(plan->options, "path", "");
    if (glob(pattern, 0, NULL, &s->paths)) mapped_fail(pattern);
    mem_free(pattern);
    s->system = system;
    s->tools = unpack_tools_new();
    s->logs = mem_zalloc(s->paths.gl_pathc, sizeof *s->logs);
    s->partitions = mem_zalloc(s->paths.gl_pathc, sizeof *s->partitions);
    for (size_t i = 0; i < s->paths.gl_pathc; i++) {
        s->logs[i].log = mapped_open(s->paths.gl_pathv[i]);
        s->partitions[i] = (sl_partition){
            .topic = s->paths.gl_pathv[i],
            .end = end_of(s->logs[i].log),
            .ended = !option_flag(plan->options, "follow", false),
            .is_whole = 1,
        };
    }
    return NULL;
}

static err *source_look(void *source, const sl_partition **partitions, uint32_t *count) {
    mapped_source *s = source;
    *partitions = s->partitions;
    *count = (uint32_t)s->paths.gl_pathc;
    for (uint32_t i = 0; i < *count; i++)
        s->partitions[i].confirmed_ms = clock_steady_ms(s->system->clock);
    return NULL;
}

static err *source_confirm(void *source, int64_t timeout_ms) {
    (void)source, (void)timeout_ms;
    return NULL;
}

static err *source_wait(void *source, int64_t timeout_ms) {
    (void)source;
    poll(NULL, 0, (int)timeout_ms);
    return NULL;
}

/* Unpack the next answer, if all blocks are taken. */
static err *fill(mapped_partition *p, unpack_tools *tools) {
    bool is_cut;
    if (p->chain.first) return NULL;
    wire_partition answer = {
        .records = p->log.at,
        .records_len = mapped_answer_bytes(p->log.at, p->log.end),
    };
    fetch_wanted wanted = {
        .offset = p->offset,
        .most = MAPPED_MOST,
        .room = INT64_MAX,
        .tools = tools,
    };
    p->chain = (fetch_chain){ 0 };
    err *e = fetch_unpack(&answer, &wanted, &p->chain, &is_cut);
    if (e) return e;
    if (!p->chain.first) mapped_fail("an answer without records");
    p->log.at += answer.records_len;
    p->offset = p->chain.last->end;
    return NULL;
}

/* The first block, as records of partition `index`. */
static void take(mapped_partition *p, uint32_t index, sl_records *records, arena *bytes) {
    record_block *b = p->chain.first;
    if (b->count && !b->marks) mapped_fail("a block has no marks");
    if (records->count + b->count > records->room) {
        records->room = 2 * (records->count + b->count);
        records->items = mem_realloc(records->items, records->room * sizeof *records->items);
    }
    record_block_expand(b, index, records->items + records->count);
    records->count += b->count;
    arena_give(bytes, b->bytes);
    b->bytes = NULL;
    p->chain.first = b->next;
    record_block_free(b);
}

/* Whole blocks, as long as they end in the range and cost no more than `share` bytes. */
static err *fetch_range(mapped_source *s, sl_range *range, int64_t share, sl_records *records,
                        arena *bytes) {
    mapped_partition *p = &s->logs[range->partition];
    sl_partition *told = &s->partitions[range->partition];
    if (range->from != told->position) mapped_fail("records can be had in their order only");
    while (told->position < range->to) {
        err *e = fill(p, s->tools);
        if (e) return e;
        const record_block *b = p->chain.first;
        share -= record_block_cost(b);
        if (b->end > range->to || share < 0) break;
        told->position = b->end;
        take(p, range->partition, records, bytes);
    }
    range->to = told->position;
    return NULL;
}

static err *source_fetch(void *source, sl_range *ranges, uint32_t count, int64_t max_bytes,
                         int64_t timeout_ms, sl_records *records, arena *bytes) {
    (void)timeout_ms;
    uint32_t before = records->count;
    for (uint32_t i = 0; i < count; i++) {
        err *e = fetch_range(source, &ranges[i], max_bytes / count, records, bytes);
        if (e) return e;
    }
    if (records->count == before) mapped_fail("a block is larger than a batch");
    return NULL;
}

static void source_close(void *source) {
    mapped_source *s = source;
    for (size_t i = 0; i < s->paths.gl_pathc; i++) fetch_chain_free(&s->logs[i].chain);
    globfree(&s->paths);
    unpack_tools_free(s->tools);
    mem_free(s->logs);
    mem_free(s->partitions);
    mem_free(s);
}

static const sl_source_ops mapped_ops = {
    .name = "file",
    .open = source_open,
    .look = source_look,
    .confirm = source_confirm,
    .wait = source_wait,
    .fetch = source_fetch,
    .close = source_close,
    .reads_early = 1,
};

const sl_source_ops *__real_connector_source(const sl_string *name);
const sl_source_ops *__wrap_connector_source(const sl_string *name);

const sl_source_ops *__wrap_connector_source(const sl_string *name) {
    const sl_source_ops *ops = __real_connector_source(name);
    return ops && !strcmp(ops->name, mapped_ops.name) ? &mapped_ops : ops;
}
