#include "runtime/connect/kafka_ask.h"

#include <inttypes.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/json_text.h"
#include "runtime/connect/kafka_question.h"

enum { BROKER_DEFAULT = -1 }; /* replication factor: KIP-464 */

/* -- JSON */

static void say_name(buf *out, const char *name) {
    json_text_put(out, name, strlen(name));
    buf_put_char(out, ':');
}

void kafka_say_text(buf *out, const char *name, const char *text) {
    say_name(out, name);
    if (text && json_text_is_utf8(text, strlen(text)))
        json_text_put(out, text, strlen(text));
    else
        buf_put_text(out, "null");
    buf_put_char(out, ',');
}

void kafka_say_number(buf *out, const char *name, int64_t number) {
    say_name(out, name);
    buf_printf(out, "%" PRId64 ",", number);
}

void kafka_say_flag(buf *out, const char *name, bool flag) {
    say_name(out, name);
    buf_put_text(out, flag ? "true," : "false,");
}

void kafka_say_end(buf *out, char end) {
    if (out->len && out->data[out->len - 1] == ',') out->len--;
    buf_put_char(out, end);
}

/* -- questions */

/* Say why there is no answer; false: there is one. */
static bool say_failure(buf *out, const char *name, const rd_kafka_event_t *event) {
    if (!event) {
        kafka_say_text(out, name, "no answer");
        return true;
    }
    rd_kafka_event_t *asked = (rd_kafka_event_t *)(uintptr_t)event;
    if (!rd_kafka_event_error(asked)) return false;
    kafka_say_text(out, name, rd_kafka_err2name(rd_kafka_event_error(asked)));
    return true;
}

void kafka_ask_configs(kafka_client *c, rd_kafka_ResourceType_t type, const char *name, buf *out,
                       int64_t *max_bytes) {
    kafka_configs told = kafka_configs_ask(c, type, name, KAFKA_ASK_MS);
    if (max_bytes) *max_bytes = kafka_configs_number(&told, "max.message.bytes", 0);
    if (told.error) {
        kafka_say_text(out, "configs_error", told.error);
    } else {
        buf_put_text(out, "\"configs\":{");
        for (size_t i = 0; i < told.count; i++)
            if (!rd_kafka_ConfigEntry_is_sensitive(told.entries[i]))
                kafka_say_text(out, rd_kafka_ConfigEntry_name(told.entries[i]),
                               rd_kafka_ConfigEntry_value(told.entries[i]));
        kafka_say_end(out, '}');
        buf_put_char(out, ',');
    }
    kafka_configs_done(&told);
}

void kafka_ask_acls(kafka_client *c, buf *out) {
    char text[256];
    rd_kafka_AclBindingFilter_t *all = rd_kafka_AclBindingFilter_new(
        RD_KAFKA_RESOURCE_ANY, NULL, RD_KAFKA_RESOURCE_PATTERN_ANY, NULL, NULL,
        RD_KAFKA_ACL_OPERATION_ANY, RD_KAFKA_ACL_PERMISSION_TYPE_ANY, text, sizeof text);
    kafka_question q = kafka_question_begin(c, RD_KAFKA_ADMIN_OP_DESCRIBEACLS, KAFKA_ASK_MS);
    rd_kafka_DescribeAcls(c->rk, all, q.options, q.queue);
    rd_kafka_event_t *event = kafka_question_end(c, &q);
    if (!say_failure(out, "acls_error", event)) {
        size_t count = 0;
        rd_kafka_DescribeAcls_result_acls(rd_kafka_event_DescribeAcls_result(event), &count);
        kafka_say_number(out, "acls", (int64_t)count);
    }
    if (event) rd_kafka_event_destroy(event);
    rd_kafka_AclBinding_destroy(all);
}

/* The only group of an answer; NULL: there is none. */
static const rd_kafka_ConsumerGroupDescription_t *group_of(rd_kafka_event_t *event) {
    size_t count = 0;
    const rd_kafka_ConsumerGroupDescription_t **groups =
        rd_kafka_DescribeConsumerGroups_result_groups(
            rd_kafka_event_DescribeConsumerGroups_result(event), &count);
    return count ? groups[0] : NULL;
}

static rd_kafka_resp_err_t group_error(rd_kafka_event_t *event) {
    if (!event || rd_kafka_event_error(event)) return RD_KAFKA_RESP_ERR_NO_ERROR;
    const rd_kafka_ConsumerGroupDescription_t *group = group_of(event);
    const rd_kafka_error_t *error = group ? rd_kafka_ConsumerGroupDescription_error(group) : NULL;
    return error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_event_t *describe_group(kafka_client *c, const char *group) {
    int64_t end_ms = kafka_now_ms() + KAFKA_ASK_MS;
    for (;;) {
        kafka_question q =
            kafka_question_begin(c, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, KAFKA_ASK_MS);
        rd_kafka_DescribeConsumerGroups(c->rk, &group, 1, q.options, q.queue);
        rd_kafka_event_t *event = kafka_question_end(c, &q);
        if (!kafka_is_passing(group_error(event)) || kafka_now_ms() > end_ms) return event;
        rd_kafka_event_destroy(event);
        rd_kafka_poll(c->rk, KAFKA_SLICE_MS);
    }
}

void kafka_ask_group(kafka_client *c, const char *name, buf *out) {
    rd_kafka_event_t *event = describe_group(c, name);
    rd_kafka_resp_err_t code = group_error(event);
    kafka_say_text(out, "name", name);
    if (code) {
        kafka_say_text(out, "error", rd_kafka_err2name(code));
    } else if (!say_failure(out, "error", event) && group_of(event)) {
        const rd_kafka_ConsumerGroupDescription_t *group = group_of(event);
        kafka_say_text(out, "state",
                       rd_kafka_consumer_group_state_name(
                           rd_kafka_ConsumerGroupDescription_state(group)));
        kafka_say_number(out, "members",
                         (int64_t)rd_kafka_ConsumerGroupDescription_member_count(group));
    }
    if (event) rd_kafka_event_destroy(event);
}

void kafka_ask_creatable(kafka_client *c, const char *topic, int32_t partitions, buf *out) {
    char text[256];
    rd_kafka_NewTopic_t *wish =
        rd_kafka_NewTopic_new(topic, partitions, BROKER_DEFAULT, text, sizeof text);
    if (!wish) {
        kafka_say_text(out, "creatable_error", text);
        return;
    }
    kafka_question q = kafka_question_begin(c, RD_KAFKA_ADMIN_OP_CREATETOPICS, KAFKA_ASK_MS);
    rd_kafka_AdminOptions_set_validate_only(q.options, 1, text, sizeof text);
    rd_kafka_CreateTopics(c->rk, &wish, 1, q.options, q.queue);
    rd_kafka_event_t *event = kafka_question_end(c, &q);
    if (!say_failure(out, "creatable_error", event)) {
        size_t count = 0;
        const rd_kafka_topic_result_t **results = rd_kafka_CreateTopics_result_topics(
            rd_kafka_event_CreateTopics_result(event), &count);
        rd_kafka_resp_err_t code =
            count ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR_UNKNOWN;
        if (code && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
            kafka_say_text(out, "creatable_error", rd_kafka_err2name(code));
        else
            kafka_say_flag(out, "creatable", true);
    }
    if (event) rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy(wish);
}
