/* The engine without sockets and without a file reader: `sluice` as it is, but what scripts call
 * files are mapped logs of record batches (bench_log pack), which the runtime's own reader
 * unpacks as if a leader had sent them. `bench_mapped run SCRIPT.lua --set source.path=LOG`.
 *
 * DESIGN: the linker puts __wrap_connector_source in the place of connector_source, so that
 * nothing in the runtime knows of it. What the reader's threads do with an answer that has come
 * and what main does behind them (kafka_take.c: a block whose bytes go into the batch as they are)
 * is done here in one call. Batches end where blocks end. */
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

typedef struct mapped_source {
    const sl_system *system; /* borrowed until close */
    mapped log;              /* what is not yet unpacked */
    fetch_chain chain;       /* unpacked, not yet taken */
    fetch_wanted wanted;     /* its tools are owned */
    sl_partition partition;  /* its topic is owned */
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
    char *path = option_copy(plan->options, "path", "");
    s->system = system;
    s->log = mapped_open(path);
    s->wanted = (fetch_wanted){ .most = MAPPED_MOST, .room = INT64_MAX };
    s->wanted.tools = unpack_tools_new();
    s->partition = (sl_partition){
        .topic = path,
        .end = end_of(s->log),
        .ended = !option_flag(plan->options, "follow", false),
        .is_whole = 1,
    };
    return NULL;
}

static err *source_look(void *source, const sl_partition **partitions, uint32_t *count) {
    mapped_source *s = source;
    s->partition.confirmed_ms = clock_steady_ms(s->system->clock);
    *partitions = &s->partition;
    *count = 1;
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
static err *fill(mapped_source *s) {
    bool is_cut;
    if (s->chain.first) return NULL;
    wire_partition answer = {
        .records = s->log.at,
        .records_len = mapped_answer_bytes(s->log.at, s->log.end),
    };
    s->chain = (fetch_chain){ 0 };
    err *e = fetch_unpack(&answer, &s->wanted, &s->chain, &is_cut);
    if (e) return e;
    if (!s->chain.first) return err_new(ERR_BROKER, "an answer without records");
    s->log.at += answer.records_len;
    s->wanted.offset = s->chain.last->end;
    return NULL;
}

static void take(mapped_source *s, sl_records *records, arena *bytes) {
    record_block *b = s->chain.first;
    if (b->count && !b->marks) mapped_fail("a block has no marks");
    if (records->count + b->count > records->room) {
        records->room = 2 * (records->count + b->count);
        records->items = mem_realloc(records->items, records->room * sizeof *records->items);
    }
    record_block_expand(b, 0, records->items + records->count);
    records->count += b->count;
    arena_give(bytes, b->bytes);
    b->bytes = NULL;
    s->partition.position = b->end;
    s->chain.first = b->next;
    record_block_free(b);
}

static err *source_fetch(void *source, sl_range *ranges, uint32_t count, int64_t max_bytes,
                         int64_t timeout_ms, sl_records *records, arena *bytes) {
    mapped_source *s = source;
    (void)timeout_ms;
    if (count != 1 || ranges->from != s->partition.position)
        mapped_fail("records can be had in their order only");
    for (int64_t taken = 0; s->partition.position < ranges->to;) {
        err *e = fill(s);
        if (e) return e;
        int64_t cost = record_block_cost(s->chain.first);
        if (s->chain.first->end > ranges->to || taken + cost > max_bytes) break;
        take(s, records, bytes);
        taken += cost;
    }
    if (s->partition.position == ranges->from) mapped_fail("a block is larger than a batch");
    ranges->to = s->partition.position;
    return NULL;
}

static void source_close(void *source) {
    mapped_source *s = source;
    fetch_chain_free(&s->chain);
    unpack_tools_free(s->wanted.tools);
    mem_free((char *)(uintptr_t)s->partition.topic);
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
