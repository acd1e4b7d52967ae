/* DESIGN. A range is whole when everything below `to` has come or is known to hold no record: the
 * message at or beyond `to` tells, or an end-of-partition event, whose offset is the next one to be
 * written. So tails of transaction markers, aborted records and compaction holes need no waiting.
 * Ranges are read in turns, a run of each, so that a silent leader holds up nobody, and put in
 * order at the end. */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/mem.h"
#include "runtime/connect/kafka_read.h"

void kafka_trouble(kafka_source *s, kafka_partition *p, err_code code, const char *what) {
    if (p->trouble) return;
    p->trouble = err_new(code, "reading topic %s partition %d at offset %lld from %s: %s",
                         p->topic->name, (int)p->number, (long long)p->next, s->client.brokers,
                         what);
}

sl_record *kafka_stage(kafka_partition *p, uint32_t count) {
    enum { FIRST_ROOM = 1024 };
    sl_records *staged = &p->staged;
    uint32_t wanted = staged->count + count;
    if (wanted > staged->room) {
        uint32_t room = staged->room ? 2 * staged->room : FIRST_ROOM;
        staged->room = room > wanted ? room : wanted;
        staged->items = mem_realloc(staged->items, staged->room * sizeof *staged->items);
    }
    return &staged->items[staged->count];
}

err *kafka_read_peek(kafka_source *s) {
    for (uint32_t i = 0; i < s->mine_count; i++) {
        kafka_partition *p = s->mine[i];
        int64_t end = s->way->peek(s, p);
        if (end < p->next) end = p->next;
        pthread_mutex_lock(&s->lock);
        if (end > p->proven) p->proven = end;
        if (end > p->end) p->end = end;
        if (p->is_lost && p->end <= p->position)
            p->end = p->position + 1; /* have it fetched: it tells */
        pthread_mutex_unlock(&s->lock);
        if (!p->trouble) continue;
        err *e = p->trouble;
        p->trouble = NULL;
        return e;
    }
    return NULL;
}

/* -- offsets that are gone */

static err *restart(kafka_source *s, kafka_partition *p, int64_t offset) {
    p->next = offset;
    p->is_lost = false;
    return s->way->restart(s, p, offset);
}

/* The log does not have `next` (any more, or yet again: the topic was made anew). */
static err *handle_loss(kafka_source *s, kafka_partition *p) {
    int64_t low = 0, high = 0, wanted = p->next;
    const char *name = p->topic->name;
    rd_kafka_resp_err_t code = kafka_ask(s, name, p->number, &low, &high);
    if (code) {
        err *e = err_new(ERR_BROKER,
                         "topic %s partition %d: offset %lld is out of range, and the leader "
                         "does not tell the range: %s",
                         name, (int)p->number, (long long)wanted, rd_kafka_err2str(code));
        e->retriable = true;
        return e;
    }
    if (low <= wanted && wanted <= high) return restart(s, p, wanted);
    if (!s->goes_on)
        return err_new(ERR_BROKER,
                       "data lost: topic %s partition %d: offset %lld is wanted, the earliest "
                       "there is %lld, the end %lld (raise retention.ms of the topic; to go on "
                       "from the earliest set on_data_loss = \"continue\")",
                       name, (int)p->number, (long long)wanted, (long long)low, (long long)high);
    log_warn(s->client.log, "data lost", log_text("topic", name),
             log_number("partition", p->number), log_number("wanted", wanted),
             log_number("earliest", low), log_number("end", high),
             log_number("lost", wanted < low ? low - wanted : 0));
    pthread_mutex_lock(&s->lock);
    if (wanted < low) p->lost += low - wanted;
    p->begin = low;
    p->end = high;
    p->proven = low;
    p->position = low;
    pthread_mutex_unlock(&s->lock);
    return restart(s, p, low);
}

/* -- a fetch */

static err *begin(fetching *f, const sl_range *ranges) {
    kafka_source *s = f->s;
    int64_t total = 0;
    for (uint32_t i = 0; i < f->count; i++) total += ranges[i].to - ranges[i].from;
    f->readings = arena_take(f->memory, f->count * sizeof *f->readings, 8);
    for (uint32_t i = 0; i < f->count; i++) {
        kafka_partition *p = s->mine[ranges[i].partition];
        int64_t length = ranges[i].to - ranges[i].from;
        f->readings[i] = (reading){ .p = p, .to = ranges[i].to, .index = ranges[i].partition };
        f->readings[i].share_bytes =
            total ? (int64_t)((double)f->max_bytes * (double)length / (double)total) : 0;
        f->readings[i].is_done = length == 0;
        p->staged.count = 0;
        if (ranges[i].from == p->position) continue;
        err *e = restart(s, p, ranges[i].from);
        if (e) return e;
        pthread_mutex_lock(&s->lock);
        p->position = ranges[i].from;
        pthread_mutex_unlock(&s->lock);
    }
    pthread_mutex_lock(&s->lock);
    s->busy_until_ms = INT64_MAX;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* What was lost is passed: a range that holds nothing any more, or that a topic made anew does not
 * have, ends here, and the position stays where handle_loss has put it. */
static err *pass_loss(fetching *f, reading *d) {
    int64_t before = d->p->next;
    err *e = handle_loss(f->s, d->p);
    if (e || (d->p->next >= before && d->p->next < d->to)) return e;
    if (d->p->next < before) d->to = before;
    d->is_done = d->is_reset = true;
    return NULL;
}

/* One turn over the ranges; `*open`: how many are not done. */
static err *turn(fetching *f, uint32_t *open, bool *moved) {
    *open = 0;
    *moved = false;
    for (uint32_t k = 0; k < f->count; k++) {
        reading *d = &f->readings[(f->s->turn + k) % f->count];
        if (d->is_done) continue;
        if (f->s->way->run(f, d)) *moved = true;
        err *e = d->p->trouble;
        d->p->trouble = NULL;
        if (!e && d->p->is_lost) e = pass_loss(f, d);
        if (e) return e;
        if (!d->is_done) ++*open;
    }
    return NULL;
}

/* What is to come is wanted now, whatever was expected. */
static void await_queue(kafka_source *s, int64_t left_ms) {
    if (s->fetch) {
        pthread_mutex_lock(&s->lock);
        kafka_fetch_expect(s, INT64_MIN);
        pthread_mutex_unlock(&s->lock);
    }
    struct pollfd wake = { .fd = s->wake_fd, .events = POLLIN };
    uint64_t times;
    int wait_ms = (int)(left_ms < KAFKA_SLICE_MS ? left_ms : KAFKA_SLICE_MS);
    if (poll(&wake, 1, wait_ms) > 0) {
        ssize_t got = read(s->wake_fd, &times, sizeof times);
        (void)got; /* nothing there: another reader cannot be, the next turn looks anyway */
    }
}

/* Put the records in order, those of a range behind each other. */
static void list_records(const fetching *f, sl_records *records) {
    enum { SPARE = 32 }; /* a part of it: batches are about alike */
    uint32_t wanted = records->count;
    for (uint32_t i = 0; i < f->count; i++)
        wanted += f->readings[i].p->staged.count + f->readings[i].p->taken_count;
    if (wanted > records->room) {
        records->room = wanted + wanted / SPARE;
        records->items = mem_realloc(records->items, records->room * sizeof *records->items);
    }
    for (uint32_t i = 0; i < f->count; i++) {
        const reading *d = &f->readings[i];
        uint32_t count = d->p->staged.count + d->p->taken_count;
        if (count) kafka_fetch_put(d->p, d->index, &records->items[records->count]);
        records->count += count;
    }
}

/* Put the records in order and move the positions. True: nothing came, and a leader is silent. */
static bool finish(fetching *f, sl_range *ranges, sl_records *records) {
    kafka_source *s = f->s;
    bool came = false, is_silent = false;
    list_records(f, records);
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < f->count; i++) {
        reading *d = &f->readings[i];
        kafka_partition *p = d->p;
        int64_t reached = d->is_reset || p->next > d->to ? d->to : p->next;
        if (reached < ranges[i].from) reached = ranges[i].from;
        if (reached > ranges[i].from || d->is_done) came = true;
        if (!d->is_done && s->leaders[p->leader].is_silent) is_silent = true;
        ranges[i].to = reached;
        if (d->is_reset) continue; /* handle_loss has told what there is */
        p->position = reached;
        if (p->end < reached) p->end = reached;
        if (p->proven < reached) p->proven = reached;
        if (s->fetch) kafka_fetch_release(s, p);
    }
    s->busy_until_ms = kafka_now_ms() + KAFKA_ANSWER_MS;
    pthread_mutex_unlock(&s->lock);
    return is_silent && !came;
}

err *kafka_read_fetch(void *source, sl_range *ranges, uint32_t count, int64_t max_bytes,
                      int64_t timeout_ms, sl_records *records, arena *bytes) {
    fetching f = { .s = source, .count = count, .max_bytes = max_bytes, .memory = bytes };
    int64_t end_ms = kafka_now_ms() + timeout_ms;
    f.s->turn++;
    err *e = begin(&f, ranges);
    if (e) return e;
    while (!e) {
        uint32_t open;
        bool moved;
        e = turn(&f, &open, &moved);
        if (e || !open) break;
        int64_t left_ms = end_ms - kafka_now_ms();
        if (left_ms <= 0) break;
        if (!moved) await_queue(f.s, left_ms);
        e = kafka_client_check(&f.s->client);
    }
    bool is_silent = finish(&f, ranges, records);
    if (e || !is_silent) return e;
    e = err_new(ERR_BROKER, "no answer from the leader of what is to be read, on %s",
                f.s->client.brokers);
    e->retriable = true;
    return e;
}
