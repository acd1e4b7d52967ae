#pragma once
/* A pipeline without rows: commits batches whose objects say which they are, and reads them back.
 * */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "state/checkpoint.h"
#include "state/names.h"
#include "state/object.h"
#include "state/store_memory.h"

typedef struct fixture {
    store store;
    logger log;
    clock_source clock;
    checkpoint *c;
    checkpoint_config config;
    uint64_t batch; /* as in the pointer that was committed last */
    pointer current;
} fixture;

static inline void assert_ok(err *e) {
    if (e) print_error("%s\n", e->message);
    assert_null(e);
}

static inline void assert_refused(err *e, const char *words) {
    assert_non_null(e);
    assert_int_equal(e->code, ERR_REFUSED);
    if (!strstr(e->message, words)) print_error("%s\n", e->message);
    assert_non_null(strstr(e->message, words));
    err_free(e);
}

static inline void fixture_open(fixture *f, const char *url) {
    *f = (fixture){ .clock = { .manual = true, .manual_ms = 1000000 } };
    log_init(&f->log, 2, LOG_PLAIN, LOG_ERROR);
    assert_ok(store_open(&(store_config){ .url = url, .log = &f->log }, &f->store));
    f->config = (checkpoint_config){ .name = "rides",
                                     .store = &f->store,
                                     .log = &f->log,
                                     .clock = &f->clock,
                                     .history_ms = 0,
                                     .grace_ms = 0,
                                     .in_line = true };
}

static inline void start(fixture *f) {
    assert_ok(checkpoint_open(&f->config, &f->c));
}

static inline void stop(fixture *f) {
    checkpoint_close(f->c);
    f->c = NULL;
}

static inline void fixture_close(fixture *f) {
    stop(f);
    store_close(&f->store);
    log_done(&f->log);
}

static const sl_mark MARKS[] = { { .topic = "ride events", .partition = 0, .offset = 17 },
                                 { .topic = "ride events", .partition = 1, .offset = 4 },
                                 { .topic = "other", .partition = 0, .offset = 9 } };

static inline void commit(fixture *f, const pointer *p) {
    checkpoint_committed(f->c, p, MARKS, 3);
    f->current = *p;
    f->batch = p->batch;
}

static inline void genesis(fixture *f) {
    pointer p = pointer_new(POINTER_GENESIS, 0, 3);
    commit(f, &p);
}

/* Begin the object of the next batch, of about `bytes`. */
static inline void put(fixture *f, bool is_full, size_t bytes, pointer *p) {
    char parent[SL_POINTER_BYTES], number[32];
    pointer_write(&f->current, parent);
    image_head head = { .is_full = is_full,
                        .batch = f->batch + 1,
                        .parent = parent,
                        .shape = "{}",
                        .pipeline = "rides",
                        .cluster = "" };
    image *m = image_new(&head);
    if (bytes > 4096) image_cut_at(m, 4096);
    int len = snprintf(number, sizeof number, "%llu", (unsigned long long)(f->batch + 1));
    buf *section = image_begin(m, IMAGE_RECORD, "", 0);
    buf_put(section, number, (size_t)len);
    image_end(m);
    for (size_t left = bytes; left > 0; left -= left < 1000 ? left : 1000) {
        section = image_begin(m, IMAGE_PROGRESS, "", 0);
        memset(buf_need(section, 1000), 7, 1000);
        section->len += 1000;
        image_end(m);
    }
    buf record;
    buf_init(&record);
    buf_put(&record, number, (size_t)len);
    checkpoint_put(f->c, m, &record, is_full, f->batch + 1, 3, p);
    buf_done(&record);
}

static inline void batch(fixture *f, bool is_full) {
    pointer p;
    put(f, is_full, 100, &p);
    assert_ok(checkpoint_wait(f->c, &p));
    commit(f, &p);
}

static inline void batches(fixture *f, uint32_t count, size_t full_bytes) {
    for (uint32_t i = 0; i < count; i++) batch(f, checkpoint_wants_full(f->c, full_bytes));
}

/* -- loading */

typedef struct loaded {
    uint32_t count;
    uint64_t first, last; /* batches of the objects */
    bool is_full_first;
    uint32_t sections;
} loaded;

static inline err *visit_loaded(void *arg, const pointer *p, image_reader *object) {
    (void)p;
    loaded *l = arg;
    const image_head *head = image_head_of(object);
    image_view view;
    while (image_next(object, &view)) l->sections++;
    if (!l->count) l->first = head->batch;
    if (!l->count) l->is_full_first = head->is_full;
    if (l->count) assert_int_equal(head->batch, l->last + 1);
    l->last = head->batch;
    l->count++;
    return NULL;
}

/* A new process: opens and loads. */
static inline err *restart(fixture *f, loaded *l) {
    *l = (loaded){ 0 };
    if (f->c) stop(f);
    start(f);
    return checkpoint_load(f->c, &f->current, NULL, visit_loaded, l);
}

/* -- the store, from outside */

static inline err *visit_count(void *arg, const char *name, int64_t size, int64_t changed_ms) {
    (void)name, (void)size, (void)changed_ms;
    ++*(uint32_t *)arg;
    return NULL;
}

static inline uint32_t count_objects(fixture *f, const char *folder) {
    char prefix[OBJECT_NAME_BYTES];
    uint32_t count = 0;
    names_plain(prefix, "rides", folder);
    assert_ok(f->store.ops->list(f->store.handle, prefix, visit_count, &count));
    return count;
}

static inline void read_object(fixture *f, const char *name, buf *bytes) {
    bool missing;
    buf_init(bytes);
    assert_ok(f->store.ops->get(f->store.handle, name, bytes, &missing));
    assert_false(missing);
}

static inline void write_object(fixture *f, const char *name, const buf *bytes) {
    bool exists;
    assert_ok(f->store.ops->put(f->store.handle, name, bytes->data, bytes->len, STORE_REPLACE,
                                &exists));
}
