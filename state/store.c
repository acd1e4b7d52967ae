#include "state/store.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "state/store_inside.h"

enum {
    NAME_LEN = 800,
    PART_LEN = 200,
    PUT_MS_FILE = 5,
    PUT_MS_S3 = 60,
};

typedef struct scheme {
    const store_ops *ops;
    store_cost cost;
} scheme;

static const scheme schemes[] = {
    { &store_file_ops, { .put_ms = PUT_MS_FILE } },
    { &store_s3_ops, { .put_ms = PUT_MS_S3, .is_charged = true } },
    { &store_memory_ops, { 0 } },
};

enum { SCHEMES = sizeof schemes / sizeof *schemes };

static const scheme *scheme_of(const char *url) {
    size_t len = strcspn(url, ":");
    for (int i = 0; url[len] && i < SCHEMES; i++) {
        const char *name = schemes[i].ops->scheme;
        if (strlen(name) == len && !memcmp(name, url, len)) return &schemes[i];
    }
    return NULL;
}

const char *store_rest_of(const char *url) { return url + strcspn(url, ":") + 1; }

/* What a password could stand in is left out: "user:word@" and what follows a question mark. */
static char *url_to_show(const char *url) {
    const char *host = strstr(url, "://");
    host = host ? host + 3 : NULL;
    const char *at = host ? memchr(host, '@', strcspn(host, "/?")) : NULL;
    buf text = { 0 };
    if (at) {
        buf_put(&text, url, (size_t)(host - url));
        buf_put_text(&text, "***");
        url = at;
    }
    buf_put(&text, url, strcspn(url, "?"));
    char *shown = mem_copy_text(text.data ? text.data : "", text.len);
    buf_done(&text);
    return shown;
}

err *store_open(const store_config *config, store *s) {
    *s = (store){ .url = url_to_show(config->url) };
    const scheme *found = scheme_of(config->url);
    err *e = NULL;
    if (!found) {
        e = err_new(ERR_PLAN, "checkpoint `%s`: no store is called so, wanted file:FOLDER or "
                              "s3://BUCKET/FOLDER",
                    s->url);
    } else {
        e = found->ops->open(config, &s->handle);
        if (!e) s->ops = found->ops;
    }
    if (e) store_close(s);
    return e;
}

void store_close(store *s) {
    if (s->ops) s->ops->close(s->handle);
    mem_free(s->url);
    *s = (store){ 0 };
}

store_cost store_cost_of(const char *url) {
    const scheme *found = scheme_of(url);
    return found ? found->cost : (store_cost){ 0 };
}

bool store_is_name(const char *name) {
    size_t part = 0, len = 0;
    for (; name[len]; len++) {
        char c = name[len];
        bool is_inside = isalnum((unsigned char)c) || strchr(part ? "-_." : "-_", c);
        bool fits = c == '/' ? part > 0 : is_inside;
        part = c == '/' ? 0 : part + 1;
        if (!fits || part > PART_LEN || len >= NAME_LEN) return false;
    }
    return part > 0;
}

err *store_check_name(const char *name) {
    if (store_is_name(name)) return NULL;
    return err_new(ERR_IO, "object `%.*s`: not a name for one, wanted at most %d letters, digits "
                           "and - . _ /, no part beginning with a dot",
                   NAME_LEN, name, NAME_LEN);
}

static const sl_value *find_option(const store_config *config, const char *name) {
    const sl_value *table = config->options;
    for (uint32_t i = 0; table && i < table->item_count; i++) {
        const sl_value *item = &table->items[i];
        if (item->name.len == strlen(name) && !memcmp(item->name.data, name, item->name.len)) {
            return item;
        }
    }
    return NULL;
}

char *store_option_text(const store_config *config, const char *name) {
    const sl_value *item = find_option(config, name);
    if (!item || item->kind != SL_TEXT) return NULL;
    return mem_copy_text(item->text.data, item->text.len);
}

bool store_option_flag(const store_config *config, const char *name, bool fallback) {
    const sl_value *item = find_option(config, name);
    return item && item->kind == SL_FLAG ? item->number != 0 : fallback;
}
