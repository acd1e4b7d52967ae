#include "state/prefetch.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "state/names.h"

enum {
    THREADS = 8,
    AHEAD = 24, /* items; of about as many megabytes at most: deltas of a chain are small */
    PARTS_AHEAD = 2,
};

typedef enum item_state {
    ITEM_WAITS = 0,
    ITEM_FETCHED,
} item_state;

typedef struct item {
    pointer p;
    uint32_t part;
    item_state state;
    buf bytes;
    bool is_missing;
    err *error;
} item;

struct prefetch {
    store *store;   /* borrowed */
    char *pipeline; /* owned */
    item *items;    /* owned; an item is its thread's until it is fetched */
    uint32_t count;
    uint32_t ahead; /* items */
    pthread_t threads[THREADS];
    uint32_t thread_count;
    pthread_mutex_t lock; /* guards what follows, and `state` of items */
    pthread_cond_t changed;
    uint32_t next;  /* to be fetched */
    uint32_t asked; /* item that was asked for last */
    bool quit;
};

static void fetch(const prefetch *f, item *it) {
    char name[OBJECT_NAME_BYTES];
    names_state(name, f->pipeline, &it->p, it->part);
    it->error = f->store->ops->get(f->store->handle, name, &it->bytes, &it->is_missing);
}

static void *fetch_main(void *arg) {
    prefetch *f = arg;
    pthread_mutex_lock(&f->lock);
    while (!f->quit && f->next < f->count) {
        if (f->next >= f->asked + f->ahead) {
            pthread_cond_wait(&f->changed, &f->lock);
            continue;
        }
        item *it = &f->items[f->next++];
        pthread_mutex_unlock(&f->lock);
        fetch(f, it);
        pthread_mutex_lock(&f->lock);
        it->state = ITEM_FETCHED;
        pthread_cond_broadcast(&f->changed);
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

/* Signals are for main, whose waits they end. */
static void start_threads(prefetch *f) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (f->thread_count < THREADS && f->thread_count < f->ahead &&
           !pthread_create(&f->threads[f->thread_count], NULL, fetch_main, f))
        f->thread_count++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static prefetch *make(store *s, const char *pipeline, uint32_t count, uint32_t ahead) {
    prefetch *f = mem_zalloc(1, sizeof *f);
    f->store = s;
    f->pipeline = mem_copy_text(pipeline, strlen(pipeline));
    f->items = mem_zalloc(count + 1u, sizeof *f->items);
    f->count = count;
    f->ahead = ahead;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    return f;
}

static prefetch *begin(prefetch *f) {
    start_threads(f);
    if (f->thread_count) return f;
    prefetch_free(f);
    return NULL;
}

prefetch *prefetch_new(store *s, const char *pipeline, const pointer *items, uint32_t count) {
    prefetch *f = make(s, pipeline, count, AHEAD);
    for (uint32_t i = 0; i < count; i++) f->items[i].p = items[i];
    return begin(f);
}

prefetch *prefetch_parts(store *s, const char *pipeline, const pointer *p, uint32_t total) {
    prefetch *f = make(s, pipeline, total - 1, PARTS_AHEAD);
    for (uint32_t i = 0; i < f->count; i++) f->items[i] = (item){ .p = *p, .part = i + 1 };
    return begin(f);
}

static item *find(prefetch *f, const pointer *p, uint32_t part) {
    for (uint32_t i = f->asked; i < f->count; i++)
        if (f->items[i].p.kind == p->kind && f->items[i].part == part &&
            !strcmp(f->items[i].p.id, p->id))
            return &f->items[i];
    return NULL;
}

bool prefetch_take(prefetch *f, const pointer *p, uint32_t part, buf *bytes, bool *missing,
                   err **e) {
    item *it = find(f, p, part);
    if (!it) return false;
    pthread_mutex_lock(&f->lock);
    f->asked = (uint32_t)(it - f->items);
    pthread_cond_broadcast(&f->changed);
    while (it->state != ITEM_FETCHED) pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
    *bytes = it->bytes;
    *missing = it->is_missing;
    *e = it->error;
    it->bytes = (buf){ 0 };
    it->error = NULL;
    it->p.id[0] = '\0'; /* once */
    return true;
}

void prefetch_free(prefetch *f) {
    if (!f) return;
    pthread_mutex_lock(&f->lock);
    f->quit = true;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    for (uint32_t i = 0; i < f->thread_count; i++) pthread_join(f->threads[i], NULL);
    for (uint32_t i = 0; i < f->count; i++) {
        buf_done(&f->items[i].bytes);
        err_free(f->items[i].error);
    }
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    mem_free(f->items);
    mem_free(f->pipeline);
    mem_free(f);
}
