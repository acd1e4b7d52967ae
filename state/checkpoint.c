#include "state/checkpoint.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "runtime/base/crash.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "state/checkpoint_inside.h"
#include "state/names.h"
#include "state/object.h"

enum {
    MOST_OBJECTS = 100,     /* of a chain: as many are read at a restart. Of a state beyond */
    LARGE_BYTES = 64 << 20, /* this one more */
    OBJECT_BYTES = 1 << 20, /* for each of these, which take about as long to read, */
    MORE_OBJECTS = 300,     /* and so many more at most */
    CHAIN_BYTES = 1 << 20,  /* deltas that cost nothing beside a full one of any size */
    SMALL_BYTES = 64 << 10, /* of a full state that may be written each time */
    TINY_BYTES = 4 << 10,   /* no delta is cheaper than that */
    TRIES_IN_LINE = 3,      /* there nobody can stop a wait */
};

/* -- opening */

static err *read_store_id(checkpoint *c) {
    char name[OBJECT_NAME_BYTES];
    names_plain(name, c->config.name, "store");
    store *s = c->config.store;
    buf text;
    buf_init(&text);
    bool missing = false;
    err *e = s->ops->get(s->handle, name, &text, &missing);
    if (!e && missing) {
        pointer made = pointer_new(POINTER_GENESIS, 0, 1);
        bool exists;
        e = s->ops->put(s->handle, name, made.id, strlen(made.id), STORE_NEW, &exists);
        buf_reset(&text);
        if (!e) e = s->ops->get(s->handle, name, &text, &missing);
    }
    if (!e && (missing || text.len != 32))
        e = err_new(ERR_REFUSED, "%s in %s is damaged: %zu bytes, wanted 32", name, s->url,
                    text.len);
    if (!e) memcpy(c->store_id, text.data, 32);
    buf_done(&text);
    return e;
}

/* For `sluice checkpoint`, which must not move a pointer under a process; a fence it is none: that
 * is the ledger's, which lets a successor pass one that hangs. */
static err *show_running(const checkpoint *c) {
    store *s = c->config.store;
    char name[OBJECT_NAME_BYTES], by[64];
    bool taken;
    if (!s->ops->lock) return NULL;
    names_plain(name, c->config.name, "running");
    return s->ops->lock(s->handle, name, &taken, by);
}

err *checkpoint_open(const checkpoint_config *config, checkpoint **out) {
    checkpoint *c = mem_zalloc(1, sizeof *c);
    c->config = *config;
    c->config.name = mem_copy_text(config->name, strlen(config->name));
    pthread_mutex_init(&c->stand_in.lock, NULL);
    pthread_mutex_init(&c->lock, NULL);
    c->spares = spares_new(config->keep_bytes);
    err *e = read_store_id(c);
    if (!e) e = show_running(c);
    if (!e) e = jobs_new(config->in_line, &c->writer);
    if (!e) e = jobs_new(config->in_line, &c->caretaker);
    if (e) {
        checkpoint_close(c);
        return e;
    }
    c->keeper = keeper_new(&c->config);
    *out = c;
    return NULL;
}

static void finish(void *arg) { keeper_finish(arg); }

void checkpoint_close(checkpoint *c) {
    if (!c) return;
    atomic_store(&c->gives_up, true);
    jobs_free(c->writer);
    if (c->keeper) jobs_add(c->caretaker, finish, c->keeper);
    jobs_free(c->caretaker);
    keeper_free(c->keeper);
    while (c->first) checkpoint_writing_free(checkpoint_pop(c));
    err_free(c->broken);
    pthread_mutex_destroy(&c->lock);
    spares_free(c->spares);
    pthread_mutex_destroy(&c->stand_in.lock);
    mem_free(c->chain);
    mem_free((char *)c->config.name);
    mem_free(c);
}

const char *checkpoint_store_id(const checkpoint *c) { return c->store_id; }

typedef struct newest {
    bool found;
    char *name;
} newest;

static err *visit_newest(void *arg, const char *name, int64_t size, int64_t changed_ms) {
    (void)size, (void)changed_ms;
    newest *n = arg;
    object_name o;
    if (!names_read(name, &o) || o.part) return NULL;
    n->found = true;
    pointer_object(&o.p, n->name);
    return NULL;
}

err *checkpoint_has_objects(checkpoint *c, bool *found, char name[128]) {
    char prefix[OBJECT_NAME_BYTES];
    names_plain(prefix, c->config.name, "state/");
    newest n = { .name = name };
    name[0] = '\0';
    store *s = c->config.store;
    err *e = s->ops->list(s->handle, prefix, visit_newest, &n);
    *found = n.found;
    return e;
}

/* -- writing */

static uint64_t bytes_from(const checkpoint *c, uint32_t first) {
    uint64_t bytes = 0;
    for (uint32_t i = first; i < c->chain_length; i++) bytes += c->chain[i].bytes;
    return bytes;
}

static bool is_long(const checkpoint *c, size_t full_bytes) {
    size_t more = full_bytes > LARGE_BYTES ? (full_bytes - LARGE_BYTES) / OBJECT_BYTES : 0;
    uint32_t length = c->chain_length + c->underway;
    return length >= MOST_OBJECTS + (more < MORE_OBJECTS ? more : MORE_OBJECTS);
}

bool checkpoint_wants_full(const checkpoint *c, size_t full_bytes) {
    for (const checkpoint_writing *w = c->first; w; w = w->next)
        if (w->is_full) return false; /* the chain begins anew there */
    if (!c->chain_length || is_long(c, full_bytes)) return true;
    uint64_t most = full_bytes > CHAIN_BYTES / 2 ? 2 * (uint64_t)full_bytes : CHAIN_BYTES;
    if (bytes_from(c, 1) > most) return true;
    return full_bytes <= TINY_BYTES || (full_bytes <= SMALL_BYTES && full_bytes <= c->delta_bytes);
}

spares *checkpoint_spares(const checkpoint *c) { return c->spares; }

/* -- behind the commit */

/* What one of the caretaker's jobs is about. */
typedef struct errand {
    checkpoint *c;
    checkpoint_writing *w; /* owned, or NULL */
    pointer p;
    uint32_t parts;
    sl_mark *marks; /* owned until the job runs; NULL: nothing is committed with it */
    uint32_t mark_count;
} errand;

static errand *errand_new(checkpoint *c, const pointer *p) {
    errand *it = mem_zalloc(1, sizeof *it);
    it->c = c;
    it->p = *p;
    return it;
}

/* One piece of memory: the topics lie behind the marks. */
static sl_mark *copy_marks(const sl_mark *marks, uint32_t count) {
    size_t len = 0;
    for (uint32_t i = 0; i < count; i++)
        if (!i || marks[i].topic != marks[i - 1].topic) len += strlen(marks[i].topic) + 1;
    sl_mark *copy = mem_alloc(count * sizeof *copy + len);
    char *text = (char *)(copy + count);
    for (uint32_t i = 0; i < count; i++) {
        copy[i] = marks[i];
        if (i && marks[i].topic == marks[i - 1].topic) {
            copy[i].topic = copy[i - 1].topic;
            continue;
        }
        copy[i].topic = strcpy(text, marks[i].topic);
        text += strlen(text) + 1;
    }
    return copy;
}

static void run_committed(void *arg) {
    errand *it = arg;
    keeper *k = it->c->keeper;
    if (it->w) {
        keeper_object o = { .p = it->p, .parts = it->w->parts, .bytes = it->w->bytes };
        o.record = it->w->record.data;
        o.record_len = it->w->record.len;
        keeper_add(k, &o);
    }
    if (it->marks) keeper_committed(k, &it->p, it->marks, it->mark_count);
    checkpoint_writing_free(it->w);
    mem_free(it);
}

void checkpoint_lengthen(checkpoint *c, const pointer *p, uint64_t bytes) {
    if (p->kind == POINTER_FULL)
        c->chain_length = 0;
    else
        c->delta_bytes = bytes;
    if (c->chain_length == c->chain_room) {
        c->chain_room = c->chain_room ? 2 * c->chain_room : 128;
        c->chain = mem_realloc(c->chain, c->chain_room * sizeof *c->chain);
    }
    c->chain[c->chain_length++] = (chain_size){ .batch = p->batch, .bytes = bytes };
}

static void account(checkpoint *c, const checkpoint_writing *w) {
    checkpoint_lengthen(c, &w->p, w->bytes);
    c->written_bytes += w->bytes;
    c->written_objects += w->parts;
    c->put_ms = w->took_ms;
}

static void run_stand_in(void *arg) {
    errand *it = arg;
    keeper_object o = { .p = it->p, .parts = it->parts };
    keeper_add(it->c->keeper, &o);
    mem_free(it);
}

/* What lies before it is not read any more; the object at its batch gives way to it. */
static void begin_at_stand_in(checkpoint *c) {
    pthread_mutex_lock(&c->stand_in.lock);
    pointer at = c->stand_in.at;
    uint32_t parts = c->stand_in.parts, first = 0;
    uint64_t bytes = c->stand_in.bytes;
    c->stand_in.parts = 0;
    pthread_mutex_unlock(&c->stand_in.lock);
    if (!parts) return;
    errand *it = errand_new(c, &at);
    it->parts = parts;
    jobs_add(c->caretaker, run_stand_in, it);
    while (first < c->chain_length && c->chain[first].batch < at.batch) first++;
    if (first == c->chain_length || c->chain[first].batch != at.batch) return;
    c->chain_length -= first;
    memmove(c->chain, c->chain + first, c->chain_length * sizeof *c->chain);
    c->chain[0].bytes = bytes;
}

/* An object counts. `it` tells the caretaker; taken. */
static void take_in(checkpoint *c, checkpoint_writing *w, errand *it) {
    account(c, w);
    if (c->config.follow)
        c->config.follow(c->config.follow_arg, &w->p, w->image);
    else
        image_free(w->image);
    w->image = NULL;
    it->w = w;
    jobs_add(c->caretaker, run_committed, it);
}

void checkpoint_committed(checkpoint *c, const pointer *p, const sl_mark *marks, uint32_t count) {
    c->current = *p;
    c->has_current = true;
    while (c->first && c->first->batch < p->batch) {
        checkpoint_writing *w = checkpoint_pop(c);
        take_in(c, w, errand_new(c, &w->p));
    }
    errand *it = errand_new(c, p);
    it->marks = copy_marks(marks, count);
    it->mark_count = count;
    if (c->first && c->first->batch == p->batch) {
        assert(!strcmp(c->first->p.id, p->id));
        take_in(c, checkpoint_pop(c), it);
    } else {
        jobs_add(c->caretaker, run_committed, it);
    }
    begin_at_stand_in(c);
}

err *checkpoint_put_part(checkpoint *c, const pointer *at, uint32_t part, const buf *bytes) {
    char name[OBJECT_NAME_BYTES];
    pointer p = *at;
    p.kind = POINTER_FULL;
    names_state(name, c->config.name, &p, part);
    store *s = c->config.store;
    bool exists;
    err *e = s->ops->put(s->handle, name, bytes->data, bytes->len, STORE_REPLACE, &exists);
    if (e) return e;
    stand_in *in = &c->stand_in;
    pthread_mutex_lock(&in->lock);
    if (strcmp(in->at.id, p.id) != 0) in->bytes = in->last_part = 0;
    in->at = p;
    in->bytes += bytes->len;
    if (part > in->last_part) in->last_part = part;
    if (!part) in->parts = in->last_part + 1;
    pthread_mutex_unlock(&in->lock);
    return NULL;
}

const pointer *checkpoint_current(const checkpoint *c) {
    return c->has_current ? &c->current : NULL;
}

void checkpoint_facts_of(const checkpoint *c, checkpoint_facts *facts) {
    *facts = (checkpoint_facts){
        .batch = c->has_current ? c->current.batch : 0,
        .chain_length = c->chain_length,
        .chain_bytes = bytes_from(c, 0),
        .written_bytes = c->written_bytes,
        .written_objects = c->written_objects,
        .removed_objects = keeper_removed(c->keeper),
        .put_ms = c->put_ms,
    };
}
