/* Objects on their way. The writer's thread takes them in order, and tries each until it is
 * durable: a name may be taken by what an error hid, so another try has another one. Whoever is
 * behind names its parent by its first name, and is told (follow_name). */
#include <assert.h>
#include <string.h>

#include "runtime/base/crash.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "state/checkpoint_inside.h"
#include "state/object.h"

enum {
    TRIES_IN_LINE = 3,     /* there nobody can stop a wait */
    MOST_UNDERWAY = 64,    /* objects, and */
    MOST_BYTES = 32 << 20, /* bytes, that may be waiting for the store */
};

/* -- the list */

static void append(checkpoint *c, checkpoint_writing *w) {
    pthread_mutex_lock(&c->lock);
    if (c->first)
        c->last->next = w;
    else
        c->first = w;
    c->last = w;
    c->underway++;
    pthread_mutex_unlock(&c->lock);
}

checkpoint_writing *checkpoint_pop(checkpoint *c) {
    pthread_mutex_lock(&c->lock);
    checkpoint_writing *w = c->first;
    c->first = w->next;
    c->underway--;
    pthread_mutex_unlock(&c->lock);
    return w;
}

void checkpoint_writing_free(checkpoint_writing *w) {
    if (!w) return;
    image_free(w->image);
    buf_done(&w->record);
    err_free(w->error);
    mem_free(w);
}

/* -- names that were tried in vain */

typedef struct vain_name {
    checkpoint *c;
    pointer p;
    uint32_t parts;
} vain_name;

/* thread: the caretaker's. */
static void run_given_up(void *arg) {
    vain_name *it = arg;
    keeper_given_up(it->c->keeper, &it->p, it->parts);
    mem_free(it);
}

static void give_up_name(checkpoint *c, const checkpoint_writing *w) {
    vain_name *it = mem_alloc(sizeof *it);
    *it = (vain_name){ .c = c, .p = w->p, .parts = w->parts ? w->parts : 1 };
    jobs_add(c->caretaker, run_given_up, it);
}

static void rename_it(checkpoint_writing *w) {
    checkpoint *c = w->c;
    give_up_name(c, w);
    if (c->renamed_to.batch != w->batch || strcmp(c->renamed_to.id, w->p.id) != 0)
        c->renamed = w->p;
    w->p = pointer_new(w->p.kind, w->batch, w->p.partitions);
    c->renamed_to = w->p;
}

static void follow_name(checkpoint_writing *w) {
    const checkpoint *c = w->c;
    char was[SL_POINTER_BYTES], is[SL_POINTER_BYTES];
    if (!c->renamed_to.batch || c->renamed_to.batch + 1 != w->batch) return;
    pointer_write(&c->renamed, was);
    pointer_write(&c->renamed_to, is);
    image_follow(w->image, was, is);
}

/* -- the writer's thread */

static void tell_failure(const checkpoint *c, const checkpoint_writing *w, const err *e) {
    char name[96];
    pointer_object(&w->p, name);
    log_warn(c->config.log, "state not stored, trying again", log_text("object", name),
             log_text("error", e->message));
}

static err *copy_of(const err *e) {
    err *copy = err_new(e->code, "%s", e->message);
    copy->retriable = e->retriable;
    return copy;
}

/* Takes `e`. */
static err *for_good(err *e) {
    bool may_pass = e->retriable;
    e = err_wrap(e, "storing the state");
    e->retriable = may_pass;
    return e;
}

/* The last try has failed with `e` (taken): NULL, there will be another. */
static err *after_failure(checkpoint *c, checkpoint_writing *w, err *e, uint32_t tries) {
    bool may_pass = e->retriable && !(c->config.in_line && tries + 1 >= TRIES_IN_LINE);
    if (!may_pass) return for_good(e);
    if (!tries) tell_failure(c, w, e);
    err_free(e);
    return checkpoint_rest(c, tries);
}

static err *write_until_done(checkpoint *c, checkpoint_writing *w) {
    for (uint32_t tries = 0;; tries++) {
        int64_t begun_ms = clock_steady_ms(c->config.clock);
        err *e = object_write(c->config.store, c->config.name, &w->p, w->image);
        w->took_ms = clock_steady_ms(c->config.clock) - begun_ms;
        if (!e && tries)
            log_info(c->config.log, "state stored again", log_number("tries", tries + 1));
        if (!e) return NULL;
        e = after_failure(c, w, e, tries);
        if (e) return e;
        rename_it(w);
    }
}

static void write_object(void *arg) {
    checkpoint_writing *w = arg;
    checkpoint *c = w->c;
    if (c->broken) {
        w->error = copy_of(c->broken);
        return;
    }
    if (!w->parts) {
        follow_name(w);
        image_finish(w->image);
        w->parts = image_part_count(w->image);
        w->bytes = image_bytes(w->image);
    }
    w->error = write_until_done(c, w);
    if (w->error && !c->config.in_line) c->broken = copy_of(w->error);
}

/* -- the owner */

void checkpoint_put(checkpoint *c, image *m, const buf *record, bool is_full, uint64_t batch,
                    uint32_t partitions, pointer *p) {
    checkpoint_writing *w = mem_zalloc(1, sizeof *w);
    *w = (checkpoint_writing){ .c = c, .image = m, .batch = batch, .is_full = is_full };
    buf_init(&w->record);
    if (record) buf_put(&w->record, record->data, record->len);
    w->p = pointer_new(is_full ? POINTER_FULL : POINTER_DELTA, batch, partitions);
    *p = w->p;
    w->put_bytes = image_bytes(m);
    append(c, w);
    w->ticket = jobs_add(c->writer, write_object, w);
}

bool checkpoint_is_behind(const checkpoint *c) {
    size_t bytes = 0;
    for (const checkpoint_writing *w = c->first; w; w = w->next) bytes += w->put_bytes;
    return c->underway >= MOST_UNDERWAY || bytes >= MOST_BYTES;
}

uint32_t checkpoint_underway(const checkpoint *c) { return c->underway; }

size_t checkpoint_unwritten(const checkpoint *c) { return jobs_left(c->writer); }

static checkpoint_writing *find(checkpoint *c, uint64_t batch) {
    pthread_mutex_lock(&c->lock);
    checkpoint_writing *w = c->first;
    while (w && w->batch != batch) w = w->next;
    pthread_mutex_unlock(&c->lock);
    return w;
}

/* Without a thread all tries were made in the call that put it. */
static void try_again(checkpoint_writing *w) {
    err_free(w->error);
    w->error = NULL;
    w->was_told = false;
    rename_it(w);
    write_object(w);
}

err *checkpoint_wait(checkpoint *c, pointer *p) {
    checkpoint_writing *w = find(c, p->batch);
    assert(w);
    if (!jobs_wait(c->writer, w->ticket, c->config.stop))
        return err_new(ERR_STOPPED, "asked to stop while the state was being stored");
    if (w->was_told && c->config.in_line) try_again(w);
    if (w->error) {
        w->was_told = true;
        return copy_of(w->error);
    }
    *p = w->p;
    crash_point("delta_durable");
    return NULL;
}

void checkpoint_given_up(checkpoint *c) {
    atomic_store(&c->gives_up, true);
    while (c->first) {
        jobs_wait(c->writer, c->first->ticket, NULL);
        give_up_name(c, c->first);
        checkpoint_writing_free(checkpoint_pop(c));
    }
    err_free(c->broken);
    c->broken = NULL;
    atomic_store(&c->gives_up, false);
}
