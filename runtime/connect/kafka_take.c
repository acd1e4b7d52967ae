/* The source's own way of reading, main's side: records are taken out of the blocks that the
 * leaders' threads have queued. A block whose records all go into the batch goes there itself, and
 * nothing is copied; of one that is cut by the range or its share, records are copied. */
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/connect/fetch_answer.h"
#include "runtime/connect/kafka_read.h"

static err *way_open(kafka_source *s, kafka_partition *p) {
    pthread_mutex_lock(&s->lock);
    kafka_fetch_set(s, p, p->next);
    p->fetch.high = INT64_MIN;
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static err *way_restart(kafka_source *s, kafka_partition *p, int64_t offset) {
    pthread_mutex_lock(&s->lock);
    kafka_fetch_set(s, p, offset);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static int64_t way_peek(kafka_source *s, kafka_partition *p) {
    if (!p->fetch.held) kafka_fetch_pull(s, p);
    return -1; /* whoever queued it has told */
}

static void way_close(kafka_partition *p) {
    fetch_chain queued = { .first = p->fetch.first }, held = { .first = p->fetch.held };
    fetch_chain_free(&queued);
    fetch_chain_free(&held);
    mem_free(p->fetch.reason);
}

/* -- records */

static int64_t bytes_of(const sl_record *r) {
    return (int64_t)r->key.len + r->value.len + (int64_t)sizeof *r;
}

/* The next record of the block at `b`. False: it is damaged. */
static bool next_record(fetching *f, const reading *d, record_block *b, sl_record *r) {
    err *e = record_block_read(b, f->memory, r);
    if (e) kafka_trouble(f->s, d->p, e->code, e->message);
    err_free(e);
    r->partition = d->index;
    return !e;
}

static void count_record(fetching *f, reading *d, const sl_record *r) {
    d->records++;
    d->bytes += bytes_of(r);
    f->bytes += bytes_of(r);
    d->p->next = r->offset + 1;
}

static bool goes_whole(const fetching *f, const reading *d, const record_block *b) {
    int64_t cost = record_block_cost(b);
    return b->end <= d->to && f->bytes + cost <= f->max_bytes && d->bytes + cost <= d->share_bytes;
}

static bool take_whole(fetching *f, reading *d, record_block *b) {
    sl_record *to = kafka_stage(d->p, b->count);
    while (b->count) {
        if (!next_record(f, d, b, to)) return false;
        if (to->offset < d->p->next) continue; /* the batch began below what was asked for */
        count_record(f, d, to++);
        d->p->staged.count++;
    }
    if (b->bytes) arena_give(f->memory, b->bytes);
    b->bytes = NULL;
    return true;
}

static void copy_string(arena *memory, sl_string *s) {
    if (s->data) s->data = arena_copy(memory, s->data, s->len);
}

static void copy_record(arena *memory, sl_record *r) {
    sl_header *headers = (sl_header *)(uintptr_t)r->headers; /* made a moment ago */
    copy_string(memory, &r->key);
    copy_string(memory, &r->value);
    for (uint32_t i = 0; i < r->header_count; i++) {
        copy_string(memory, &headers[i].name);
        copy_string(memory, &headers[i].value);
    }
}

/* Take records one by one, until the range ends or one does not fit. True: the block is used up. */
static bool take_part(fetching *f, reading *d, record_block *b) {
    kafka_partition *p = d->p;
    sl_record r;
    while (b->count) {
        record_block before = *b;
        if (!next_record(f, d, b, &r)) return false;
        if (r.offset < p->next) continue;
        bool is_beyond = r.offset >= d->to;
        if (is_beyond || !kafka_fits(f, d, bytes_of(&r))) {
            *b = before;
            if (is_beyond) p->next = d->to;
            d->is_done = true;
            return false;
        }
        copy_record(f->memory, &r);
        count_record(f, d, &r);
        *kafka_stage(p, 1) = r;
        p->staged.count++;
    }
    return true;
}

static bool way_run(fetching *f, reading *d) {
    kafka_partition *p = d->p;
    kafka_fetch_partition *own = &p->fetch;
    if (!own->held && p->next < d->to && !kafka_fetch_pull(f->s, p)) return false;
    while (own->held && p->next < d->to) {
        record_block *b = own->held;
        if (!(goes_whole(f, d, b) ? take_whole(f, d, b) : take_part(f, d, b))) break;
        if (b->end > p->next) p->next = b->end;
        own->held = b->next;
        own->used_bytes += fetch_block_held(b);
        record_block_free(b);
    }
    if (p->next >= d->to) d->is_done = true;
    return true;
}

const kafka_way kafka_fetch_way = {
    .open = way_open,
    .restart = way_restart,
    .peek = way_peek,
    .run = way_run,
    .close = way_close,
};
