#include "runtime/connect/kafka_txn_own.h"

#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/connect/coordinator.h"

enum {
    PATIENCE_MS = 5000, /* asked to stop, offsets and a commit may take so long */
    STEP_MS = 1000,     /* likewise other requests */
    OFFSETS_MS = 5000,  /* longest: nothing is committed yet, to begin again is as good */
    ABORT_MS = 2000,    /* an abort may take so long; registering ends it just as well */
    MISSING_MS = 2000,  /* a topic may be unknown so long: word travels */
};

typedef struct txn_own {
    kafka_txn *t; /* borrowed; has this */
    coordinator transaction, group;
    char *group_name; /* owned; NULL: not asked for yet */
    txn_who who;
    produce_transaction hook;
    bool is_known; /* the coordinator has been told of this transaction */
} txn_own;

/* -- questions: what they are asked with */

typedef struct places_asked {
    const txn_own *own;
    const produce_place *places;
    uint32_t count, bad;
} places_asked;

typedef struct offsets_asked {
    const txn_own *own;
    const rd_kafka_topic_partition_list_t *list;
    const char *group;
} offsets_asked;

typedef struct end_asked {
    const txn_own *own;
    bool commits;
} end_asked;

static void put_init(buf *out, txn_head head, const void *arg) {
    txn_put_init(out, head, &((const txn_own *)arg)->who);
}

static int16_t read_init(wire_reader *r, void *arg) {
    txn_own *own = arg;
    return txn_read_init(r, &own->who.producer);
}

static void put_places(buf *out, txn_head head, const void *arg) {
    const places_asked *a = arg;
    txn_put_partitions(out, head, &a->own->who, a->places, a->count);
}

static int16_t read_places(wire_reader *r, void *arg) {
    places_asked *a = arg;
    return txn_read_partitions(r, a->places, a->count, &a->bad);
}

static void put_group(buf *out, txn_head head, const void *arg) {
    const offsets_asked *a = arg;
    txn_put_group(out, head, &a->own->who, a->group);
}

static void put_offsets(buf *out, txn_head head, const void *arg) {
    const offsets_asked *a = arg;
    txn_put_offsets(out, head, &a->own->who, a->group, a->list);
}

static void put_end(buf *out, txn_head head, const void *arg) {
    const end_asked *a = arg;
    txn_put_end(out, head, &a->own->who, a->commits);
}

static int16_t read_code(wire_reader *r, void *arg) {
    (void)arg;
    return txn_read_code(r);
}

static int16_t read_offsets(wire_reader *r, void *arg) {
    (void)arg;
    return txn_read_offsets(r);
}

/* -- life */

static err *enlist(void *owner, const produce_place *places, uint32_t count, uint32_t *bad,
                   rd_kafka_resp_err_t *code) {
    txn_own *own = owner;
    places_asked asked = { .own = own, .places = places, .count = count };
    own->is_known = true;
    err *e = coordinator_ask(&own->transaction,
                             &(question){ .put = put_places,
                                          .read = read_places,
                                          .arg = &asked,
                                          .patience_ms = STEP_MS,
                                          .limit_ms = own->t->timeout_ms,
                                          .missing_ms = MISSING_MS },
                             code);
    *bad = asked.bad;
    return e;
}

void txn_own_open(kafka_txn *t, char **reason) {
    txn_own *own = mem_zalloc(1, sizeof *own);
    own->t = t;
    own->hook = (produce_transaction){ .id = t->id, .enlist = enlist, .owner = own };
    own->who = (txn_who){ .id = t->id, .timeout_ms = t->timeout_ms };
    *reason =
        kafka_producer_new(&t->client, t->plan->options, &t->system, &own->hook, &t->producer);
    if (*reason) {
        mem_free(own);
        return;
    }
    kafka_producer_fit(t->producer, (size_t)t->batch_bytes);
    coordinator_init(&own->transaction, &t->client, kafka_producer_dial(t->producer),
                     COORDINATES_TXN, t->id);
    t->own = own;
}

void txn_own_close(kafka_txn *t) {
    txn_own *own = t->own;
    if (!own) return;
    coordinator_done(&own->transaction);
    if (own->group_name) coordinator_done(&own->group);
    kafka_producer_free(t->producer);
    mem_free(own->group_name);
    mem_free(own);
    t->own = NULL;
    t->producer = NULL;
}

err *txn_own_init(kafka_txn *t, int64_t longest_ms) {
    txn_own *own = t->own;
    rd_kafka_resp_err_t code;
    kafka_producer_drop(t->producer);
    coordinator_hang_up(&own->transaction);
    if (own->group_name) coordinator_hang_up(&own->group);
    err *e = coordinator_ask(&own->transaction,
                             &(question){ .put = put_init,
                                          .read = read_init,
                                          .arg = own,
                                          .patience_ms = STEP_MS / 2,
                                          .limit_ms = longest_ms },
                             &code);
    if (!e && code == RD_KAFKA_RESP_ERR__TIMED_OUT)
        e = kafka_txn_no_coordinator(t, longest_ms, own->transaction.said);
    if (!e && code) e = kafka_txn_error(t, "registering", code, NULL);
    if (e) return e;
    kafka_producer_reset(t->producer, own->who.producer.id, own->who.producer.epoch);
    own->is_known = false;
    return NULL;
}

/* -- a transaction */

void txn_own_begin(kafka_txn *t) {
    txn_own *own = t->own;
    own->is_known = false;
    kafka_producer_begin(t->producer, kafka_now_ms() + t->timeout_ms / 6 * 5);
}

static coordinator *group_of(txn_own *own, const char *group) {
    if (!own->group_name) {
        own->group_name = mem_copy_text(group, strlen(group));
        coordinator_init(&own->group, &own->t->client, kafka_producer_dial(own->t->producer),
                         COORDINATES_GROUP, own->group_name);
    }
    return &own->group;
}

/* First the transaction's coordinator hears of the group, then the group's of the offsets. */
err *txn_own_offsets(kafka_txn *t, const rd_kafka_topic_partition_list_t *list,
                     const char *group) {
    txn_own *own = t->own;
    offsets_asked asked = { .own = own, .list = list, .group = group };
    question q = { .put = put_group,
                   .read = read_code,
                   .arg = &asked,
                   .patience_ms = PATIENCE_MS,
                   .limit_ms = OFFSETS_MS };
    rd_kafka_resp_err_t code;
    own->is_known = true;
    err *e = coordinator_ask(&own->transaction, &q, &code);
    q.put = put_offsets;
    q.read = read_offsets;
    if (!e && !code) e = coordinator_ask(group_of(own, group), &q, &code);
    return !e && code ? kafka_txn_error(t, "adding offsets", code, NULL) : e;
}

err *txn_own_commit(kafka_txn *t) {
    txn_own *own = t->own;
    end_asked asked = { .own = own, .commits = true };
    const question q = {
        .put = put_end, .read = read_code, .arg = &asked, .patience_ms = PATIENCE_MS
    };
    rd_kafka_resp_err_t code;
    t->is_unknown = true;
    err *e = coordinator_ask(&own->transaction, &q, &code);
    if (e) return e;
    t->is_unknown = code != 0;
    if (!code) return NULL;
    e = kafka_txn_error(t, "committing", code, NULL);
    e->fatal = e->retriable; /* the pointer will tell */
    return e;
}

void txn_own_abort(kafka_txn *t) {
    txn_own *own = t->own;
    end_asked asked = { .own = own };
    const question q = { .put = put_end,
                         .read = read_code,
                         .arg = &asked,
                         .patience_ms = ABORT_MS,
                         .limit_ms = ABORT_MS };
    rd_kafka_resp_err_t code;
    kafka_producer_drop(t->producer);
    if (t->is_unknown || !own->is_known) return;
    err *e = coordinator_ask(&own->transaction, &q, &code);
    err_free(e);
    own->is_known = false;
}

uint32_t txn_own_errors(const kafka_txn *t) {
    uint32_t group = t->own->group_name ? t->own->group.errors : 0;
    return t->own->transaction.errors + group + kafka_producer_errors(t->producer);
}
