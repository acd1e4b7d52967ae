#include "runtime/connect/options.h"

#include <string.h>

#include "runtime/base/mem.h"

static const sl_value *item_named(const sl_value *table, const char *name, size_t len) {
    if (!table || table->kind != SL_TABLE) return NULL;
    for (uint32_t i = 0; i < table->item_count; i++) {
        const sl_value *item = &table->items[i];
        if (item->name.len == len && !memcmp(item->name.data, name, len)) return item;
    }
    return NULL;
}

const sl_value *option_find(const sl_value *options, const char *path) {
    const sl_value *value = options;
    for (;;) {
        size_t len = strcspn(path, ".");
        value = item_named(value, path, len);
        if (!value || value->kind == SL_NIL) return NULL;
        if (!path[len]) return value;
        path += len + 1;
    }
}

static const sl_value *find_kind(const sl_value *options, const char *path, int32_t kind) {
    const sl_value *value = option_find(options, path);
    return value && value->kind == kind ? value : NULL;
}

sl_string option_text(const sl_value *options, const char *path) {
    const sl_value *value = find_kind(options, path, SL_TEXT);
    return value ? value->text : (sl_string){ 0 };
}

char *option_copy(const sl_value *options, const char *path, const char *fallback) {
    const sl_value *value = find_kind(options, path, SL_TEXT);
    if (value) return mem_copy_text(value->text.data, value->text.len);
    return fallback ? mem_copy_text(fallback, strlen(fallback)) : NULL;
}

double option_number(const sl_value *options, const char *path, double fallback) {
    const sl_value *value = find_kind(options, path, SL_NUMBER);
    return value ? value->number : fallback;
}

bool option_flag(const sl_value *options, const char *path, bool fallback) {
    const sl_value *value = find_kind(options, path, SL_FLAG);
    return value ? value->number != 0 : fallback;
}

const sl_value *option_table(const sl_value *options, const char *path) {
    return find_kind(options, path, SL_TABLE);
}
