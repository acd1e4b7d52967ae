#include "runtime/connect/kafka_marks.h"

#include <string.h>

rd_kafka_topic_partition_list_t *kafka_marks_list(const char *pointer, const sl_mark *marks,
                                                  uint32_t count) {
    size_t len = strlen(pointer);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (uint32_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_t *at =
            rd_kafka_topic_partition_list_add(list, marks[i].topic, marks[i].partition);
        at->offset = marks[i].offset;
        at->metadata = rd_kafka_mem_malloc(NULL, len + 1); /* freed with the list */
        memcpy(at->metadata, pointer, len + 1);
        at->metadata_size = len;
    }
    rd_kafka_topic_partition_list_sort(list, NULL, NULL);
    return list;
}

void kafka_marks_free(rd_kafka_topic_partition_list_t *list) {
    if (list) rd_kafka_topic_partition_list_destroy(list);
}

static int compare(const rd_kafka_topic_partition_t *a, const rd_kafka_topic_partition_t *b) {
    int order = strcmp(a->topic, b->topic);
    return order ? order : (a->partition > b->partition) - (a->partition < b->partition);
}

/* The entry for `wanted`, or NULL; `*at` goes on from call to call. */
static const rd_kafka_topic_partition_t *find(const rd_kafka_topic_partition_list_t *list, int *at,
                                              const rd_kafka_topic_partition_t *wanted) {
    while (*at < list->cnt && compare(&list->elems[*at], wanted) < 0) ++*at;
    bool is_there = *at < list->cnt && compare(&list->elems[*at], wanted) == 0;
    return is_there && list->elems[*at].offset >= 0 ? &list->elems[*at] : NULL;
}

static bool is_same(const rd_kafka_topic_partition_t *a, const rd_kafka_topic_partition_t *b) {
    return a->offset == b->offset && a->metadata_size == b->metadata_size &&
           (!a->metadata_size || memcmp(a->metadata, b->metadata, a->metadata_size) == 0);
}

static void tell(buf *out, const rd_kafka_topic_partition_t *at) {
    if (!at) {
        buf_put_text(out, "nothing");
        return;
    }
    buf_printf(out, "offset %lld with `%.*s`", (long long)at->offset, (int)at->metadata_size,
               at->metadata_size ? (const char *)at->metadata : "");
}

/* Texts of one make begin with the same letter. */
static kafka_difference judge(const rd_kafka_topic_partition_t *found,
                              const rd_kafka_topic_partition_t *wanted) {
    if (!found) return KAFKA_GONE;
    if (!found->metadata_size) return KAFKA_FOREIGN;
    if (!wanted || !wanted->metadata_size) return KAFKA_MOVED;
    bool is_alike = *(const char *)found->metadata == *(const char *)wanted->metadata;
    return is_alike ? KAFKA_MOVED : KAFKA_FOREIGN;
}

static kafka_difference differ(buf *seen, const rd_kafka_topic_partition_t *at,
                               const rd_kafka_topic_partition_t *found,
                               const rd_kafka_topic_partition_t *wanted) {
    if (seen) {
        buf_printf(seen, "topic %s partition %d has ", at->topic, (int)at->partition);
        tell(seen, found);
        buf_put_text(seen, ", committed last was ");
        tell(seen, wanted);
    }
    return judge(found, wanted);
}

kafka_difference kafka_marks_compare(const rd_kafka_topic_partition_list_t *committed,
                                     const rd_kafka_topic_partition_list_t *wanted,
                                     const rd_kafka_topic_partition_list_t *known, buf *seen) {
    int at = 0, in_wanted = 0, in_known = 0;
    for (int i = 0; i < wanted->cnt; i++) {
        const rd_kafka_topic_partition_t *found = find(committed, &at, &wanted->elems[i]);
        if (!found || !is_same(found, &wanted->elems[i]))
            return differ(seen, &wanted->elems[i], found, &wanted->elems[i]);
    }
    for (int i = 0; i < committed->cnt; i++) {
        const rd_kafka_topic_partition_t *found = &committed->elems[i];
        if (found->offset < 0 || find(wanted, &in_wanted, found) ||
            find(known, &in_known, found))
            continue;
        return differ(seen, found, found, NULL);
    }
    return KAFKA_SAME;
}

rd_kafka_topic_partition_list_t *kafka_marks_join(rd_kafka_topic_partition_list_t *known,
                                                  const rd_kafka_topic_partition_list_t *more) {
    int at = 0, count = known->cnt;
    for (int i = 0; i < more->cnt; i++) {
        const rd_kafka_topic_partition_t *one = &more->elems[i];
        while (at < count && compare(&known->elems[at], one) < 0) at++;
        if (at < count && compare(&known->elems[at], one) == 0) continue;
        rd_kafka_topic_partition_list_add(known, one->topic, one->partition)->offset = 0;
    }
    if (known->cnt > count) rd_kafka_topic_partition_list_sort(known, NULL, NULL);
    return known;
}
