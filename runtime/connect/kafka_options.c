#include "runtime/connect/kafka_options.h"

#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/mem.h"

bool kafka_is(const sl_string *s, const char *text) {
    return s->len == strlen(text) && memcmp(s->data, text, s->len) == 0;
}

const sl_value *kafka_option(const sl_value *options, const char *name) {
    if (!options || options->kind != SL_TABLE) return NULL;
    for (uint32_t i = 0; i < options->item_count; i++) {
        const sl_value *item = &options->items[i];
        if (kafka_is(&item->name, name)) return item->kind == SL_NIL ? NULL : item;
    }
    return NULL;
}

char *kafka_option_list(const sl_value *value, const char *otherwise) {
    if (!value) return mem_copy_text(otherwise, strlen(otherwise));
    if (value->kind == SL_TEXT) return mem_copy_text(value->text.data, value->text.len);
    buf joined;
    buf_init(&joined);
    for (uint32_t i = 0; i < value->item_count; i++) {
        if (i) buf_put_char(&joined, ',');
        buf_put(&joined, value->items[i].text.data, value->items[i].text.len);
    }
    char *text = mem_copy_text(buf_text(&joined), joined.len);
    buf_done(&joined);
    return text;
}
