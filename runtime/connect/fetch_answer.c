#include "runtime/connect/fetch_answer.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"

/* -- aborted transactions: KIP-98, "Discarding Aborted Messages"
 *
 * The leader names those that have records in the answer, by producer and first offset. From there
 * on a producer's batches are dropped, up to its abort marker. */

typedef struct aborted {
    wire_aborted *items; /* by first offset; owned */
    int32_t count;
    int32_t begun; /* of them, in order, that batches have reached */
} aborted;

static int by_first(const void *a, const void *b) {
    int64_t x = ((const wire_aborted *)a)->first, y = ((const wire_aborted *)b)->first;
    return (x > y) - (x < y);
}

static void aborted_init(aborted *a, const wire_partition *answer) {
    *a = (aborted){ .count = answer->aborted_count };
    if (!a->count) return;
    a->items = mem_alloc((size_t)a->count * sizeof *a->items);
    for (int32_t i = 0; i < a->count; i++) a->items[i] = wire_aborted_at(answer, i);
    qsort(a->items, (size_t)a->count, sizeof *a->items, by_first);
}

/* Whether the batch belongs to one of them. One that has ended has no producer (-1) any more. */
static bool is_aborted(aborted *a, const batch_header *h) {
    if (!h->is_transactional) return false;
    while (a->begun < a->count && a->items[a->begun].first < h->end) a->begun++;
    bool is = false, ends = h->is_control && batch_is_abort(h);
    for (int32_t i = 0; i < a->begun && !(is && !ends); i++) {
        if (a->items[i].producer != h->producer) continue;
        is = true;
        if (ends) a->items[i].producer = -1; /* all: compaction may have taken a marker away */
    }
    return is;
}

/* -- chains */

int64_t fetch_block_held(const record_block *b) {
    enum { AROUND = 128 }; /* padding, what the allocator adds */
    return b->size + (int64_t)sizeof *b + AROUND;
}

void fetch_chain_add(fetch_chain *chain, record_block *b) {
    if (chain->last)
        chain->last->next = b;
    else
        chain->first = b;
    chain->last = b;
    chain->bytes += fetch_block_held(b);
}

void fetch_chain_free(fetch_chain *chain) {
    while (chain->first) {
        record_block *next = chain->first->next;
        record_block_free(chain->first);
        chain->first = next;
    }
    *chain = (fetch_chain){ 0 };
}

/* -- batches */

int64_t fetch_skim(const wire_partition *answer, int64_t offset) {
    enum { LENGTH_FROM = 12,
           LAST_AT = 23 };
    const char *at = answer->records, *end = at + answer->records_len;
    while (end - at >= BATCH_HEADER) {
        wire_reader head = { .at = at, .end = end }, last = { .at = at + LAST_AT, .end = end };
        int64_t base = wire_int64(&head);
        int32_t len = wire_int32(&head), more = wire_int32(&last);
        if (base < 0 || base > BATCH_MOST_BASE || len < 0 || more < 0) break;
        if (len > end - at - LENGTH_FROM) break;
        if (base + more + 1 > offset) offset = base + more + 1;
        at += LENGTH_FROM + len;
    }
    return offset;
}

/* Offsets grow, but the first batch may begin below the one that was asked for. (The answer's high
 * watermark may lie below its records: it is taken before they are read.) */
static err *check_order(const batch_header *h, int64_t next, bool is_first) {
    if (h->base >= next || is_first) return NULL;
    return err_new(ERR_BROKER, "its batch at offset %lld comes behind offset %lld",
                   (long long)h->base, (long long)next - 1);
}

err *fetch_unpack(const wire_partition *answer, const fetch_wanted *wanted, fetch_chain *chain,
                  bool *is_cut) {
    const char *at = answer->records, *end = at + answer->records_len;
    int64_t next = wanted->offset;
    aborted dropped;
    aborted_init(&dropped, answer);
    batch_header h;
    err *e = NULL;
    *is_cut = false;
    while (!*is_cut && batch_read(&at, end, &h, &e)) {
        bool is_dropped = is_aborted(&dropped, &h) && wanted->is_committed;
        if (h.end <= wanted->offset) continue; /* the leader gives whole segments of its index */
        record_block *b = NULL;
        e = check_order(&h, next, !chain->first);
        if (!e && (h.is_control || is_dropped || !h.count))
            b = record_block_empty(h.base, h.end);
        else if (!e)
            e = batch_unpack(&h, wanted->tools, wanted->most, &b);
        if (e) break;
        fetch_chain_add(chain, b);
        next = h.end;
        *is_cut = chain->bytes >= wanted->room && at < end;
    }
    mem_free(dropped.items);
    return e;
}
