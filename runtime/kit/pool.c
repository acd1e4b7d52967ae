#include "runtime/kit/pool.h"

#include <string.h>

#include "runtime/base/mem.h"

enum { MOST_KEPT = 64 }; /* scripts that are not in use */

typedef struct pooled {
    script *script; /* owned */
    script_options options;
    char *path;                 /* what `options` points to; owned */
    char **overrides, **params; /* likewise */
    bool in_use;
    uint64_t used_at; /* the pool's count when it was given back */
} pooled;

struct script_pool {
    pooled **items; /* owned */
    uint32_t count;
    uint64_t uses;
};

script_pool *pool_new(void) { return mem_zalloc(1, sizeof(script_pool)); }

static void free_texts(char **texts, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) mem_free(texts[i]);
    mem_free(texts);
}

static void free_item(pooled *item) {
    script_close(item->script);
    free_texts(item->overrides, item->options.override_count);
    free_texts(item->params, item->options.param_count);
    mem_free(item->path);
    mem_free(item);
}

static void drop(script_pool *pool, uint32_t i) {
    free_item(pool->items[i]);
    pool->items[i] = pool->items[--pool->count];
}

void pool_free(script_pool *pool) {
    if (!pool) return;
    for (uint32_t i = 0; i < pool->count; i++) free_item(pool->items[i]);
    mem_free(pool->items);
    mem_free(pool);
}

static bool same_texts(const char *const *a, uint32_t a_count, const char *const *b,
                       uint32_t b_count) {
    if (a_count != b_count) return false;
    for (uint32_t i = 0; i < a_count; i++)
        if (strcmp(a[i], b[i]) != 0) return false;
    return true;
}

static bool serves(const pooled *item, const script_options *wanted) {
    const script_options *has = &item->options;
    return !item->in_use && has->worker == wanted->worker && has->jit_off == wanted->jit_off &&
           !strcmp(item->path, wanted->path) &&
           same_texts(has->overrides, has->override_count, wanted->overrides,
                      wanted->override_count) &&
           same_texts(has->params, has->param_count, wanted->params, wanted->param_count);
}

static char **copy_texts(const char *const *texts, uint32_t count) {
    char **copies = mem_zalloc(count, sizeof *copies);
    for (uint32_t i = 0; i < count; i++) copies[i] = mem_copy_text(texts[i], strlen(texts[i]));
    return copies;
}

static pooled *new_item(const script_options *options) {
    pooled *item = mem_zalloc(1, sizeof *item);
    item->options = *options;
    item->path = mem_copy_text(options->path, strlen(options->path));
    item->overrides = copy_texts(options->overrides, options->override_count);
    item->params = copy_texts(options->params, options->param_count);
    item->options.path = item->path;
    item->options.overrides = (const char *const *)item->overrides;
    item->options.params = (const char *const *)item->params;
    return item;
}

err *pool_take(script_pool *pool, const script_options *options, script **s) {
    for (uint32_t i = 0; i < pool->count; i++) {
        pooled *item = pool->items[i];
        if (!serves(item, options)) continue;
        if (!script_is_current(item->script)) {
            drop(pool, i--);
            continue;
        }
        item->in_use = true;
        *s = item->script;
        memset(script_vector(*s), 0, sizeof(sl_vector));
        return NULL;
    }
    pooled *item = new_item(options);
    err *e = script_open(&item->options, &item->script);
    if (e) {
        free_item(item);
        return e;
    }
    item->in_use = true;
    pool->items = mem_realloc(pool->items, (pool->count + 1) * sizeof *pool->items);
    pool->items[pool->count++] = item;
    *s = item->script;
    return NULL;
}

/* Keep no more than MOST_KEPT that nobody uses: the one that waited longest goes. */
static void trim(script_pool *pool) {
    uint32_t idle = 0, oldest = UINT32_MAX;
    for (uint32_t i = 0; i < pool->count; i++) {
        if (pool->items[i]->in_use) continue;
        idle++;
        if (oldest == UINT32_MAX || pool->items[i]->used_at < pool->items[oldest]->used_at)
            oldest = i;
    }
    if (idle > MOST_KEPT) drop(pool, oldest);
}

void pool_give(script_pool *pool, script *s) {
    for (uint32_t i = 0; i < pool->count; i++) {
        if (pool->items[i]->script != s) continue;
        pool->items[i]->in_use = false;
        pool->items[i]->used_at = pool->uses++;
    }
    trim(pool);
}
