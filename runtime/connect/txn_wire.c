#include "runtime/connect/txn_wire.h"

#include <stdio.h>
#include <string.h>

enum { NO_TEXT = -1,
       NO_EPOCH = -1,
       NOT_ATTEMPTED = 55 }; /* OPERATION_NOT_ATTEMPTED: another partition has the error */

static void put_nullable(buf *out, const char *text) {
    if (text)
        wire_put_text(out, text);
    else
        wire_put_int16(out, NO_TEXT);
}

static void put_producer(buf *out, const txn_who *who) {
    wire_put_int64(out, who->producer.id);
    wire_put_int16(out, who->producer.epoch);
}

/* -- FindCoordinator */

void txn_put_find(buf *out, txn_head head, coordinator_kind kind, const char *key) {
    wire_put_head(out, WIRE_FIND_COORDINATOR, WIRE_FIND_COORDINATOR_VERSION, head.request,
                  head.client);
    wire_put_text(out, key);
    wire_put_int8(out, (int8_t)kind);
    wire_end_frame(out);
}

int16_t txn_read_find(wire_reader *r, char *address, size_t room) {
    wire_int32(r); /* throttled */
    int16_t code = wire_int16(r), said = wire_int16(r);
    if (said > 0) wire_bytes(r, said);
    wire_int32(r); /* its number */
    int16_t len = wire_int16(r);
    const char *host = wire_bytes(r, len);
    int32_t port = wire_int32(r);
    if (!code && !r->is_short) snprintf(address, room, "%.*s:%d", (int)len, host, (int)port);
    return code;
}

/* -- InitProducerId */

void txn_put_init(buf *out, txn_head head, const txn_who *who) {
    wire_put_head(out, WIRE_INIT_PRODUCER, WIRE_INIT_PRODUCER_VERSION, head.request, head.client);
    put_nullable(out, who->id);
    wire_put_int32(out, (int32_t)who->timeout_ms);
    wire_end_frame(out);
}

int16_t txn_read_init(wire_reader *r, batch_producer *producer) {
    wire_int32(r); /* throttled */
    int16_t code = wire_int16(r);
    int64_t id = wire_int64(r);
    int16_t epoch = wire_int16(r);
    if (code || r->is_short) return code;
    producer->id = id;
    producer->epoch = epoch;
    return 0;
}

/* -- AddPartitionsToTxn */

static bool is_first(const produce_place *places, uint32_t at) {
    return at == 0 || strcmp(places[at - 1].topic, places[at].topic) != 0;
}

static uint32_t run_from(const produce_place *places, uint32_t count, uint32_t at) {
    uint32_t end = at + 1;
    while (end < count && !is_first(places, end)) end++;
    return end - at;
}

void txn_put_partitions(buf *out, txn_head head, const txn_who *who, const produce_place *places,
                        uint32_t count) {
    wire_put_head(out, WIRE_ADD_PARTITIONS, WIRE_ADD_PARTITIONS_VERSION, head.request, head.client);
    put_nullable(out, who->id);
    put_producer(out, who);
    int32_t topics = 0;
    for (uint32_t i = 0; i < count; i++) topics += is_first(places, i);
    wire_put_int32(out, topics);
    for (uint32_t i = 0; i < count; i++) {
        if (is_first(places, i)) {
            wire_put_text(out, places[i].topic);
            wire_put_int32(out, (int32_t)run_from(places, count, i));
        }
        wire_put_int32(out, places[i].number);
    }
    wire_end_frame(out);
}

static uint32_t find_place(const produce_place *places, uint32_t count, const char *topic,
                           int32_t len, int32_t number) {
    for (uint32_t i = 0; i < count; i++)
        if (places[i].number == number && topic && strlen(places[i].topic) == (size_t)len &&
            !memcmp(places[i].topic, topic, (size_t)len))
            return i;
    return 0;
}

int16_t txn_read_partitions(wire_reader *r, const produce_place *places, uint32_t count,
                            uint32_t *bad) {
    int16_t found = 0;
    wire_int32(r); /* throttled */
    wire_topics t = wire_topics_open(*r);
    while (wire_topics_next(&t)) {
        int32_t number = wire_int32(&t.in);
        int16_t code = wire_int16(&t.in);
        if (!code || (found && code == NOT_ATTEMPTED)) continue;
        if (found && found != NOT_ATTEMPTED) continue;
        found = code;
        *bad = find_place(places, count, t.topic, t.topic_len, number);
    }
    *r = t.in;
    return found;
}

/* -- AddOffsetsToTxn, EndTxn */

void txn_put_group(buf *out, txn_head head, const txn_who *who, const char *group) {
    wire_put_head(out, WIRE_ADD_OFFSETS, WIRE_ADD_OFFSETS_VERSION, head.request, head.client);
    put_nullable(out, who->id);
    put_producer(out, who);
    wire_put_text(out, group);
    wire_end_frame(out);
}

void txn_put_end(buf *out, txn_head head, const txn_who *who, bool commits) {
    wire_put_head(out, WIRE_END_TXN, WIRE_END_TXN_VERSION, head.request, head.client);
    put_nullable(out, who->id);
    put_producer(out, who);
    wire_put_int8(out, commits);
    wire_end_frame(out);
}

int16_t txn_read_code(wire_reader *r) {
    wire_int32(r); /* throttled */
    return wire_int16(r);
}

/* -- TxnOffsetCommit */

static bool is_first_of_list(const rd_kafka_topic_partition_list_t *list, int at) {
    return at == 0 || strcmp(list->elems[at - 1].topic, list->elems[at].topic) != 0;
}

static int run_of_list(const rd_kafka_topic_partition_list_t *list, int at) {
    int end = at + 1;
    while (end < list->cnt && !is_first_of_list(list, end)) end++;
    return end - at;
}

void txn_put_offsets(buf *out, txn_head head, const txn_who *who, const char *group,
                     const rd_kafka_topic_partition_list_t *list) {
    wire_put_head(out, WIRE_TXN_OFFSETS, WIRE_TXN_OFFSETS_VERSION, head.request, head.client);
    put_nullable(out, who->id);
    wire_put_text(out, group);
    put_producer(out, who);
    int32_t topics = 0;
    for (int i = 0; i < list->cnt; i++) topics += is_first_of_list(list, i);
    wire_put_int32(out, topics);
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *one = &list->elems[i];
        if (is_first_of_list(list, i)) {
            wire_put_text(out, one->topic);
            wire_put_int32(out, run_of_list(list, i));
        }
        wire_put_int32(out, one->partition);
        wire_put_int64(out, one->offset);
        wire_put_int32(out, NO_EPOCH);
        wire_put_int16(out, (int16_t)one->metadata_size);
        buf_put(out, one->metadata, one->metadata_size);
    }
    wire_end_frame(out);
}

int16_t txn_read_offsets(wire_reader *r) {
    int16_t found = 0;
    wire_int32(r); /* throttled */
    wire_topics t = wire_topics_open(*r);
    while (wire_topics_next(&t)) {
        wire_int32(&t.in); /* number */
        int16_t code = wire_int16(&t.in);
        if (code && !found) found = code;
    }
    *r = t.in;
    return found;
}
