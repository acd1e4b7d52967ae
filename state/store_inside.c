#include "state/store_inside.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "runtime/base/clock.h"
#include "runtime/base/mem.h"

enum {
    FIRST_WAIT_MS = 50,
    LONGEST_WAIT_MS = 5000,
    SLICE_MS = 50, /* longest wait without a look at `stop` */
};

void store_names_init(store_names *n) {
    *n = (store_names){ 0 };
    pthread_mutex_init(&n->lock, NULL);
}

void store_names_done(store_names *n) {
    store_names_clear(n);
    mem_free(n->texts);
    pthread_mutex_destroy(&n->lock);
}

/* With the lock held: its place, or `count`. */
static size_t place_of(const store_names *n, const char *text) {
    size_t i = 0;
    while (i < n->count && strcmp(n->texts[i], text)) i++;
    return i;
}

bool store_names_has(store_names *n, const char *text) {
    pthread_mutex_lock(&n->lock);
    bool found = place_of(n, text) < n->count;
    pthread_mutex_unlock(&n->lock);
    return found;
}

void store_names_add(store_names *n, const char *text) {
    pthread_mutex_lock(&n->lock);
    if (place_of(n, text) == n->count) {
        n->texts = mem_realloc(n->texts, (n->count + 1) * sizeof *n->texts);
        n->texts[n->count++] = mem_copy_text(text, strlen(text));
    }
    pthread_mutex_unlock(&n->lock);
}

void store_names_remove(store_names *n, const char *text) {
    pthread_mutex_lock(&n->lock);
    size_t i = place_of(n, text);
    if (i < n->count) {
        mem_free(n->texts[i]);
        n->texts[i] = n->texts[--n->count];
    }
    pthread_mutex_unlock(&n->lock);
}

void store_names_clear(store_names *n) {
    pthread_mutex_lock(&n->lock);
    while (n->count) mem_free(n->texts[--n->count]);
    pthread_mutex_unlock(&n->lock);
}

static int64_t steady_ms(void) { return clock_steady_ms(&(clock_source){ 0 }); }

store_patience store_patience_begin(int64_t patience_ms, const volatile int *stop) {
    int64_t now_ms = steady_ms();
    if (!patience_ms) patience_ms = STORE_PATIENCE_MS;
    return (store_patience){ .stop = stop, .since_ms = now_ms, .until_ms = now_ms + patience_ms };
}

int64_t store_patience_left_ms(const store_patience *p) {
    int64_t left_ms = p->until_ms - steady_ms();
    return left_ms > 0 ? left_ms : 0;
}

/* Between half of it and all, so that many who failed at once do not come back at once. */
static int64_t wait_of(uint32_t tries) {
    int64_t wait_ms = FIRST_WAIT_MS;
    for (uint32_t i = 1; i < tries && wait_ms < LONGEST_WAIT_MS; i++) wait_ms *= 2;
    uint32_t random = 0;
    if (wait_ms > LONGEST_WAIT_MS) wait_ms = LONGEST_WAIT_MS;
    if (getrandom(&random, sizeof random, 0) != sizeof random) random = 0;
    return wait_ms / 2 + random % (wait_ms / 2 + 1);
}

err *store_patience_wait(store_patience *p, err *e, int64_t least_ms) {
    int64_t left_ms = store_patience_left_ms(p), wait_ms = wait_of(++p->tries);
    if (!left_ms) {
        double seconds = (double)(steady_ms() - p->since_ms) / 1000;
        return err_wrap(e, "tried %u times in %.1f s", p->tries, seconds);
    }
    if (wait_ms < least_ms) wait_ms = least_ms;
    if (wait_ms > left_ms) wait_ms = left_ms;
    err_free(e);
    for (int64_t end_ms = steady_ms() + wait_ms; (left_ms = end_ms - steady_ms()) > 0;) {
        if (p->stop && *p->stop) return err_new(ERR_STOPPED, "asked to stop");
        if (left_ms > SLICE_MS) left_ms = SLICE_MS;
        nanosleep(&(struct timespec){ .tv_nsec = left_ms * 1000000 }, NULL);
    }
    return NULL;
}

void store_outage_init(store_outage *o, logger *log, const char *place) {
    *o = (store_outage){ .log = log, .place = place };
    pthread_mutex_init(&o->lock, NULL);
}

void store_outage_done(store_outage *o) { pthread_mutex_destroy(&o->lock); }

void store_outage_goes_on(store_outage *o, int64_t still_ms, const char *why) {
    int64_t now_ms = steady_ms();
    pthread_mutex_lock(&o->lock);
    if (!o->since_ms) o->since_ms = now_ms - still_ms;
    bool tells = !o->is_told && now_ms - o->since_ms >= STORE_TELL_MS;
    o->is_told |= tells;
    pthread_mutex_unlock(&o->lock);
    if (tells && o->log)
        log_warn(o->log, "store lost", log_text("store", o->place), log_text("error", why));
}

void store_outage_is_over(store_outage *o) {
    int64_t now_ms = steady_ms();
    pthread_mutex_lock(&o->lock);
    bool tells = o->is_told;
    int64_t seconds = (now_ms - o->since_ms + 500) / 1000;
    o->is_told = false;
    o->since_ms = 0;
    pthread_mutex_unlock(&o->lock);
    if (tells && o->log)
        log_info(o->log, "store back", log_text("store", o->place),
                 log_number("seconds", seconds));
}

void store_listing_add(store_listing *l, const char *name, int64_t size, int64_t changed_ms) {
    if (l->count == l->room) {
        l->room = l->room ? l->room * 2 : 64;
        l->entries = mem_realloc(l->entries, l->room * sizeof *l->entries);
    }
    l->entries[l->count++] = (store_entry){
        .name = mem_copy_text(name, strlen(name)),
        .size = size,
        .changed_ms = changed_ms,
    };
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const store_entry *)a)->name, ((const store_entry *)b)->name);
}

err *store_listing_visit(store_listing *l, store_visit *visit, void *arg) {
    if (l->count) qsort(l->entries, l->count, sizeof *l->entries, by_name);
    err *e = NULL;
    for (size_t i = 0; i < l->count && !e; i++) {
        const store_entry *one = &l->entries[i];
        e = visit(arg, one->name, one->size, one->changed_ms);
    }
    return e;
}

void store_listing_done(store_listing *l) {
    for (size_t i = 0; i < l->count; i++) mem_free(l->entries[i].name);
    mem_free(l->entries);
    *l = (store_listing){ 0 };
}
