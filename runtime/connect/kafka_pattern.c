#include "runtime/connect/kafka_pattern.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/mem.h"
#include "runtime/connect/kafka_options.h"

err *kafka_pattern_read(kafka_pattern *p, const sl_value *options) {
    const sl_value *pattern = kafka_option(options, "pattern");
    char text[256];
    buf anchored;
    if (!pattern) return NULL;
    buf_init(&anchored);
    buf_printf(&anchored, "^(%.*s)$", (int)pattern->text.len, pattern->text.data);
    int code = regcomp(&p->regex, buf_text(&anchored), REG_EXTENDED | REG_NOSUB);
    buf_done(&anchored);
    p->is_set = code == 0;
    p->text = pattern->text;
    p->without = kafka_option(options, "without");
    if (!code) return NULL;
    regerror(code, &p->regex, text, sizeof text);
    return err_new(ERR_PLAN, "option pattern: `%.*s` is no regular expression (POSIX extended): %s",
                   (int)pattern->text.len, pattern->text.data, text);
}

void kafka_pattern_done(kafka_pattern *p) {
    if (p->is_set) regfree(&p->regex);
    p->is_set = false;
}

bool kafka_pattern_matches(const kafka_pattern *p, const char *name) {
    if (strncmp(name, "__", 2) == 0) return false;
    for (uint32_t i = 0; p->without && i < p->without->item_count; i++)
        if (kafka_is(&p->without->items[i].text, name)) return false;
    return regexec(&p->regex, name, 0, NULL, 0) == 0;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **kafka_pattern_names(const kafka_pattern *p, const rd_kafka_metadata_t *answer,
                                 uint32_t *count) {
    const char **names = mem_alloc(((size_t)answer->topic_cnt + 1) * sizeof *names);
    *count = 0;
    for (int i = 0; i < answer->topic_cnt; i++)
        if (!answer->topics[i].err && kafka_pattern_matches(p, answer->topics[i].topic))
            names[(*count)++] = answer->topics[i].topic;
    qsort(names, *count, sizeof *names, compare_names);
    return names;
}
