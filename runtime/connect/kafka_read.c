/* DESIGN. A range is whole when everything below `to` has come or is known to hold no record: the
 * message at or beyond `to` tells, or an end-of-partition event, whose offset is the next one to be
 * written. So tails of transaction markers, aborted records and compaction holes need no waiting.
 * Ranges are read in turns, a run of each, so that a silent leader holds up nobody, and put in
 * order at the end. Messages that were taken from a queue and belong to a later range stay in
 * `held`. */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/mem.h"
#include "runtime/connect/kafka_state.h"

/* One range of a fetch. */
typedef struct reading {
    kafka_partition *p;
    int64_t to;
    int64_t share_bytes; /* of the fetch's max_bytes */
    int64_t bytes;       /* taken */
    uint32_t index;      /* of the partition */
    uint32_t records;    /* taken */
    bool is_done;        /* whole, or cut */
    bool is_reset;       /* the position was moved by a data loss */
} reading;

typedef struct fetching {
    kafka_source *s;
    reading *readings; /* in the fetch's arena */
    uint32_t count;
    int64_t max_bytes, bytes;
    arena *memory;
} fetching;

void kafka_read_drop(kafka_partition *p) {
    while (p->held_at < p->held_count) rd_kafka_message_destroy(p->held[p->held_at++]);
}

/* -- events among the messages */

static void note_event(kafka_source *s, kafka_partition *p, const rd_kafka_message_t *m) {
    err_code code = ERR_BROKER;
    switch (m->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        if (m->offset > p->next) p->next = m->offset;
        return;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE: p->is_lost = true; return;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED: code = ERR_AUTH; break;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
    case RD_KAFKA_RESP_ERR_INVALID_MSG: break;
    default: return; /* connection, leader, unknown topic: the watchers judge these */
    }
    if (p->trouble) return;
    p->trouble = err_new(code, "reading topic %s partition %d at offset %lld from %s: %s",
                         p->topic->name, (int)p->number, (long long)p->next, s->client.brokers,
                         m->len ? (const char *)m->payload : rd_kafka_err2str(m->err));
}

/* Take more messages from the queue, behind those that are held. */
static bool take_more(kafka_partition *p, int64_t want) {
    uint32_t left = p->held_count - p->held_at;
    if (p->held_at) memmove(p->held, p->held + p->held_at, left * sizeof(rd_kafka_message_t *));
    p->held_at = 0;
    p->held_count = left;
    size_t room = want < KAFKA_HELD - left ? (size_t)want : KAFKA_HELD - left;
    ssize_t got =
        room ? rd_kafka_consume_batch(p->topic->handle, p->number, 0, p->held + left, room) : 0;
    if (got > 0) p->held_count += (uint32_t)got;
    return got > 0;
}

/* Have a record held, if there is one; take in what events before it say. */
static bool pull(kafka_source *s, kafka_partition *p, int64_t want) {
    for (;;) {
        while (p->held_at < p->held_count && p->held[p->held_at]->err) {
            note_event(s, p, p->held[p->held_at]);
            rd_kafka_message_destroy(p->held[p->held_at++]);
        }
        if (p->held_at < p->held_count) return true;
        if (!take_more(p, want)) return false;
    }
}

/* Up to where records are known to be, with those that came since the last look: leaders are asked
 * too seldom for a batch that has waited for its time. */
static int64_t seen_end(kafka_source *s, kafka_partition *p) {
    if (pull(s, p, KAFKA_HELD)) take_more(p, KAFKA_HELD);
    if (p->held_at == p->held_count) return p->next;
    const rd_kafka_message_t *last = p->held[p->held_count - 1];
    int64_t end = last->offset + !last->err;
    return end > p->next ? end : p->next;
}

err *kafka_read_peek(kafka_source *s) {
    for (uint32_t i = 0; i < s->mine_count; i++) {
        kafka_partition *p = s->mine[i];
        int64_t end = seen_end(s, p);
        pthread_mutex_lock(&s->lock);
        if (end > p->proven) p->proven = end;
        if (end > p->end) p->end = end;
        if (p->is_lost && p->end <= p->position)
            p->end = p->position + 1; /* have it fetched: it tells */
        if (p->held_count == KAFKA_HELD) { /* there may be more: the leader is to tell */
            s->busy_until_ms = kafka_now_ms() + KAFKA_ANSWER_MS;
            pthread_cond_broadcast(&s->moved);
        }
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
    rd_kafka_consume_stop(p->topic->handle, p->number);
    kafka_read_drop(p);
    p->next = offset;
    p->is_lost = false;
    if (rd_kafka_consume_start(p->topic->handle, p->number, offset) == 0) return NULL;
    return err_new(ERR_BROKER, "reading topic %s partition %d from offset %lld on %s: %s",
                   p->topic->name, (int)p->number, (long long)offset, s->client.brokers,
                   rd_kafka_err2str(rd_kafka_last_error()));
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

/* -- records */

static sl_record *staged_record(kafka_partition *p) {
    sl_records *staged = &p->staged;
    if (staged->count == staged->room) {
        staged->room = staged->room ? 2 * staged->room : KAFKA_HELD;
        staged->items = mem_realloc(staged->items, staged->room * sizeof *staged->items);
    }
    return &staged->items[staged->count++];
}

static void copy_headers(const rd_kafka_message_t *m, arena *bytes, sl_record *r) {
    rd_kafka_headers_t *headers;
    if (rd_kafka_message_headers(m, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
    size_t count = rd_kafka_header_cnt(headers);
    sl_header *items = arena_take(bytes, count * sizeof *items, 8);
    memset(items, 0, count * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        const char *name;
        const void *value;
        size_t len;
        rd_kafka_header_get_all(headers, i, &name, &value, &len);
        items[i].name.len = (uint32_t)strlen(name);
        items[i].name.data = arena_copy(bytes, name, items[i].name.len);
        if (!value) continue;
        items[i].value.len = (uint32_t)len;
        items[i].value.data = arena_copy(bytes, value, len);
    }
    r->headers = items;
    r->header_count = (uint32_t)count;
}

static int32_t time_kind(rd_kafka_timestamp_type_t kind) {
    if (kind == RD_KAFKA_TIMESTAMP_CREATE_TIME) return 1;
    return kind == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? 2 : 0;
}

static void take(reading *d, const rd_kafka_message_t *m, arena *bytes) {
    rd_kafka_timestamp_type_t kind;
    int64_t time_ms = rd_kafka_message_timestamp(m, &kind);
    char *to = arena_take(bytes, m->key_len + m->len, 1);
    if (m->key) memcpy(to, m->key, m->key_len);
    if (m->payload) memcpy(to + m->key_len, m->payload, m->len);
    sl_record *r = staged_record(d->p);
    *r = (sl_record){
        .offset = m->offset,
        .time_ms = time_ms,
        .time_kind = time_kind(kind),
        .partition = d->index,
        .key = { m->key ? to : NULL, (uint32_t)m->key_len, 0 },
        .value = { m->payload ? to + m->key_len : NULL, (uint32_t)m->len, 0 },
    };
    copy_headers(m, bytes, r);
}

/* Whether `len` more bytes fit: into the share, or as the first record of a range or of all. */
static bool fits(const fetching *f, const reading *d, int64_t len) {
    if (f->bytes == 0) return true;
    if (f->bytes + len > f->max_bytes) return false;
    return d->records == 0 || d->bytes + len <= d->share_bytes;
}

/* Messages were written by another core: ask for the next ones while this one is copied. */
static inline void prefetch(const kafka_partition *p) {
    if (p->held_at + 6 >= p->held_count) return;
    __builtin_prefetch(p->held[p->held_at + 6]);
    __builtin_prefetch((const char *)p->held[p->held_at + 6] + 64);
    __builtin_prefetch(p->held[p->held_at + 2]->payload);
}

/* Take a run of messages; true: something moved. */
static bool read_run(fetching *f, reading *d) {
    kafka_partition *p = d->p;
    if (p->next < d->to && !pull(f->s, p, d->to - p->next) && p->next < d->to) return false;
    while (p->next < d->to && p->held_at < p->held_count) {
        rd_kafka_message_t *m = p->held[p->held_at];
        prefetch(p);
        if (m->err) break; /* the next pull hears it */
        int64_t len = (int64_t)(m->len + m->key_len + sizeof(sl_record));
        if (m->offset >= d->to) {
            p->next = d->to;
            break;
        }
        if (m->offset >= p->next && !fits(f, d, len)) {
            d->is_done = true;
            return true;
        }
        if (m->offset >= p->next) {
            take(d, m, f->memory);
            d->records++;
            d->bytes += len;
            f->bytes += len;
            p->next = m->offset + 1;
        }
        rd_kafka_message_destroy(m);
        p->held_at++;
    }
    if (p->next >= d->to) d->is_done = true;
    return true;
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
        if (read_run(f, d)) *moved = true;
        err *e = d->p->trouble;
        d->p->trouble = NULL;
        if (!e && d->p->is_lost) e = pass_loss(f, d);
        if (e) return e;
        if (!d->is_done) ++*open;
    }
    return NULL;
}

static void await_queue(kafka_source *s, int64_t left_ms) {
    struct pollfd wake = { .fd = s->wake_fd, .events = POLLIN };
    uint64_t times;
    int wait_ms = (int)(left_ms < KAFKA_SLICE_MS ? left_ms : KAFKA_SLICE_MS);
    if (poll(&wake, 1, wait_ms) > 0) {
        ssize_t got = read(s->wake_fd, &times, sizeof times);
        (void)got; /* nothing there: another reader cannot be, the next turn looks anyway */
    }
}

/* Put the records in order and move the positions. True: nothing came, and a leader is silent. */
static bool finish(fetching *f, sl_range *ranges, sl_records *records) {
    kafka_source *s = f->s;
    bool came = false, is_silent = false;
    for (uint32_t i = 0; i < f->count; i++) {
        const sl_records *staged = &f->readings[i].p->staged;
        if (!staged->count) continue;
        uint32_t wanted = records->count + staged->count;
        if (wanted > records->room) {
            records->room = wanted > 2 * records->room ? wanted : 2 * records->room;
            records->items = mem_realloc(records->items, records->room * sizeof *records->items);
        }
        memcpy(&records->items[records->count], staged->items,
               staged->count * sizeof *staged->items);
        records->count = wanted;
    }
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
