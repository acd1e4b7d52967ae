#include "runtime/connect/kafka_ledger.h"

/* DESIGN. The committed offsets are the only authority on what is done; what breaks that silently
 * (all seen on a real Kafka 4.3):
 * - Fences. Kafka takes a transactional commit of no member even while others are live members, and
 *   two transactional.ids do not shut each other out. So the id is the group's name alone; claim
 *   asks whether the group has members, and commits once what was read: in a transaction, for a
 *   plain commit passes every fence, and one that comes late puts back what a successor has done.
 *   check looks about once a second whether the offsets are still the last ones of ours, which
 *   finds tools that delete or reset them.
 * - A lost handle is not yet a lost pipeline: a pause or an outage longer than the transaction's
 *   timeout ends in the same fatal error as a rival does. `renew` looks first, for a second at most
 *   (registering first would shut out the rightful successor of a zombie), stops if the pointer has
 *   moved, then registers anew and reads again: ours: the batch can be done again; the one under
 *   way: it was committed; anything else: stop.
 * - Offsets are read stable: else an open transaction hides the last commit. They are asked for by
 *   name: asked for all, brokers give the old ones of those, and none of new ones. (What this id
 *   had on its way is settled once init_transactions has returned: a start can find names so.)
 * - A commit whose outcome is unknown is asked for again, never aborted.
 * - An empty list of offsets would be a commit that does nothing: every one has all partitions. */

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/crash.h"
#include "runtime/base/mem.h"
#include "runtime/connect/kafka_group.h"
#include "runtime/connect/kafka_marks.h"
#include "runtime/connect/kafka_question.h"
#include "runtime/connect/kafka_txn.h"

enum {
    LOOK_MS = 1000,    /* of the look before a new registration */
    READ_MS = 1000,    /* of one question */
    MARGIN_MS = 15000, /* the broker ends a transaction up to 10 s after its timeout */
    CHECK_MS = 1000,   /* between two looks of check */
    GLANCE_MS = 100,   /* of such a look */
    AGAIN_MS = 20,     /* between two questions */
    SILENT_MS = 2000,  /* no answer for so long: the broker is lost */
};

typedef struct kafka_ledger {
    const sl_checkpoint *plan; /* borrowed */
    sl_system system;          /* its members are borrowed */
    kafka_group group;
    kafka_txn txn; /* exactly once */
    bool is_transactional;
    bool has_committed;                     /* by a transaction of this run */
    rd_kafka_topic_partition_list_t *last;  /* owned; what is committed, as far as known here */
    rd_kafka_topic_partition_list_t *known; /* owned; partitions that the group may have, too */
    rd_kafka_topic_partition_list_t *names; /* owned; known, and those of commits that failed: what
                                               is asked for */
    sl_committed *items;                    /* owned; of the last read; topics lie in `read` */
    rd_kafka_topic_partition_list_t *read;  /* owned */
    int64_t checked_ms;                     /* steady time of the last look of check */
    int64_t known_ms;                       /* at least once: when `last` was so for certain */
    char *cluster;                          /* its id, once asked; librdkafka's */
} kafka_ledger;

struct kafka_txn *kafka_ledger_txn(void *ledger) {
    kafka_ledger *l = ledger;
    return l->is_transactional ? &l->txn : NULL;
}

static void ledger_close(void *ledger) {
    kafka_ledger *l = ledger;
    if (l->is_transactional) kafka_txn_close(&l->txn);
    if (l->cluster) rd_kafka_mem_free(l->group.client.rk, l->cluster);
    kafka_group_close(&l->group);
    kafka_marks_free(l->last);
    kafka_marks_free(l->known);
    kafka_marks_free(l->names);
    kafka_marks_free(l->read);
    mem_free(l->items);
    mem_free(l);
}

static err *ledger_open(const sl_checkpoint *plan, const sl_system *system, void **ledger) {
    kafka_ledger *l = mem_zalloc(1, sizeof *l);
    l->plan = plan;
    l->system = *system;
    l->last = rd_kafka_topic_partition_list_new(0);
    l->known = rd_kafka_topic_partition_list_new(0);
    l->names = rd_kafka_topic_partition_list_new(0);
    err *e = kafka_group_open(&l->group, plan, system);
    if (!e && plan->delivery == SL_EXACTLY_ONCE) {
        e = kafka_txn_open(&l->txn, plan, system);
        l->is_transactional = !e;
    } else if (!e) {
        e = kafka_client_await(&l->group.client);
    }
    if (e) {
        ledger_close(l);
        return e;
    }
    *ledger = l;
    return NULL;
}

/* -- reading */

/* How long an open transaction may hold the offsets back. */
static int64_t longest_ms(const kafka_ledger *l) {
    enum { OTHERS_MS = 60000 }; /* at least once: there is none of ours */
    return (l->is_transactional ? l->txn.timeout_ms : OTHERS_MS) + MARGIN_MS;
}

/* Nothing here may end it: whether it was committed is not known to anybody but the broker, which
 * told the last registration that it has ended. */
static err *held_back(const kafka_ledger *l) {
    const char *brokers = l->group.client.brokers;
    return err_new(ERR_BROKER,
                   "the offsets of the consumer group %s on %s are held by an open transaction, "
                   "for %d s now: of another transactional.id, or of one that the broker never "
                   "ended (Kafka 4.3 that was killed within a commit: KAFKA-20734). To see which, "
                   "for each broker: kafka-transactions.sh --bootstrap-server %s find-hanging "
                   "--broker-id ID --max-transaction-timeout 0. To end it, for each partition "
                   "listed with that ProducerId: kafka-transactions.sh --bootstrap-server %s abort "
                   "--topic TOPIC --partition N --start-offset OFFSET. If none hangs: "
                   "kafka-transactions.sh --bootstrap-server %s list",
                   l->group.name, brokers, (int)(longest_ms(l) / 1000), brokers, brokers, brokers);
}

/* Read the offsets of `wanted`; waits, with the broker away too, until stop is set. ERR_BROKER: a
 * transaction holds them for ever. */
static err *read_of(kafka_ledger *l, const rd_kafka_topic_partition_list_t *wanted,
                    rd_kafka_topic_partition_list_t **list) {
    int64_t start_ms = kafka_now_ms(), word_ms = start_ms;
    bool is_logged = false;
    for (;;) {
        kafka_answer answer;
        err *e = kafka_group_read(&l->group, wanted, READ_MS, &answer, list);
        if (e) return e;
        int64_t now_ms = kafka_now_ms();
        if (answer != KAFKA_NO_WORD) word_ms = now_ms;
        if (answer != KAFKA_NO_WORD) kafka_client_back(&l->group.client);
        if (answer == KAFKA_TOLD) return NULL;
        if (now_ms - word_ms > SILENT_MS)
            kafka_client_lost(&l->group.client, l->group.client.brokers);
        if (answer == KAFKA_PENDING && now_ms - start_ms > longest_ms(l)) return held_back(l);
        if (answer == KAFKA_PENDING && !is_logged) {
            is_logged = true;
            log_info(l->system.log, "waiting for stable offsets", log_text("group", l->group.name),
                     log_number("seconds", longest_ms(l) / 1000));
        }
        rd_kafka_poll(l->group.client.rk, AGAIN_MS);
    }
}

static void fill_items(kafka_ledger *l, uint32_t *count) {
    l->items = mem_realloc(l->items, (size_t)(l->read->cnt + 1) * sizeof *l->items);
    *count = 0;
    for (int i = 0; i < l->read->cnt; i++) {
        const rd_kafka_topic_partition_t *at = &l->read->elems[i];
        if (at->offset < 0) continue;
        sl_committed *item = &l->items[(*count)++];
        *item = (sl_committed){
            .mark = { .topic = at->topic, .partition = at->partition, .offset = at->offset },
        };
        size_t len = at->metadata_size < SL_POINTER_BYTES - 1 ? at->metadata_size
                                                              : SL_POINTER_BYTES - 1;
        if (len) memcpy(item->pointer, at->metadata, len);
    }
}

static void set_last(kafka_ledger *l, rd_kafka_topic_partition_list_t *list) {
    kafka_marks_free(l->last);
    l->last = list;
    l->known = kafka_marks_join(l->known, list);
    l->names = kafka_marks_join(l->names, list);
}

/* All that the group has, also of partitions that are not named here. */
static err *read_all(kafka_ledger *l, rd_kafka_topic_partition_list_t **list) {
    rd_kafka_topic_partition_list_t *found;
    err *e = kafka_group_find(&l->group, &found);
    if (!e) found = kafka_marks_join(found, l->names);
    if (!e) e = read_of(l, found, list);
    kafka_marks_free(found);
    return e;
}

static err *ledger_read(void *ledger, const sl_committed **items, uint32_t *count) {
    kafka_ledger *l = ledger;
    rd_kafka_topic_partition_list_t *list = NULL;
    err *e = read_all(l, &list);
    /* with nothing to claim, the first commit would be made into a group that others live in */
    if (!e && !list->cnt) e = kafka_group_alone(&l->group);
    if (e) {
        kafka_marks_free(list);
        return e;
    }
    kafka_marks_free(l->read);
    l->read = list;
    fill_items(l, count);
    *items = l->items;
    set_last(l, rd_kafka_topic_partition_list_copy(list));
    crash_point("pointer_read");
    return NULL;
}

static const char *ledger_cluster(void *ledger) {
    kafka_ledger *l = ledger;
    if (!l->cluster) l->cluster = rd_kafka_clusterid(l->group.client.rk, READ_MS);
    return l->cluster ? l->cluster : "";
}

/* -- who has the pointer */

/* The group has something else than our last commit. */
static err *moved(const kafka_ledger *l, const rd_kafka_topic_partition_list_t *committed) {
    const char *group = l->group.name, *brokers = l->group.client.brokers;
    const char *operands = l->system.operands ? l->system.operands : "SCRIPT";
    buf text;
    buf_init(&text);
    kafka_difference how = kafka_marks_compare(committed, l->last, l->known, &text);
    const char *seen = buf_text(&text);
    err *e;
    if (how == KAFKA_GONE)
        e = err_new(ERR_REFUSED,
                    "offsets of the consumer group %s on %s are gone: %s; nothing more is "
                    "committed (somebody deleted the group, or the topic, while the pipeline ran; "
                    "the stored state is whole: `sluice checkpoint recover %s` commits its "
                    "pointer again)",
                    group, brokers, seen, operands);
    else if (how == KAFKA_FOREIGN)
        e = err_new(ERR_REFUSED,
                    "offsets of the consumer group %s on %s were moved: %s; nothing more is "
                    "committed (a tool reset the group, or another consumer uses it; the stored "
                    "state is whole: `sluice checkpoint recover %s` commits its pointer again)",
                    group, brokers, seen, operands);
    else
        e = err_new(ERR_FENCED,
                    "another process works under the name of the consumer group %s on %s: %s; "
                    "nothing more is committed here (stop one of both)",
                    group, brokers, seen);
    buf_done(&text);
    return e;
}

static bool is_last(const kafka_ledger *l, const rd_kafka_topic_partition_list_t *committed) {
    return !kafka_marks_compare(committed, l->last, l->known, NULL);
}

/* Whether a commit of unknown outcome was one; `list` NULL: there was none under way. */
static bool is_in_flight(const kafka_ledger *l, const rd_kafka_topic_partition_list_t *committed,
                         const rd_kafka_topic_partition_list_t *list) {
    return list && !kafka_marks_compare(committed, list, l->known, NULL);
}

/* Look whether the pointer has moved, for LOOK_MS at most; when there is no word, it has not. */
static err *look(kafka_ledger *l, const rd_kafka_topic_partition_list_t *in_flight) {
    int64_t end_ms = kafka_now_ms() + LOOK_MS;
    bool is_patient = kafka_txn_is_shut_out(&l->txn); /* by somebody who may be at work */
    for (;;) {
        rd_kafka_topic_partition_list_t *list;
        kafka_answer answer;
        err *e = kafka_group_read(&l->group, l->names, end_ms - kafka_now_ms(), &answer, &list);
        bool is_told = list != NULL;
        if (is_told && !is_last(l, list) && !is_in_flight(l, list, in_flight)) e = moved(l, list);
        kafka_marks_free(list);
        if (e || (is_told && !is_patient) || kafka_now_ms() + AGAIN_MS >= end_ms) return e;
        rd_kafka_poll(l->group.client.rk, AGAIN_MS);
    }
}

/* Register anew, if the pointer is still where we left it. `in_flight` (may be NULL): what a commit
 * of unknown outcome had; `*committed`: it was committed. ERR_FENCED, ERR_REFUSED: it is elsewhere.
 */
static err *renew(kafka_ledger *l, const rd_kafka_topic_partition_list_t *in_flight,
                  bool *committed) {
    rd_kafka_topic_partition_list_t *list = NULL;
    *committed = false;
    err *e = look(l, in_flight);
    if (!e) e = kafka_txn_renew(&l->txn);
    if (!e) e = read_all(l, &list); /* a first run has named nothing yet */
    if (!e) *committed = is_in_flight(l, list, in_flight);
    if (!e && !*committed && !is_last(l, list)) e = moved(l, list);
    kafka_marks_free(list);
    return e;
}

/* Not at the start, where it would be waited for. */
static void warn_of_retention(kafka_ledger *l) {
    enum { ENOUGH_MINUTES = 3 * 24 * 60,
           FACTS_MS = 500 };
    const rd_kafka_metadata_t *answer = NULL;
    if (rd_kafka_metadata(l->group.client.rk, 0, NULL, &answer, FACTS_MS)) return;
    char id[16];
    snprintf(id, sizeof id, "%d", answer->broker_cnt ? (int)answer->brokers[0].id : 0);
    rd_kafka_metadata_destroy(answer);
    kafka_configs told =
        kafka_configs_ask(&l->group.client, RD_KAFKA_RESOURCE_BROKER, id, FACTS_MS);
    int64_t minutes = kafka_configs_number(&told, "offsets.retention.minutes", ENOUGH_MINUTES);
    kafka_configs_done(&told);
    if (minutes >= ENOUGH_MINUTES) return;
    log_warn(l->system.log, "the broker forgets the offsets of a stopped pipeline soon",
             log_number("hours", minutes / 60),
             log_text("setting", "offsets.retention.minutes"));
}

static err *ledger_check(void *ledger) {
    kafka_ledger *l = ledger;
    int64_t now_ms = kafka_now_ms();
    if (!l->last->cnt || now_ms - l->checked_ms < CHECK_MS) return NULL;
    if (!l->checked_ms) warn_of_retention(l);
    l->checked_ms = now_ms;
    rd_kafka_topic_partition_list_t *list;
    kafka_answer answer;
    err *e = kafka_group_read(&l->group, l->names, GLANCE_MS, &answer, &list);
    if (e || !list) return e;
    if (!is_last(l, list)) e = moved(l, list);
    kafka_marks_free(list);
    return e;
}

/* -- a transaction */

static err *ledger_begin(void *ledger) {
    kafka_ledger *l = ledger;
    if (!l->is_transactional) return NULL;
    bool committed;
    err *e = l->txn.is_doubtful ? renew(l, NULL, &committed) : NULL;
    return e ? e : kafka_txn_begin(&l->txn);
}

/* The handle was lost in a commit: find out how that went. Takes `e`. */
static err *resolve(kafka_ledger *l, const rd_kafka_topic_partition_list_t *list, err *e) {
    bool committed;
    log_warn(l->system.log, "transaction lost", log_text("reason", e->message));
    err *trouble = renew(l, list, &committed);
    if (trouble || committed) {
        err_free(e);
        return trouble;
    }
    e->fatal = false;
    return e;
}

/* A plain commit passes every fence: who stood still for long looks first whether another process
 * has gone on since, so as not to put the pointer back. Not one act with the commit. */
static err *commit_plainly(kafka_ledger *l, const rd_kafka_topic_partition_list_t *list) {
    rd_kafka_topic_partition_list_t *seen = NULL;
    bool is_stale = kafka_now_ms() - l->known_ms > CHECK_MS && !fault_is("plain_claim");
    err *e = is_stale ? read_of(l, l->names, &seen) : NULL;
    if (seen && !is_last(l, seen)) e = moved(l, seen);
    kafka_marks_free(seen);
    if (!e) e = kafka_group_commit(&l->group, list);
    if (!e) l->known_ms = kafka_now_ms();
    return e;
}

static err *ledger_commit(void *ledger, const char *pointer, const sl_mark *marks,
                          uint32_t count) {
    kafka_ledger *l = ledger;
    assert(count > 0);
    rd_kafka_topic_partition_list_t *list = kafka_marks_list(pointer, marks, count);
    err *e;
    l->names = kafka_marks_join(l->names, list);
    if (l->is_transactional) {
        e = kafka_txn_offsets(&l->txn, list, l->group.name);
        if (!e) {
            e = kafka_txn_commit(&l->txn);
            if (e && e->retriable && e->fatal) e = resolve(l, list, e);
        }
    } else {
        e = commit_plainly(l, list);
    }
    if (e) {
        kafka_marks_free(list);
        return e;
    }
    set_last(l, list);
    l->has_committed = true;
    return NULL;
}

static err *ledger_abort(void *ledger) {
    kafka_ledger *l = ledger;
    if (!l->is_transactional) return NULL;
    bool committed;
    kafka_txn_abort(&l->txn);
    return l->txn.is_doubtful ? renew(l, NULL, &committed) : NULL;
}

/* -- the first commit of a run */

/* Behind the fence: a plain commit would get through even where another process has taken over
 * since `pointer` was read, and put it back to what it was then. */
static err *claim_in_transaction(kafka_ledger *l, const char *pointer, const sl_mark *marks,
                                 uint32_t count) {
    for (;;) {
        err *e = ledger_begin(l);
        if (!e) e = ledger_commit(l, pointer, marks, count);
        if (!e || !e->retriable) return e;
        log_warn(l->system.log, "first commit again", log_text("reason", e->message));
        err_free(e);
        e = ledger_abort(l);
        if (e) return e;
    }
}

static err *ledger_claim(void *ledger, const char *pointer, const sl_mark *marks, uint32_t count) {
    kafka_ledger *l = ledger;
    assert(count > 0);
    rd_kafka_topic_partition_list_t *list = kafka_marks_list(pointer, marks, count);
    bool is_plain = !l->is_transactional || fault_is("plain_claim");
    err *e = is_plain ? commit_plainly(l, list) : kafka_group_alone(&l->group);
    bool is_done = l->has_committed && is_last(l, list); /* the genesis, just now */
    if (!e && !is_plain && !is_done) e = claim_in_transaction(l, pointer, marks, count);
    if (!e && is_plain)
        set_last(l, list);
    else
        kafka_marks_free(list);
    return e;
}

const sl_ledger_ops kafka_ledger_ops = {
    .name = "kafka",
    .open = ledger_open,
    .read = ledger_read,
    .cluster = ledger_cluster,
    .claim = ledger_claim,
    .begin = ledger_begin,
    .commit = ledger_commit,
    .abort = ledger_abort,
    .check = ledger_check,
    .close = ledger_close,
};
