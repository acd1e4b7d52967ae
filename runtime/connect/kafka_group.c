#include "runtime/connect/kafka_group.h"

#include "runtime/base/buf.h"
#include "runtime/base/crash.h"
#include "runtime/base/mem.h"
#include "runtime/connect/kafka_question.h"

enum {
    SILENT_MS = 2000, /* no answer to a commit for so long: the broker is lost */
    AGAIN_MS = 100,   /* before what failed is tried again */
    WHO_MS = 5000,    /* how long it is asked who the members are */
    FIND_MS = 30000,  /* how long a start asks for the group's partitions */
    ALIVE_MS = 200,   /* how long a broker has to show that it is there */
};

static const char own_offsets[] = "offsets are committed with the pipeline's state";

static const kafka_setting group_settings[] = {
    { "enable.auto.commit", "false", own_offsets },
    { "enable.auto.offset.store", "false", own_offsets },
    { "auto.offset.reset", "error", "use the option `on_data_loss`, or `start`" },
    { "retry.backoff.ms", "5", NULL }, /* it is what waiting for a commit under way costs */
    { "reconnect.backoff.max.ms", "2000", NULL },
};

static err *open_handle(kafka_group *g) {
    enum { OWN = sizeof group_settings / sizeof *group_settings };
    kafka_setting settings[OWN + 2];
    for (size_t i = 0; i < OWN; i++) settings[i] = group_settings[i];
    settings[OWN] = (kafka_setting){ "group.id", g->name, "use the pipeline's option `group`" };
    settings[OWN + 1] = (kafka_setting){
        "isolation.level", fault_is("read_unstable") ? "read_uncommitted" : "read_committed",
        "the offsets of an open transaction are not those that count"
    };
    return kafka_client_open(&g->client, RD_KAFKA_CONSUMER, g->plan->options, &g->system, settings,
                             OWN + 2, NULL);
}

err *kafka_group_open(kafka_group *g, const sl_checkpoint *plan, const sl_system *system) {
    g->name = mem_copy_text(plan->group.data, plan->group.len);
    g->plan = plan;
    g->system = *system;
    err *e = open_handle(g);
    if (!e) return NULL;
    mem_free(g->name);
    g->name = NULL;
    return e;
}

void kafka_group_close(kafka_group *g) {
    if (g->client.rk) kafka_client_close(&g->client);
    mem_free(g->name);
    g->name = NULL;
}

static err *denied(const kafka_group *g) {
    return err_new(ERR_AUTH,
                   "Kafka at %s refused access to the consumer group %s (check the account's "
                   "rights: Read on the group)",
                   g->client.brokers, g->name);
}

/* -- reading */

static rd_kafka_resp_err_t list_error(const rd_kafka_topic_partition_list_t *list) {
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].err) return list->elems[i].err;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* The worst error in an answer: of the whole, the group, or a partition. */
static rd_kafka_resp_err_t error_of(rd_kafka_event_t *event,
                                    const rd_kafka_topic_partition_list_t **list) {
    *list = NULL;
    if (rd_kafka_event_error(event)) return rd_kafka_event_error(event);
    size_t count = 0;
    const rd_kafka_group_result_t **groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
    if (!count) return RD_KAFKA_RESP_ERR_UNKNOWN;
    const rd_kafka_error_t *error = rd_kafka_group_result_error(groups[0]);
    if (error) return rd_kafka_error_code(error);
    *list = rd_kafka_group_result_partitions(groups[0]);
    return *list ? list_error(*list) : RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_event_t *ask_all(kafka_group *g) {
    kafka_question q = kafka_question_begin(
        &g->client, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, FIND_MS);
    rd_kafka_ListConsumerGroupOffsets_t *wish =
        rd_kafka_ListConsumerGroupOffsets_new(g->name, NULL);
    rd_kafka_ListConsumerGroupOffsets(g->client.rk, &wish, 1, q.options, q.queue);
    rd_kafka_event_t *event = kafka_question_end(&g->client, &q);
    rd_kafka_ListConsumerGroupOffsets_destroy(wish);
    return event;
}

/* librdkafka 2.0.2 remembers the coordinator that an admin call has found for minutes, whatever it
 * answers: only a new handle looks for the one that has taken over. */
static err *ask_anew(kafka_group *g) {
    int64_t lost_ms = g->client.lost_ms; /* "broker back" is still to be written */
    kafka_client_close(&g->client);
    err *e = open_handle(g);
    if (!e) g->client.lost_ms = lost_ms;
    return e;
}

err *kafka_group_find(kafka_group *g, rd_kafka_topic_partition_list_t **list) {
    int64_t start_ms = kafka_now_ms();
    *list = NULL;
    for (;;) {
        rd_kafka_event_t *event = ask_all(g);
        const rd_kafka_topic_partition_list_t *told = NULL;
        rd_kafka_resp_err_t code =
            event ? error_of(event, &told) : RD_KAFKA_RESP_ERR__TIMED_OUT;
        if (!code) {
            *list = told ? rd_kafka_topic_partition_list_copy(told)
                         : rd_kafka_topic_partition_list_new(0);
            rd_kafka_topic_partition_list_sort(*list, NULL, NULL);
        }
        if (event) rd_kafka_event_destroy(event);
        if (!code) return NULL;
        if (code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED) return denied(g);
        err *e = kafka_client_check(&g->client);
        if (e) return e;
        if (kafka_now_ms() - start_ms >= FIND_MS)
            return err_new(ERR_BROKER,
                           "the offsets of the consumer group %s on %s did not come within %d s: "
                           "%s",
                           g->name, g->client.brokers, FIND_MS / 1000, rd_kafka_err2str(code));
        rd_kafka_poll(g->client.rk, AGAIN_MS);
        if (code == RD_KAFKA_RESP_ERR_NOT_COORDINATOR) e = ask_anew(g);
        if (e) return e;
    }
}

/* Nothing came in time: a broker that answers otherwise has a transaction open. */
static kafka_answer judge_silence(kafka_group *g) {
    const rd_kafka_metadata_t *answer = NULL;
    if (rd_kafka_metadata(g->client.rk, 0, NULL, &answer, ALIVE_MS)) return KAFKA_NO_WORD;
    rd_kafka_metadata_destroy(answer);
    return KAFKA_PENDING;
}

/* With isolation.level = read_committed this asks for what is stable. A short call comes first:
 * librdkafka 2.0.2 does not notice that the coordinator has been found in the meantime before it is
 * asked again, and would wait for a second. */
static rd_kafka_resp_err_t committed(kafka_group *g, rd_kafka_topic_partition_list_t *list,
                                     int64_t timeout_ms) {
    enum { SHORT_MS = 20 };
    int64_t short_ms = timeout_ms < SHORT_MS ? timeout_ms : SHORT_MS;
    rd_kafka_resp_err_t code = rd_kafka_committed(g->client.rk, list, (int)short_ms);
    if (code != RD_KAFKA_RESP_ERR__TIMED_OUT || timeout_ms <= SHORT_MS) return code;
    return rd_kafka_committed(g->client.rk, list, (int)(timeout_ms - SHORT_MS));
}

err *kafka_group_read(kafka_group *g, const rd_kafka_topic_partition_list_t *wanted,
                      int64_t timeout_ms, kafka_answer *answer,
                      rd_kafka_topic_partition_list_t **list) {
    *list = NULL;
    *answer = KAFKA_NO_WORD;
    err *e = kafka_client_check(&g->client);
    if (e) return e;
    rd_kafka_topic_partition_list_t *told = rd_kafka_topic_partition_list_copy(wanted);
    rd_kafka_resp_err_t code = wanted->cnt ? committed(g, told, timeout_ms)
                                           : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!code) code = list_error(told);
    if (!code) {
        *answer = KAFKA_TOLD;
        *list = told;
        return NULL;
    }
    rd_kafka_topic_partition_list_destroy(told);
    if (code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED) return denied(g);
    *answer = judge_silence(g);
    return NULL;
}

/* -- committing */

/* Say who the members are, as far as the coordinator tells; how many there are. */
static size_t tell_members(kafka_group *g, buf *out) {
    kafka_question q = kafka_question_begin(&g->client, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS,
                                            WHO_MS);
    const char *name = g->name;
    rd_kafka_DescribeConsumerGroups(g->client.rk, &name, 1, q.options, q.queue);
    rd_kafka_event_t *event = kafka_question_end(&g->client, &q);
    if (!event) return 0;
    size_t count = 0;
    const rd_kafka_DescribeConsumerGroups_result_t *result =
        rd_kafka_event_DescribeConsumerGroups_result(event);
    const rd_kafka_ConsumerGroupDescription_t **groups =
        result ? rd_kafka_DescribeConsumerGroups_result_groups(result, &count) : NULL;
    count = count ? rd_kafka_ConsumerGroupDescription_member_count(groups[0]) : 0;
    for (size_t i = 0; i < count && i < 3; i++) {
        const rd_kafka_MemberDescription_t *member =
            rd_kafka_ConsumerGroupDescription_member(groups[0], i);
        buf_printf(out, "%s%s at %s", i ? ", " : "", rd_kafka_MemberDescription_client_id(member),
                   rd_kafka_MemberDescription_host(member));
    }
    if (count > 3) buf_printf(out, " and %zu more", count - 3);
    rd_kafka_event_destroy(event);
    return count;
}

static err *has_members(const kafka_group *g, buf *who) {
    return err_new(ERR_FENCED,
                   "the consumer group %s on %s has live members (%s), and this pipeline commits "
                   "its progress under that name (stop them, or give one of both another group; "
                   "who they are: kafka-consumer-groups.sh --bootstrap-server %s --describe "
                   "--group %s --members)",
                   g->name, g->client.brokers, who->len ? buf_text(who) : "not told who",
                   g->client.brokers, g->name);
}

err *kafka_group_alone(kafka_group *g) {
    buf who;
    buf_init(&who);
    err *e = tell_members(g, &who) ? has_members(g, &who) : NULL;
    buf_done(&who);
    return e;
}

static err *refused_members(kafka_group *g) {
    buf who;
    buf_init(&who);
    tell_members(g, &who);
    err *e = has_members(g, &who);
    buf_done(&who);
    return e;
}

/* What ends the attempts; NULL: it may be tried again. */
static err *judge_commit(kafka_group *g, rd_kafka_resp_err_t code) {
    switch (code) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID: return refused_members(g);
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED: return denied(g);
    case RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_COMMIT_OFFSET_SIZE:
    case RD_KAFKA_RESP_ERR_INVALID_GROUP_ID:
        return err_new(ERR_BROKER,
                       "committing offsets of the consumer group %s on %s: %s (the broker's "
                       "offset.metadata.max.bytes must be 200 or more)",
                       g->name, g->client.brokers, rd_kafka_err2str(code));
    default: return NULL;
    }
}

static rd_kafka_resp_err_t commit_error(rd_kafka_event_t *event) {
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);
    return code || !list ? code : list_error(list);
}

/* Wait for the outcome of one attempt; `*code` is it. */
static err *await_commit(kafka_group *g, rd_kafka_queue_t *queue, rd_kafka_resp_err_t *code) {
    int64_t start_ms = kafka_now_ms();
    for (;;) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, KAFKA_SLICE_MS);
        if (event) {
            *code = commit_error(event);
            rd_kafka_event_destroy(event);
            return NULL;
        }
        err *e = kafka_client_check(&g->client);
        if (e) return e;
        if (kafka_now_ms() - start_ms > SILENT_MS)
            kafka_client_lost(&g->client, g->client.brokers);
    }
}

err *kafka_group_commit(kafka_group *g, const rd_kafka_topic_partition_list_t *list) {
    for (;;) {
        rd_kafka_queue_t *queue = rd_kafka_queue_new(g->client.rk);
        rd_kafka_resp_err_t code =
            rd_kafka_commit_queue(g->client.rk, list, queue, NULL, NULL);
        err *e = code ? NULL : await_commit(g, queue, &code);
        rd_kafka_queue_destroy(queue);
        if (!e && !code) kafka_client_back(&g->client);
        if (e || !code) return e;
        e = judge_commit(g, code);
        if (!e) e = kafka_client_check(&g->client);
        if (e) return e;
        rd_kafka_poll(g->client.rk, AGAIN_MS);
    }
}
