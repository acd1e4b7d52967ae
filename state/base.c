#include "state/base.h"

#include <inttypes.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "state/base_inside.h"

/* Behind what is committed by no more than this, unless nothing comes. */
enum { BEHIND_MS = 2000 };

static const clock_source REAL = { 0 };

base_way base_way_in(const base *b, const char *name) {
    return b->config.way_of ? b->config.way_of(b->config.way_of_arg, name) : BASE_IN_ROCKS;
}

/* What is there becomes ours, or nothing is. */
static err *read_meta(base *b) {
    bool missing = false;
    buf bytes = { 0 };
    base_meta read = { 0 };
    err *e = rocks_get(b->rocks, base_meta_key(), &bytes, &missing);
    if (!e && !missing) e = base_meta_read(bytes.data, bytes.len, &read);
    buf_done(&bytes);
    bool is_ours = !e && !missing && read.shards == b->config.shards &&
                   !strcmp(read.pipeline, b->config.pipeline) &&
                   !strcmp(read.store_id, b->config.store_id);
    for (uint32_t i = 0; is_ours && i < read.count; i++)
        is_ours = read.tables[i].way == base_way_in(b, read.tables[i].name);
    if (is_ours) {
        b->meta = read;
        return base_check_files(b);
    }
    base_meta_done(&read);
    if (e) return e;
    return missing ? NULL : err_new(ERR_REFUSED, "it is of another pipeline, store or layout");
}

static void be_nowhere(base *b) {
    base_meta_done(&b->meta);
    b->meta =
        (base_meta){ .pipeline = mem_copy_text(b->config.pipeline, strlen(b->config.pipeline)),
                     .store_id = mem_copy_text(b->config.store_id, strlen(b->config.store_id)),
                     .shards = b->config.shards };
}

/* `next` is what is written from here on. */
static void begin_next(base *b) {
    buf bytes = { 0 };
    base_meta_done(&b->next);
    base_meta_write(&b->meta, &bytes);
    err_free(base_meta_read(bytes.data, bytes.len, &b->next));
    buf_done(&bytes);
    atomic_store(&b->applied, b->meta.is_placed ? b->meta.at.batch : 0);
}

static err *open_rocks(base *b) {
    err *e = rocks_open(b->config.folder, &b->rocks);
    if (!e) e = read_meta(b);
    if (!e) {
        if (!b->meta.pipeline) be_nowhere(b);
        base_remove_files(b);
        return NULL;
    }
    if (e->code == ERR_FENCED) return e;
    log_warn(b->config.log, "local state is of no use, it is filled anew",
             log_text("folder", b->config.folder), log_text("why", e->message));
    err_free(e);
    rocks_close(b->rocks);
    b->rocks = NULL;
    be_nowhere(b);
    e = base_destroy(b->config.folder);
    return e ? e : rocks_open(b->config.folder, &b->rocks);
}

err *base_open(const base_config *config, base **out) {
    base *b = mem_zalloc(1, sizeof *b);
    b->config = *config;
    b->config.folder = mem_copy_text(config->folder, strlen(config->folder));
    b->config.pipeline = mem_copy_text(config->pipeline, strlen(config->pipeline));
    b->config.store_id = mem_copy_text(config->store_id, strlen(config->store_id));
    pthread_mutex_init(&b->lock, NULL);
    b->gather = gather_new(config->shards);
    err *e = open_rocks(b);
    if (!e) e = jobs_new(config->in_line, &b->jobs);
    if (e) {
        base_close(b);
        return err_wrap(e, "local state");
    }
    begin_next(b);
    *out = b;
    return NULL;
}

void base_close(base *b) {
    if (!b) return;
    if (b->jobs) err_free(base_flush(b));
    jobs_free(b->jobs);
    base_drop_gathered(b);
    base_drop_plain(b);
    base_merge_forget(b);
    base_drop_readers(b);
    base_drop_lookers(b, true);
    mem_free(b->lookers);
    rocks_close(b->rocks);
    gather_free(b->gather);
    base_meta_done(&b->meta);
    base_meta_done(&b->next);
    err_free(b->error);
    pthread_mutex_destroy(&b->lock);
    mem_free(b->held);
    mem_free((char *)b->config.folder);
    mem_free((char *)b->config.pipeline);
    mem_free((char *)b->config.store_id);
    mem_free(b);
}

bool base_stands_at(base *b, pointer *p) {
    pthread_mutex_lock(&b->lock);
    bool is_placed = b->meta.is_placed;
    if (is_placed) *p = b->meta.at;
    pthread_mutex_unlock(&b->lock);
    return is_placed;
}

const image_head *base_head(const base *b) {
    return &b->meta.head;
}

uint64_t base_applied(base *b) { return atomic_load(&b->applied); }

size_t base_waiting_bytes(base *b) { return atomic_load(&b->waiting_bytes); }

err *base_error(base *b) {
    pthread_mutex_lock(&b->lock);
    err *e = b->error;
    b->error = NULL;
    pthread_mutex_unlock(&b->lock);
    return e;
}

/* thread: the one that follows, or nothing runs. */
static void tell(base *b, err *e) {
    if (!e) return;
    base_drop_gathered(b);
    b->is_lost = true;
    atomic_store(&b->applied, 0);
    pthread_mutex_lock(&b->lock);
    if (b->error)
        err_free(e);
    else
        b->error = e;
    pthread_mutex_unlock(&b->lock);
}

typedef struct follow_job {
    base *b;
    pointer p;
    image *m; /* owned */
    size_t bytes;
} follow_job;

static err *read_back(const pointer *p, image *m, image_reader **r) {
    char name[96];
    err *e = NULL;
    *r = NULL;
    pointer_object(p, name);
    for (uint32_t i = 0; !e && i < image_part_count(m); i++) {
        buf part = image_take_part(m, i);
        e = i ? image_add_part(*r, &part) : image_open(name, &part, r);
    }
    if (*r) image_give_back(*r, image_spares(m));
    image_free(m);
    if (e) image_reader_free(*r);
    return e;
}

/* thread: the one that follows. */
static void run_follow(void *arg) {
    follow_job *it = arg;
    base *b = it->b;
    image_reader *r;
    err *e = read_back(&it->p, it->m, &r);
    if (e)
        atomic_fetch_sub(&b->waiting_bytes, it->bytes);
    else
        e = base_gather(b, &it->p, r, it->bytes);
    size_t held = b->held_bytes + gather_held_bytes(b->gather);
    bool is_due =
        held > b->config.memory_bytes / 2 || clock_steady_ms(&REAL) - b->written_ms >= BEHIND_MS;
    if (!e && is_due) {
        b->written_ms = clock_steady_ms(&REAL);
        e = base_write(b);
    }
    tell(b, err_wrap(e, "local state"));
    mem_free(it);
}

void base_follow(void *arg, const pointer *p, image *m) {
    base *b = arg;
    follow_job *it = mem_alloc(sizeof *it);
    *it = (follow_job){ .b = b, .p = *p, .m = m, .bytes = image_bytes(m) };
    atomic_fetch_add(&b->waiting_bytes, it->bytes);
    jobs_add(b->jobs, run_follow, it);
}

err *base_add(base *b, const pointer *p, image_reader *object) {
    if (!image_head_of(object)->is_full && !image_hold(object)) return NULL;
    b->is_borrowed = true;
    err *e = base_gather(b, p, object, 0);
    if (!e) e = base_write(b);
    base_drop_gathered(b);
    b->is_borrowed = false;
    return err_wrap(e, "local state");
}

static void run_write(void *arg) {
    base *b = arg;
    b->written_ms = clock_steady_ms(&REAL);
    tell(b, err_wrap(base_write(b), "local state"));
}

err *base_flush(base *b) {
    jobs_wait(b->jobs, jobs_add(b->jobs, run_write, b), NULL);
    return base_error(b);
}

err *base_reset(base *b) {
    jobs_wait(b->jobs, jobs_add(b->jobs, run_write, b), NULL);
    err_free(base_error(b));
    base_merge_forget(b);
    base_drop_readers(b);
    base_drop_lookers(b, true);
    rocks_close(b->rocks);
    b->rocks = NULL;
    err *e = base_destroy(b->config.folder);
    if (!e) e = rocks_open(b->config.folder, &b->rocks);
    be_nowhere(b);
    begin_next(b);
    return err_wrap(e, "local state");
}
