/* DESIGN. Each leader has a thread, which has one request under way at a time. Behind an answer the
 * next request goes out first, then what came is unpacked: batch headers alone tell the offsets to
 * go on from. Where all came that there was the next request rests: many requests for a few records
 * each would only keep the broker busy. What a partition may hold decides whether it is asked for:
 * its queue, what main has taken and not used up, and the answer that is being unpacked count. Of
 * an answer that unpacks to far more than was thought, the end is dropped and asked for again.
 *
 * Sessions (KIP-227) are not used: they spare bytes where thousands of partitions are quiet, and
 * cost a state at both ends that must be kept alike.
 *
 * An answer counts if it is to the last question of its partition: who has lost the leadership is
 * not listened to. Once its offsets are noted, its records must come, or be wanted no more: the
 * offset was set anew, which begins another era. */
#include "runtime/connect/kafka_fetch.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/base/mem.h"
#include "runtime/connect/fetch_answer.h"
#include "runtime/connect/kafka_fetch_state.h"
#include "runtime/connect/kafka_read.h"

enum {
    REST_MS = 3,          /* from one request to the next, where the first took all there was */
    LONGEST_REST_MS = 10, /* the same, where main does not want it yet */
    MOST_WAY_MS = 4,      /* that an answer is believed to take */
    RETRY_MS = 100,       /* before a partition that has no leader is asked for again */
    LEAST_PAUSE_MS = 100, /* before a broker is connected to again; doubles */
    MOST_PAUSE_MS = 2000,
    MOST_STRANGE = 5, /* answers in a row that make no sense */
    MOST_STUCK = 10,  /* answers in a row that hold no whole batch */
};

/* -- for main (lock held) */

static void drop_blocks(record_block *first) {
    fetch_chain chain = { .first = first };
    fetch_chain_free(&chain);
}

void kafka_fetch_moved(kafka_partition *p) {
    p->fetch.asked = 0;
    p->fetch.retry_ms = 0;
}

void kafka_fetch_set(kafka_source *s, kafka_partition *p, int64_t offset) {
    kafka_fetch_partition *own = &p->fetch;
    drop_blocks(own->first);
    drop_blocks(own->held);
    mem_free(own->reason);
    *own = (kafka_fetch_partition){ .offset = offset, .era = own->era + 1, .high = own->high };
    pthread_cond_broadcast(&s->fetch->room);
}

void kafka_fetch_release(kafka_source *s, kafka_partition *p) {
    int64_t limit = kafka_fetch_limit(s->fetch), before = p->fetch.bytes;
    p->fetch.bytes -= p->fetch.used_bytes;
    p->fetch.used_bytes = 0;
    if (before >= limit && p->fetch.bytes < limit) pthread_cond_broadcast(&s->fetch->room);
}

bool kafka_fetch_pull(kafka_source *s, kafka_partition *p) {
    kafka_fetch_partition *own = &p->fetch;
    pthread_mutex_lock(&s->lock);
    kafka_fetch_release(s, p);
    own->held = own->first;
    own->first = own->last = NULL;
    if (!own->held && own->is_lost) p->is_lost = true;
    if (!own->held && own->trouble) kafka_trouble(s, p, own->trouble, own->reason);
    pthread_mutex_unlock(&s->lock);
    return own->held != NULL;
}

/* -- questions */

/* Sleep until something may have changed, `ms` at most. */
static void sleep_locked(kafka_fetch *f, int64_t ms) {
    int64_t at_ms = kafka_now_ms() + ms;
    struct timespec until = { .tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000 };
    pthread_cond_timedwait(&f->room, &f->s->lock, &until);
}

/* Send the next request, if there is something to ask for; `waits`: until there is. */
static err *ask(fetch_leader *l, bool waits) {
    kafka_source *s = l->f->s;
    pthread_mutex_lock(&s->lock);
    kafka_fetch_collect(l);
    while (waits && !l->next.count && !s->is_closing) {
        sleep_locked(l->f, RETRY_MS);
        kafka_fetch_collect(l);
    }
    pthread_mutex_unlock(&s->lock);
    if (!l->next.count) return NULL;
    l->asked_ms = kafka_now_ms();
    return fetch_conn_send(l->conn, &l->frame);
}

int64_t fetch_asks_again_ms(int64_t asked_ms, int64_t took_ms, int64_t expected_ms) {
    int64_t way_ms = 1 + (took_ms < MOST_WAY_MS ? took_ms : MOST_WAY_MS);
    int64_t soon_ms = asked_ms + REST_MS, late_ms = asked_ms + LONGEST_REST_MS;
    if (expected_ms <= soon_ms + way_ms) return soon_ms;
    return expected_ms - way_ms < late_ms ? expected_ms - way_ms : late_ms;
}

static void rest(fetch_leader *l) {
    kafka_source *s = l->f->s;
    pthread_mutex_lock(&s->lock);
    while (!s->is_closing) {
        int64_t left_ms =
            fetch_asks_again_ms(l->asked_ms, l->took_ms, s->expected_ms) - kafka_now_ms();
        if (left_ms <= 0) break;
        sleep_locked(l->f, left_ms);
    }
    pthread_mutex_unlock(&s->lock);
}

void kafka_fetch_expect(kafka_source *s, int64_t at_ms) {
    if (at_ms < s->expected_ms) pthread_cond_broadcast(&s->fetch->room);
    s->expected_ms = at_ms;
}

/* Give up what was asked for: others may ask. */
static void unask(kafka_source *s, fetch_request *request) {
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < request->count; i++) {
        fetch_asked *item = &request->items[i];
        if (item->p->fetch.asked == item->number) item->p->fetch.asked = 0;
    }
    pthread_mutex_unlock(&s->lock);
    request->count = 0;
}

/* -- answers */

/* Find an answer's partition in the request; answers come in its order, so `*at` goes on. */
static fetch_asked *find_asked(const fetch_request *request, const wire_partition *answer,
                               uint32_t *at) {
    for (uint32_t i = 0; i < request->count; i++) {
        fetch_asked *item = &request->items[(*at + i) % request->count];
        if (item->p->number != answer->number ||
            strlen(item->p->topic->name) != (size_t)answer->topic_len ||
            memcmp(item->p->topic->name, answer->topic, (size_t)answer->topic_len) != 0)
            continue;
        *at = (*at + i + 1) % request->count;
        return item;
    }
    return NULL;
}

/* Something is wrong for good: main hears it behind what came before. Lock held. */
static void note_trouble(kafka_partition *p, err_code code, const char *reason) {
    p->fetch.is_paused = true;
    p->fetch.asked = 0;
    if (p->fetch.trouble) return;
    p->fetch.trouble = code;
    p->fetch.reason = mem_copy_text(reason, strlen(reason));
}

/* Lock held. */
static void note_code(kafka_source *s, kafka_partition *p, int16_t code) {
    switch (code) {
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        p->fetch.is_lost = p->fetch.is_paused = true;
        return;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        note_trouble(p, ERR_AUTH, rd_kafka_err2str(code));
        return;
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE:
        note_trouble(p, ERR_BROKER, rd_kafka_err2str(code));
        return;
    default: /* leader, unknown topic: metadata tell, and the watchers judge */
        p->fetch.retry_ms = kafka_now_ms() + RETRY_MS;
        kafka_watch_search(s);
    }
}

static wire_fetch_reader open_answer(const fetch_leader *l) {
    enum { ID_BYTES = 4 };
    return wire_fetch_open(l->answer.data + ID_BYTES, l->answer.len - ID_BYTES);
}

/* Whether the answer is one to the last request, to its end, before anything of it counts. */
static bool is_sound(const fetch_leader *l) {
    wire_reader id = { .at = l->answer.data, .end = l->answer.data + l->answer.len };
    if (wire_int32(&id) != l->last.id || id.is_short) return false;
    wire_fetch_reader in = open_answer(l);
    wire_partition told;
    uint32_t at = 0;
    while (wire_fetch_next(&in, &told))
        if (!find_asked(&l->last, &told, &at)) return false;
    return !in.list.in.is_short && !in.code;
}

/* Both ends are of one moment: whether an open transaction lies between them. Lock held. */
static void note_ends(kafka_source *s, kafka_partition *p, const wire_partition *told) {
    bool is_stalled = s->fetch->is_committed && told->stable >= 0 && told->high > told->stable;
    p->fetch.high = told->high;
    if (is_stalled != p->is_stalled) s->is_changed = true;
    p->is_stalled = is_stalled;
}

/* Records below `end` are there. Lock held. */
static void prove(kafka_partition *p, int64_t end) {
    if (end > p->proven) p->proven = end;
    if (p->proven > p->end) p->end = p->proven;
}

/* Offsets move on, so that the next request can be made; ends do, so that who waits for one
 * partition takes what came for all. Whether there is more behind what came. */
static bool note_answer(fetch_leader *l) {
    kafka_source *s = l->f->s;
    wire_fetch_reader in = open_answer(l);
    wire_partition told;
    uint32_t at = 0;
    bool has_more = false;
    pthread_mutex_lock(&s->lock);
    while (wire_fetch_next(&in, &told)) {
        fetch_asked *item = find_asked(&l->last, &told, &at);
        kafka_fetch_partition *own = &item->p->fetch;
        if (own->asked != item->number) continue;
        own->asked = 0;
        if (told.code) {
            note_code(s, item->p, told.code);
            continue;
        }
        note_ends(s, item->p, &told);
        if (told.records_len) {
            item->is_noted = true;
            own->offset = fetch_skim(&told, own->offset);
            own->bytes += told.records_len;
            own->unpacker = l->leader + 1;
        }
        int64_t end = l->f->is_committed ? told.stable : told.high;
        if (told.records_len) prove(item->p, own->offset < end ? own->offset : end);
        has_more |= own->offset < end;
    }
    pthread_mutex_unlock(&s->lock);
    unask(s, &(fetch_request){ .items = l->last.items, .count = l->last.count });
    return has_more;
}

/* Bytes without a whole batch in them, again and again, would be asked for without end. */
static err *check_progress(kafka_fetch_partition *own, const fetch_chain *chain, int32_t len) {
    own->stuck = chain->first ? 0 : own->stuck + 1;
    if (own->stuck < MOST_STUCK) return NULL;
    return err_new(ERR_BROKER, "%d bytes came, and no whole record batch is among them", (int)len);
}

/* Hand over what came for one partition. Lock held. */
static void deliver(kafka_partition *p, fetch_chain *chain, int32_t packed_len, bool is_cut,
                    err *e) {
    kafka_fetch_partition *own = &p->fetch;
    own->unpacker = 0;
    own->bytes += chain->bytes - packed_len;
    if (is_cut) {
        own->offset = chain->last->end;
        own->asked = 0; /* what is under way is too far */
    }
    if (!e) e = check_progress(own, chain, packed_len);
    if (chain->first) {
        if (own->last)
            own->last->next = chain->first;
        else
            own->first = chain->first;
        own->last = chain->last;
        prove(p, chain->last->end);
        *chain = (fetch_chain){ 0 };
    }
    if (e) note_trouble(p, e->code, e->message);
    err_free(e);
}

/* Unpack the answer, partition by partition; what is wanted no more is dropped. Whether some of it
 * had no room. */
static bool unpack_answer(fetch_leader *l) {
    kafka_source *s = l->f->s;
    wire_fetch_reader in = open_answer(l);
    wire_partition told;
    uint32_t at = 0;
    bool has_more = false;
    while (wire_fetch_next(&in, &told)) {
        fetch_asked *item = find_asked(&l->last, &told, &at);
        if (!item->is_noted) continue;
        item->is_noted = false;
        fetch_wanted wanted = { .offset = item->offset,
                                .is_committed = l->f->is_committed,
                                .most = l->f->frame_bytes,
                                .room = l->f->block_bytes,
                                .tools = l->tools };
        fetch_chain chain = { 0 };
        bool is_cut;
        err *e = fetch_unpack(&told, &wanted, &chain, &is_cut);
        pthread_mutex_lock(&s->lock);
        if (item->p->fetch.era == item->era)
            deliver(item->p, &chain, told.records_len, is_cut, e);
        else
            err_free(e);
        pthread_mutex_unlock(&s->lock);
        fetch_chain_free(&chain);
        kafka_wake(s);
        has_more |= is_cut;
    }
    return has_more;
}

/* -- the thread of a leader */

static bool is_closing(kafka_fetch *f) {
    pthread_mutex_lock(&f->s->lock);
    bool is = f->s->is_closing;
    pthread_mutex_unlock(&f->s->lock);
    return is;
}

/* All that is asked of this leader has the same trouble. */
static void trouble_all(fetch_leader *l, const err *e) {
    kafka_source *s = l->f->s;
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < s->count; i++)
        if (s->partitions[i]->leader == l->leader)
            note_trouble(s->partitions[i], e->code, e->message);
    pthread_mutex_unlock(&s->lock);
    kafka_wake(s);
}

static err *join(fetch_leader *l) {
    pthread_mutex_lock(&l->f->s->lock);
    memcpy(l->address, l->f->s->leaders[l->leader].address, sizeof l->address);
    pthread_mutex_unlock(&l->f->s->lock);
    err *e = fetch_conn_open(l->address, l->f->dial.tls, l->f->stop_fd, &l->conn);
    if (!e) e = kafka_fetch_greet(l);
    return e;
}

/* Answers that make no sense are asked for again, but not without end. */
static err *strange(fetch_leader *l, const char *what) {
    err *e = err_new(ERR_BROKER, "%s: %s", l->address, what);
    e->retriable = ++l->strange < MOST_STRANGE;
    return e;
}

/* The answer to l->next is there: go on. */
static err *take_answer(fetch_leader *l) {
    fetch_request free_one = l->last;
    l->last = l->next;
    l->next = free_one;
    l->next.count = 0;
    if (!is_sound(l)) {
        unask(l->f->s, &l->last);
        return strange(l, "its answers make no sense");
    }
    l->strange = 0;
    l->pause_ms = 0;
    l->took_ms = kafka_now_ms() - l->asked_ms;
    bool has_more = note_answer(l);
    err *e = has_more ? ask(l, false) : NULL;
    bool is_cut = unpack_answer(l);
    if (has_more) return e;
    if (!is_cut) rest(l);
    return ask(l, false);
}

static err *step(fetch_leader *l) {
    if (!l->conn) return join(l);
    if (!l->next.count) return ask(l, true);
    bool is_long = false;
    err *e = fetch_conn_receive(l->conn, &l->answer, l->f->frame_bytes, &is_long);
    if (e && is_long) {
        err *long_one = strange(l, e->message);
        err_free(e);
        return long_one;
    }
    return e ? e : take_answer(l);
}

/* The connection is of no more use. */
static void recover(fetch_leader *l, const err *e) {
    kafka_source *s = l->f->s;
    fetch_conn_close(l->conn);
    l->conn = NULL;
    unask(s, &l->next);
    if (e->code == ERR_STOPPED) return;
    if (!e->retriable) trouble_all(l, e);
    log_write(s->client.log, LOG_DEBUG, "fetch", LOG_FIELDS(log_text("error", e->message)));
    pthread_mutex_lock(&s->lock);
    kafka_watch_search(s);
    int64_t until_ms = kafka_now_ms() + l->pause_ms, now_ms;
    while (!s->is_closing && (now_ms = kafka_now_ms()) < until_ms)
        sleep_locked(l->f, until_ms - now_ms);
    pthread_mutex_unlock(&s->lock);
    l->pause_ms = l->pause_ms ? 2 * l->pause_ms : LEAST_PAUSE_MS;
    if (l->pause_ms > MOST_PAUSE_MS) l->pause_ms = MOST_PAUSE_MS;
}

static void *leader_run(void *arg) {
    fetch_leader *l = arg;
    while (!is_closing(l->f)) {
        err *e = step(l);
        if (e) recover(l, e);
        err_free(e);
    }
    return NULL;
}

static void leader_free(fetch_leader *l) {
    fetch_conn_close(l->conn);
    unpack_tools_free(l->tools);
    buf_done(&l->frame);
    buf_done(&l->answer);
    mem_free(l->next.items);
    mem_free(l->last.items);
    mem_free(l);
}

/* -- life */

static fetch_leader *leader_new(kafka_fetch *f, uint32_t leader) {
    fetch_leader *l = mem_zalloc(1, sizeof *l);
    l->f = f;
    l->leader = leader;
    l->tools = unpack_tools_new();
    if (pthread_create(&l->thread, NULL, leader_run, l) == 0) return l;
    leader_free(l);
    return NULL;
}

static bool leads(const kafka_source *s, uint32_t leader) {
    for (uint32_t i = 0; i < s->count; i++)
        if (s->partitions[i]->leader == leader) return true;
    return false;
}

void kafka_fetch_follow(kafka_source *s) {
    kafka_fetch *f = s->fetch;
    if (!f || s->is_closing) return;
    if (f->leader_count < s->leader_count) {
        f->leaders = mem_realloc(f->leaders, s->leader_count * sizeof(fetch_leader *));
        while (f->leader_count < s->leader_count) f->leaders[f->leader_count++] = NULL;
    }
    for (uint32_t i = 0; i < s->leader_count; i++)
        if (!f->leaders[i] && s->leaders[i].id >= 0 && leads(s, i))
            f->leaders[i] = leader_new(f, i);
    pthread_cond_broadcast(&f->room);
}

void kafka_fetch_start(kafka_fetch *f, kafka_source *s, int64_t batch_bytes) {
    kafka_fetch_size(f, batch_bytes);
    f->s = s;
    s->fetch = f;
    s->way = &kafka_fetch_way;
}

/* Have all threads come to their ends. */
static void stop(kafka_fetch *f) {
    uint64_t one = 1;
    ssize_t written = write(f->stop_fd, &one, sizeof one);
    (void)written; /* it was empty */
    pthread_mutex_lock(&f->s->lock);
    pthread_cond_broadcast(&f->room);
    pthread_mutex_unlock(&f->s->lock);
}

void kafka_fetch_close(kafka_fetch *f) {
    if (!f) return;
    if (f->s) stop(f);
    for (uint32_t i = 0; i < f->leader_count; i++) {
        if (!f->leaders[i]) continue;
        pthread_join(f->leaders[i]->thread, NULL);
        leader_free(f->leaders[i]);
    }
    mem_free(f->leaders);
    kafka_dial_done(&f->dial);
    if (f->stop_fd >= 0) close(f->stop_fd);
    pthread_cond_destroy(&f->room);
    mem_free(f);
}
