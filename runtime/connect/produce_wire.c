/* Produce 7, as Kafka's protocol lays it out. */
#include <string.h>

#include "runtime/connect/kafka_produce_state.h"

enum { ALL_REPLICAS = -1,
       ANSWER_MS = 20000, /* how long a leader waits for its followers */
       NO_TEXT = -1 };

static void put_nullable(buf *out, const char *text) {
    if (text)
        wire_put_text(out, text);
    else
        wire_put_int16(out, NO_TEXT);
}

/* Batches of a topic stand side by side in a request. */
static bool is_first_of_topic(const produce_request *r, uint32_t at) {
    return at == 0 || r->batches[at - 1]->partition->topic != r->batches[at]->partition->topic;
}

static int32_t topics_of(const produce_request *r) {
    int32_t count = 0;
    for (uint32_t i = 0; i < r->count; i++) count += is_first_of_topic(r, i);
    return count;
}

static int32_t partitions_from(const produce_request *r, uint32_t at) {
    uint32_t end = at + 1;
    while (end < r->count && !is_first_of_topic(r, end)) end++;
    return (int32_t)(end - at);
}

void produce_put_request(kafka_producer *p, const produce_request *r) {
    buf *out = &p->frame;
    wire_put_head(out, WIRE_PRODUCE, WIRE_PRODUCE_VERSION, r->id, p->dial.client);
    put_nullable(out, p->transaction ? p->transaction->id : NULL);
    wire_put_int16(out, ALL_REPLICAS);
    wire_put_int32(out, ANSWER_MS);
    wire_put_int32(out, topics_of(r));
    for (uint32_t i = 0; i < r->count; i++) {
        const produce_batch *b = r->batches[i];
        if (is_first_of_topic(r, i)) {
            wire_put_text(out, b->partition->topic->name);
            wire_put_int32(out, partitions_from(r, i));
        }
        wire_put_int32(out, b->partition->number);
        wire_put_int32(out, (int32_t)b->bytes.len);
        buf_put(out, b->bytes.data, b->bytes.len);
    }
    wire_end_frame(out);
}

produce_reader produce_open(const char *answer, size_t len) {
    wire_reader in = { .at = answer, .end = answer + len };
    produce_reader r = { .id = wire_int32(&in) };
    r.list = wire_topics_open(in);
    return r;
}

bool produce_next(produce_reader *r, produce_answer *a) {
    wire_reader *in = &r->list.in;
    if (!wire_topics_next(&r->list)) return false;
    *a = (produce_answer){ .topic = r->list.topic, .topic_len = r->list.topic_len };
    a->number = wire_int32(in);
    a->code = wire_int16(in);
    wire_int64(in); /* offset of the first record */
    wire_int64(in); /* its time, if it is the broker's */
    wire_int64(in); /* where the log begins */
    return !in->is_short;
}

produce_batch *produce_find(const produce_request *r, const produce_answer *a, uint32_t *at) {
    for (uint32_t i = 0; i < r->count; i++) {
        uint32_t index = (*at + i) % r->count;
        const produce_partition *part = r->batches[index] ? r->batches[index]->partition : NULL;
        if (!part || part->number != a->number ||
            strlen(part->topic->name) != (size_t)a->topic_len ||
            memcmp(part->topic->name, a->topic, (size_t)a->topic_len) != 0)
            continue;
        *at = index + 1;
        return r->batches[index];
    }
    return NULL;
}

bool produce_is_sound(const produce_request *r, const char *answer, size_t len) {
    produce_reader in = produce_open(answer, len);
    produce_answer a;
    uint32_t at = 0, count = 0;
    if (in.id != r->id) return false;
    for (uint32_t i = 0; i < r->count; i++) r->batches[i]->is_answered = false;
    for (; produce_next(&in, &a); count++) {
        produce_batch *b = produce_find(r, &a, &at);
        if (!b || b->is_answered) return false;
        b->is_answered = true;
    }
    return !in.list.in.is_short && count == r->count;
}
