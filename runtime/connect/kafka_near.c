#include "runtime/connect/kafka_near.h"

#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/base/nearest.h"

enum { ASK_MS = 3000 };

char *kafka_near_topic(const kafka_client *c, const char *name) {
    const rd_kafka_metadata_t *all = NULL;
    if (rd_kafka_metadata(c->rk, 1, NULL, &all, ASK_MS)) return NULL;
    const char **names = mem_alloc(((size_t)all->topic_cnt + 1) * sizeof *names);
    uint32_t count = 0;
    for (int i = 0; i < all->topic_cnt; i++) {
        const rd_kafka_metadata_topic_t *topic = &all->topics[i];
        bool is_there = !topic->err && topic->partition_cnt > 0 && strcmp(topic->topic, name) != 0;
        if (is_there) names[count++] = topic->topic;
    }
    const char *near = nearest_word(name, names, count);
    char *found = near ? mem_copy_text(near, strlen(near)) : NULL;
    mem_free(names);
    rd_kafka_metadata_destroy(all);
    return found;
}

void kafka_near_put(const kafka_client *c, const char *name, buf *out) {
    char *near = kafka_near_topic(c, name);
    if (near) buf_printf(out, ": did you mean `%s`?", near);
    mem_free(near);
}
