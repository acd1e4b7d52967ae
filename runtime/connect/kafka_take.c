/* The source's own way of reading, main's side: records are taken out of the blocks that the
 * leaders' threads have queued. A block whose records all go into the batch goes there itself, and
 * nothing is copied; of one that is cut by the range or its share, records are copied. Where
 * records lie in a block, the leader's thread has found out: listing them is all that is left. */
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
    fetch_chain_free(&p->taken);
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

/* Whether all records of the block are still to be taken, and are known without walking it. */
static bool is_marked(const reading *d, const record_block *b) {
    return b->marks && b->base >= d->p->next;
}

/* The block goes as it is: its records are listed at the end of the fetch, in place. */
static void take_marked(fetching *f, reading *d, record_block *b) {
    int64_t bytes = b->marked_bytes + (int64_t)b->count * (int64_t)sizeof(sl_record);
    d->records += b->count;
    d->bytes += bytes;
    f->bytes += bytes;
    d->p->taken_count += b->count;
    arena_give(f->memory, b->bytes);
    b->bytes = NULL;
    b->next = NULL;
    b->behind = d->p->staged.count;
    fetch_chain_add(&d->p->taken, b);
}

void kafka_fetch_put(kafka_partition *p, uint32_t index, sl_record *to) {
    uint32_t done = 0;
    for (const record_block *b = p->taken.first; b; b = b->next) {
        uint32_t before = b->behind - done;
        if (before) memcpy(to, p->staged.items + done, before * sizeof *to);
        to += before;
        done = b->behind;
        record_block_expand(b, index, to);
        to += b->count;
    }
    if (p->staged.count > done)
        memcpy(to, p->staged.items + done, (p->staged.count - done) * sizeof *to);
    fetch_chain_free(&p->taken);
    p->taken_count = 0;
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

/* Whether the block is left for the next batch, which takes it whole: most of the share is in. */
static bool is_left(const reading *d, const record_block *b) {
    return b->end <= d->to && d->bytes > d->share_bytes / 2;
}

static bool way_run(fetching *f, reading *d) {
    kafka_partition *p = d->p;
    kafka_fetch_partition *own = &p->fetch;
    if (!own->held && p->next < d->to && !kafka_fetch_pull(f->s, p)) return false;
    while (own->held && p->next < d->to) {
        record_block *b = own->held, *after = b->next;
        bool is_whole = goes_whole(f, d, b), stays = is_whole && is_marked(d, b);
        if (!is_whole && is_left(d, b)) {
            d->is_done = true;
            break;
        }
        int64_t held_bytes = fetch_block_held(b);
        if (stays)
            take_marked(f, d, b);
        else if (!(is_whole ? take_whole(f, d, b) : take_part(f, d, b)))
            break;
        if (b->end > p->next) p->next = b->end;
        own->held = after;
        own->used_bytes += held_bytes;
        if (!stays) record_block_free(b);
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
