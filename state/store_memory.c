#include "state/store_memory.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/mem.h"
#include "state/store_inside.h"

/* DESIGN: plain lists. Stores of tests hold dozens of objects, and listing sorts them. */

typedef struct object {
    struct object *next;
    char *name;  /* owned */
    char *bytes; /* owned */
    size_t len;
    int64_t changed_ms;
} object;

typedef struct memory_store memory_store;

typedef struct memory_lock {
    struct memory_lock *next;
    char *name;         /* owned */
    const void *holder; /* the handle */
} memory_lock;

struct memory_store {
    memory_store *next;
    char *name; /* owned */
    object *objects;
    memory_lock *locks;
    uint32_t fault_in, fault_count;
    int32_t fault; /* store_memory_fault */
    uint64_t puts;
};

typedef struct memory_handle {
    memory_store *store;
    store_names unsure; /* STORE_NEW was asked for, and its answer was lost: see store.h */
} memory_handle;

/* The one place that outlives a pipeline, as a disk does: a test's second run must find what its
 * first one left. Guarded by the lock. */
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static memory_store *all;

static memory_store *store_named(const char *name) {
    for (memory_store *m = all; m; m = m->next) {
        if (!strcmp(m->name, name)) return m;
    }
    memory_store *m = mem_zalloc(1, sizeof *m);
    m->name = mem_copy_text(name, strlen(name));
    m->next = all;
    all = m;
    return m;
}

static object **place_of(memory_store *m, const char *name) {
    object **at = &m->objects;
    while (*at && strcmp((*at)->name, name)) at = &(*at)->next;
    return at;
}

static void drop_object(object **at) {
    object *o = *at;
    *at = o->next;
    mem_free(o->name);
    mem_free(o->bytes);
    mem_free(o);
}

static void drop_locks(memory_store *m, const void *holder) {
    for (memory_lock **at = &m->locks; *at;) {
        memory_lock *l = *at;
        if (l->holder != holder) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        mem_free(l->name);
        mem_free(l);
    }
}

void store_memory_remove(const char *name) {
    pthread_mutex_lock(&all_lock);
    memory_store **at = &all;
    while (*at && strcmp((*at)->name, name)) at = &(*at)->next;
    memory_store *m = *at;
    if (m) {
        *at = m->next;
        while (m->objects) drop_object(&m->objects);
        mem_free(m->name);
        mem_free(m);
    }
    pthread_mutex_unlock(&all_lock);
}

void store_memory_fail(const char *name, uint32_t nth, uint32_t count, int32_t fault) {
    pthread_mutex_lock(&all_lock);
    memory_store *m = store_named(name);
    m->fault_in = nth;
    m->fault_count = count ? count : 1;
    m->fault = fault;
    pthread_mutex_unlock(&all_lock);
}

uint64_t store_memory_puts(const char *name) {
    pthread_mutex_lock(&all_lock);
    uint64_t puts = store_named(name)->puts;
    pthread_mutex_unlock(&all_lock);
    return puts;
}

static err *memory_open(const store_config *config, void **handle) {
    const char *name = store_rest_of(config->url);
    if (!*name) return err_new(ERR_PLAN, "checkpoint `memory:`: has no name, wanted memory:NAME");
    memory_handle *h = mem_zalloc(1, sizeof *h);
    store_names_init(&h->unsure);
    pthread_mutex_lock(&all_lock);
    h->store = store_named(name);
    pthread_mutex_unlock(&all_lock);
    *handle = h;
    return NULL;
}

/* The fault of the put that begins, or 0. */
static int32_t fault_of_put(memory_store *m) {
    m->puts++;
    if (!m->fault_in || --m->fault_in) return 0;
    if (--m->fault_count) m->fault_in = 1;
    return m->fault;
}

static void write_object(memory_store *m, const char *name, const void *bytes, size_t len) {
    object **at = place_of(m, name);
    if (*at) drop_object(at);
    object *o = mem_zalloc(1, sizeof *o);
    o->name = mem_copy_text(name, strlen(name));
    o->bytes = mem_alloc(len);
    if (len) memcpy(o->bytes, bytes, len);
    o->len = len;
    o->changed_ms = clock_now_ms(&(clock_source){ 0 });
    o->next = m->objects;
    m->objects = o;
}

static err *memory_put(void *handle, const char *name, const void *bytes, size_t len, int32_t how,
                       bool *exists) {
    memory_handle *h = handle;
    memory_store *m = h->store;
    *exists = false;
    err *e = store_check_name(name);
    if (e) return e;
    pthread_mutex_lock(&all_lock);
    int32_t fault = fault_of_put(m);
    if (!fault || fault == STORE_FAULT_AFTER) {
        const object *there = how == STORE_NEW ? *place_of(m, name) : NULL;
        bool is_same = there && there->len == len && !memcmp(there->bytes, bytes, len);
        *exists = there && !(is_same && store_names_has(&h->unsure, name));
        if (!there) write_object(m, name, bytes, len);
    }
    if (fault && how == STORE_NEW) store_names_add(&h->unsure, name);
    if (!fault) store_names_remove(&h->unsure, name);
    if (fault) {
        e = err_new(ERR_IO, "memory:%s: object `%s`: a test lets this put fail", m->name, name);
        e->retriable = fault != STORE_FAULT_FOR_GOOD;
    }
    pthread_mutex_unlock(&all_lock);
    return e;
}

static err *memory_get(void *handle, const char *name, buf *out, bool *missing) {
    memory_store *m = ((memory_handle *)handle)->store;
    err *e = store_check_name(name);
    if (e) return e;
    pthread_mutex_lock(&all_lock);
    const object *o = *place_of(m, name);
    *missing = !o;
    if (o) buf_put(out, o->bytes, o->len);
    pthread_mutex_unlock(&all_lock);
    return NULL;
}

static err *memory_list(void *handle, const char *prefix, store_visit *visit, void *arg) {
    memory_store *m = ((memory_handle *)handle)->store;
    store_listing found = { 0 };
    pthread_mutex_lock(&all_lock);
    for (const object *o = m->objects; o; o = o->next) {
        if (strncmp(o->name, prefix, strlen(prefix))) continue;
        store_listing_add(&found, o->name, (int64_t)o->len, o->changed_ms);
    }
    pthread_mutex_unlock(&all_lock);
    err *e = store_listing_visit(&found, visit, arg);
    store_listing_done(&found);
    return e;
}

static err *memory_remove(void *handle, const char *name) {
    memory_store *m = ((memory_handle *)handle)->store;
    err *e = store_check_name(name);
    if (e) return e;
    pthread_mutex_lock(&all_lock);
    object **at = place_of(m, name);
    if (*at) drop_object(at);
    pthread_mutex_unlock(&all_lock);
    return NULL;
}

static err *memory_lock_name(void *handle, const char *name, bool *taken, char by[64]) {
    memory_store *m = ((memory_handle *)handle)->store;
    err *e = store_check_name(name);
    if (e) return e;
    pthread_mutex_lock(&all_lock);
    const memory_lock *held = m->locks;
    while (held && strcmp(held->name, name)) held = held->next;
    *taken = held && held->holder != handle;
    if (*taken) snprintf(by, 64, "this process");
    if (!held) {
        memory_lock *l = mem_zalloc(1, sizeof *l);
        *l = (memory_lock){ m->locks, mem_copy_text(name, strlen(name)), handle };
        m->locks = l;
    }
    pthread_mutex_unlock(&all_lock);
    return NULL;
}

static void memory_close(void *handle) {
    memory_handle *h = handle;
    pthread_mutex_lock(&all_lock);
    drop_locks(h->store, h);
    pthread_mutex_unlock(&all_lock);
    store_names_done(&h->unsure);
    mem_free(h);
}

const store_ops store_memory_ops = {
    .scheme = "memory",
    .open = memory_open,
    .put = memory_put,
    .get = memory_get,
    .list = memory_list,
    .remove = memory_remove,
    .lock = memory_lock_name,
    .close = memory_close,
};
