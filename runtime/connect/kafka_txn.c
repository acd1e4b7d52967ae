#include "runtime/connect/kafka_txn.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/crash.h"
#include "runtime/base/mem.h"
#include "runtime/connect/kafka_fate.h"
#include "runtime/connect/kafka_options.h"
#include "runtime/connect/kafka_produce.h"
#include "runtime/connect/kafka_txn_own.h"

enum {
    TIMEOUT_MS = 30000,     /* transaction.timeout.ms unless `config` sets it */
    LEAST_MS = 10000,       /* of what `config` may set */
    SLICE_MS = 5000,        /* of a call that may take long */
    WAIT_MS = 1000,         /* longest call without a look at `stop` */
    ABORT_MS = 2000,        /* an abort may take so long; a new handle ends it just as well */
    MARKERS_MS = 30,        /* so long a broker may write the markers of an aborted one; registering
                               before they are there costs 500 ms (librdkafka's pause) */
    SILENT_MS = 2000,       /* no answer for so long: the broker is lost */
    COORDINATOR_MS = 60000, /* a start waits so long for the coordinator */
    PAUSE_MS = 50,          /* between transactions that come to nothing: doubled each time */
    LONGEST_PAUSE_MS = 2000,
    BATCH_BYTES = 1000000,
    LEAST_BATCH_BYTES = 16384,
    REQUEST_BYTES = 512, /* of a batch beside its records */
};

static const char own_id[] = "it is made of the pipeline's group: it shuts out whoever else works "
                             "under that name";
static const char own_timeout[] = "it follows from transaction.timeout.ms";

static const kafka_setting txn_settings[] = {
    { "enable.idempotence", "true", "transactions need it" },
    { "acks", NULL, "transactions need all" },
    { "request.required.acks", NULL, "transactions need all" },
    { "delivery.timeout.ms", NULL, own_timeout },
    { "delivery.report.only.error", "true", "the sink counts by it" },
    { "partitioner", NULL, "keys go where Java's murmur2 puts them" },
    { "retry.backoff.ms", "5", NULL }, /* it is what CONCURRENT_TRANSACTIONS costs */
    { "linger.ms", "5", NULL },
    { "message.max.bytes", "33554432", NULL }, /* the broker judges */
    { "queue.buffering.max.kbytes", "65536", NULL },
    { "queue.buffering.max.messages", "200000", NULL },
    { "reconnect.backoff.max.ms", "2000", NULL },
};

/* -- parties and their messages */

uint32_t kafka_txn_join(kafka_txn *t, const kafka_party *party) {
    if (t->party_count == t->party_room) {
        t->party_room = t->party_room ? 2 * t->party_room : 8;
        t->parties = mem_realloc(t->parties, t->party_room * sizeof *t->parties);
    }
    t->parties[t->party_count] = *party;
    return t->party_count++;
}

void kafka_txn_leave(kafka_txn *t, uint32_t party) {
    kafka_txn_forget(t, party);
    t->parties[party] = (kafka_party){ 0 };
}

void kafka_txn_lend(kafka_txn *t, uint32_t party, const sl_message *messages, uint32_t count) {
    kafka_loan *last = t->loan_count ? &t->loans[t->loan_count - 1] : NULL;
    if (last && last->party == party && last->messages + last->count == messages) {
        last->count += count;
        return;
    }
    if (t->loan_count == t->loan_room) {
        t->loan_room = t->loan_room ? 2 * t->loan_room : 16;
        t->loans = mem_realloc(t->loans, t->loan_room * sizeof *t->loans);
    }
    t->loans[t->loan_count++] =
        (kafka_loan){ .messages = messages, .count = count, .party = party };
}

void kafka_txn_forget(kafka_txn *t, uint32_t party) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < t->loan_count; i++)
        if (t->loans[i].party != party) t->loans[kept++] = t->loans[i];
    t->loan_count = kept;
}

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
    kafka_txn *t = opaque;
    const sl_message *m = message->_private;
    (void)rk;
    if (!message->err) return;
    for (uint32_t i = 0; i < t->loan_count; i++) {
        const kafka_loan *loan = &t->loans[i];
        if (m < loan->messages || m >= loan->messages + loan->count) continue;
        t->parties[loan->party].failed(t->parties[loan->party].owner, message);
        return;
    }
}

/* -- errors */

err *kafka_txn_error(kafka_txn *t, const char *what, rd_kafka_resp_err_t code, const char *said) {
    const char *advice;
    t->said = code;
    kafka_fate fate = kafka_fate_of(code, code == RD_KAFKA_RESP_ERR__FATAL, true, false, &advice);
    bool is_denied = code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
                     code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
                     code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
                     code == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    err_code kind = fate == KAFKA_FATE_FENCED ? ERR_FENCED : is_denied ? ERR_AUTH
                                                                       : ERR_BROKER;
    err *e = err_new(kind, "%s in the transaction `%s` on %s: %s%s%s%s", what, t->id,
                     t->client.brokers, said ? said : rd_kafka_err2str(code), *advice ? " (" : "",
                     advice, *advice ? ")" : "");
    e->retriable = fate == KAFKA_FATE_ABORT || fate == KAFKA_FATE_LOST;
    e->fatal = fate == KAFKA_FATE_LOST;
    return e;
}

/* What a call's error means; takes it. NULL: the call is to be repeated. */
static err *judge(kafka_txn *t, const char *what, rd_kafka_error_t *error) {
    const char *advice;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    kafka_fate fate = kafka_fate_of(code, rd_kafka_error_is_fatal(error),
                                    rd_kafka_error_txn_requires_abort(error),
                                    rd_kafka_error_is_retriable(error), &advice);
    err *e = NULL;
    if (fate != KAFKA_FATE_AGAIN) {
        e = kafka_txn_error(t, what, code, rd_kafka_error_string(error));
        e->fatal = fate == KAFKA_FATE_LOST;
    }
    t->is_doubtful = true;
    rd_kafka_error_destroy(error);
    return e;
}

/* Look after the connection between two calls; the first began at `start_ms`. */
static err *watch(kafka_txn *t, int64_t start_ms) {
    if (kafka_now_ms() - start_ms > SILENT_MS) kafka_client_lost(&t->client, t->client.brokers);
    return kafka_client_check(&t->client);
}

/* -- the handle */

/* The option config["transaction.timeout.ms"]. */
static err *read_timeout(kafka_txn *t) {
    const sl_value *config = kafka_option(t->plan->options, "config");
    const sl_value *value = kafka_option(config, "transaction.timeout.ms");
    t->timeout_ms = TIMEOUT_MS;
    if (value && value->kind == SL_NUMBER) t->timeout_ms = (int64_t)value->number;
    if (value && value->kind == SL_TEXT) {
        char *text = mem_copy_text(value->text.data, value->text.len);
        t->timeout_ms = strtoll(text, NULL, 10);
        mem_free(text);
    }
    if (t->timeout_ms >= LEAST_MS || fault_is("short_transactions")) return NULL;
    return err_new(ERR_PLAN,
                   "option config.transaction.timeout.ms is %" PRId64 ": %d or more is wanted (a "
                   "broker that restarts is away for as long as that)",
                   t->timeout_ms, LEAST_MS);
}

/* `is_own`: the handle only tells where things are. */
static err *open_handle(kafka_txn *t, bool is_own) {
    enum { OWN = sizeof txn_settings / sizeof *txn_settings,
           MORE = 4 };
    kafka_setting settings[OWN + MORE];
    char timeout[24], message_timeout[24], batch[16];
    memcpy(settings, txn_settings, sizeof txn_settings);
    snprintf(timeout, sizeof timeout, "%" PRId64, t->timeout_ms);
    snprintf(message_timeout, sizeof message_timeout, "%" PRId64, t->timeout_ms / 6 * 5);
    snprintf(batch, sizeof batch, "%d", (int)t->batch_bytes);
    if (is_own) settings[0].value = NULL;
    settings[OWN] = (kafka_setting){ "transactional.id", is_own ? NULL : t->id, own_id };
    settings[OWN + 1] = (kafka_setting){ "transaction.timeout.ms", timeout, NULL };
    settings[OWN + 2] = (kafka_setting){ "message.timeout.ms", message_timeout, own_timeout };
    settings[OWN + 3] = (kafka_setting){ "batch.size", batch, NULL };
    t->generation++;
    return kafka_client_open(&t->client, RD_KAFKA_PRODUCER, t->plan->options, &t->system, settings,
                             OWN + MORE, on_report);
}

static void close_handle(kafka_txn *t) {
    if (!t->client.rk) return;
    for (uint32_t i = 0; i < t->party_count; i++)
        if (t->parties[i].gone) t->parties[i].gone(t->parties[i].owner);
    t->loan_count = 0;
    txn_own_close(t);
    rd_kafka_purge(t->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    while (rd_kafka_outq_len(t->client.rk) > 0) rd_kafka_poll(t->client.rk, KAFKA_SLICE_MS);
    kafka_client_close(&t->client);
    t->is_begun = false;
}

err *kafka_txn_no_coordinator(const kafka_txn *t, int64_t waited_ms, const char *said) {
    return err_new(ERR_BROKER,
                   "the coordinator of the transaction `%s` on %s did not answer within %d s: "
                   "%s (is __transaction_state there, with "
                   "transaction.state.log.replication.factor brokers up?)",
                   t->id, t->client.brokers, (int)(waited_ms / 1000), said);
}

/* Register with the coordinator; `longest_ms` 0: until stop is set. */
static err *init_by_librdkafka(kafka_txn *t, int64_t longest_ms) {
    int64_t start_ms = kafka_now_ms();
    for (;;) {
        rd_kafka_error_t *error = rd_kafka_init_transactions(t->client.rk, WAIT_MS / 2);
        if (!error) return NULL;
        char said[256];
        snprintf(said, sizeof said, "%s", rd_kafka_error_string(error));
        err *e = judge(t, "registering", error);
        if (!e) e = watch(t, start_ms);
        if (!e && longest_ms && kafka_now_ms() - start_ms > longest_ms)
            e = kafka_txn_no_coordinator(t, longest_ms, said);
        if (e) return e;
    }
}

static err *init(kafka_txn *t, int64_t longest_ms) {
    err *e = t->own ? txn_own_init(t, longest_ms) : init_by_librdkafka(t, longest_ms);
    if (e) return e;
    kafka_client_back(&t->client);
    t->is_doubtful = t->is_unknown = t->is_begun = false;
    t->said = RD_KAFKA_RESP_ERR_NO_ERROR;
    crash_point("txn_registered");
    return NULL;
}

/* By ourselves where that works. */
static err *open_own(kafka_txn *t) {
    const char *refusal = kafka_producer_refusal(t->plan->options, &t->system);
    char *reason = refusal ? mem_copy_text(refusal, strlen(refusal)) : NULL;
    err *e = refusal ? NULL : open_handle(t, true);
    if (!e && !refusal) e = kafka_client_await(&t->client);
    if (!e && !refusal) txn_own_open(t, &reason);
    if (!e && reason) {
        log_info(t->system.log, "writing by librdkafka", log_text("transaction", t->id),
                 log_text("reason", reason));
        close_handle(t);
    }
    mem_free(reason);
    return e;
}

static err *open_any(kafka_txn *t) {
    err *e = open_own(t);
    if (e || t->own) return e;
    e = open_handle(t, false);
    return e ? e : kafka_client_await(&t->client);
}

err *kafka_txn_open(kafka_txn *t, const sl_checkpoint *plan, const sl_system *system) {
    *t = (kafka_txn){ .plan = plan, .system = *system, .batch_bytes = BATCH_BYTES };
    t->id = mem_copy_text(plan->group.data, plan->group.len);
    if (fault_is("own_id")) { /* what happens without the fence */
        char id[300];
        snprintf(id, sizeof id, "%s-%d", t->id, (int)getpid());
        mem_free(t->id);
        t->id = mem_copy_text(id, strlen(id));
    }
    err *e = read_timeout(t);
    if (!e) e = open_any(t);
    if (!e) e = init(t, COORDINATOR_MS);
    if (e) kafka_txn_close(t);
    return e;
}

void kafka_txn_close(kafka_txn *t) {
    if (t->client.rk && !t->is_unknown) kafka_txn_abort(t);
    close_handle(t);
    mem_free(t->parties);
    mem_free(t->loans);
    mem_free(t->id);
    *t = (kafka_txn){ 0 };
}

/* Wait before the next attempt, the longer the more came to nothing. */
static err *rest(kafka_txn *t) {
    uint32_t doublings = t->failures < 8 ? t->failures : 8;
    int64_t pause_ms = doublings > 1 ? PAUSE_MS << (doublings - 2) : 0;
    int64_t end_ms = kafka_now_ms() + (pause_ms < LONGEST_PAUSE_MS ? pause_ms : LONGEST_PAUSE_MS);
    while (t->client.rk) {
        err *e = kafka_client_check(&t->client);
        int64_t left_ms = end_ms - kafka_now_ms();
        if (e || left_ms <= 0) return e;
        rd_kafka_poll(t->client.rk, (int)(left_ms < KAFKA_SLICE_MS ? left_ms : KAFKA_SLICE_MS));
    }
    return NULL;
}

static err *reopen(kafka_txn *t) {
    int64_t lost_ms = t->client.lost_ms; /* "broker back" is still to be written */
    close_handle(t);
    err *e = open_handle(t, false);
    if (!e) t->client.lost_ms = lost_ms;
    return e;
}

err *kafka_txn_renew(kafka_txn *t) {
    if (fault_is("keep_producer")) { /* what happens when a late request meets the same epoch */
        t->is_doubtful = false;
        return NULL;
    }
    for (;;) {
        err *e = rest(t);
        if (e) return e;
        if (!t->own) e = reopen(t);
        if (!e) e = init(t, 0);
        if (!e || !e->retriable) return e;
        log_warn(t->client.log, "transaction registered again", log_text("reason", e->message));
        err_free(e);
        t->failures++;
    }
}

/* -- a transaction */

static uint32_t count_errors(kafka_txn *t) {
    return t->own ? txn_own_errors(t) : kafka_client_errors(&t->client);
}

static err *begin_by_librdkafka(kafka_txn *t) {
    rd_kafka_error_t *error = rd_kafka_begin_transaction(t->client.rk);
    if (!error) return NULL;
    err *e = judge(t, "beginning", error);
    return e ? e : kafka_txn_error(t, "beginning", RD_KAFKA_RESP_ERR__STATE, NULL);
}

err *kafka_txn_begin(kafka_txn *t) {
    err *e = kafka_client_check(&t->client);
    if (e) return e;
    t->errors = count_errors(t);
    if (t->own)
        txn_own_begin(t);
    else
        e = begin_by_librdkafka(t);
    if (e) return e;
    t->is_begun = true;
    crash_point("txn_begun");
    return NULL;
}

/* Asked once: repeated after a time-out, 2.16 may never return. Nothing is committed before
 * kafka_txn_commit, so to abort and begin again is as good. */
static err *send_offsets(kafka_txn *t, const rd_kafka_topic_partition_list_t *list,
                         const char *group) {
    rd_kafka_consumer_group_metadata_t *member = rd_kafka_consumer_group_metadata_new(group);
    rd_kafka_error_t *error =
        rd_kafka_send_offsets_to_transaction(t->client.rk, list, member, SLICE_MS);
    rd_kafka_consumer_group_metadata_destroy(member);
    if (!error) return NULL;
    err *e = judge(t, "adding offsets", error);
    return e ? e : kafka_txn_error(t, "adding offsets", RD_KAFKA_RESP_ERR__TIMED_OUT, NULL);
}

err *kafka_txn_offsets(kafka_txn *t, const rd_kafka_topic_partition_list_t *list,
                       const char *group) {
    err *e = t->own ? txn_own_offsets(t, list, group) : send_offsets(t, list, group);
    if (e) t->is_doubtful = true;
    if (!e) crash_point("offsets_sent");
    return e;
}

static err *commit_by_librdkafka(kafka_txn *t) {
    int64_t start_ms = kafka_now_ms();
    for (;;) {
        rd_kafka_error_t *error = rd_kafka_commit_transaction(t->client.rk, SLICE_MS);
        if (!error) return NULL;
        t->is_unknown = true;
        err *e = judge(t, "committing", error);
        if (e && !e->fatal) t->is_unknown = false; /* it must be aborted: it was not committed */
        if (!e) e = watch(t, start_ms);
        if (e) return e;
    }
}

err *kafka_txn_commit(kafka_txn *t) {
    err *e = t->own ? txn_own_commit(t) : commit_by_librdkafka(t);
    if (e) t->is_doubtful = true;
    if (e) return e;
    crash_point("txn_committed");
    t->is_begun = t->is_unknown = false;
    if (count_errors(t) != t->errors) t->is_doubtful = true;
    kafka_client_back(&t->client);
    t->failures = 0;
    return NULL;
}

static void abort_by_librdkafka(kafka_txn *t) {
    int64_t start_ms = kafka_now_ms();
    while (!t->is_unknown && kafka_now_ms() - start_ms < ABORT_MS) {
        rd_kafka_error_t *error = rd_kafka_abort_transaction(t->client.rk, WAIT_MS);
        if (!error) rd_kafka_poll(t->client.rk, MARKERS_MS);
        if (!error) break;
        err *e = judge(t, "aborting", error);
        if (!e) continue;
        err_free(e);
        break;
    }
}

void kafka_txn_abort(kafka_txn *t) {
    if (!t->is_begun || !t->client.rk) return;
    t->is_begun = false;
    t->is_doubtful = true;
    t->failures++;
    if (t->own)
        txn_own_abort(t);
    else
        abort_by_librdkafka(t);
    crash_point("txn_aborted");
}

bool kafka_txn_is_shut_out(const kafka_txn *t) {
    char text[256];
    if (!t->client.rk) return false;
    rd_kafka_resp_err_t code =
        t->own ? t->said : rd_kafka_fatal_error(t->client.rk, text, sizeof text);
    return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

void kafka_txn_fit(kafka_txn *t, int64_t bytes) {
    int64_t most = bytes - REQUEST_BYTES;
    if (most < LEAST_BATCH_BYTES) most = LEAST_BATCH_BYTES;
    if (most >= t->batch_bytes) return;
    t->batch_bytes = (int32_t)most;
    if (t->own)
        kafka_producer_fit(t->producer, (size_t)most);
    else
        t->is_doubtful = true;
}
