/* A store by hand, for tests/e2e/test_stores*.py and for measuring: a command a line on stdin, an
 * answer a line on stdout.
 *
 *   open URL PATIENCE_MS
 *   put|new NAME BYTES SEED           an object of so many bytes that SEED tells
 *   get NAME SEED                     whole (it is that object), missing or wrong, and its length
 *   list PREFIX                       names
 *   measure NAME COUNT BYTES          puts of new objects, one after the other: p50 and p99 in us
 *
 *   ok WHAT..        |        error CODE retriable MESSAGE */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "state/store.h"

enum { LINE_BYTES = 4096,
       MOST_PUTS = 100000 };

typedef struct driver {
    logger log;
    store s;
    char words[4][LINE_BYTES]; /* of the command */
    buf bytes, out;
} driver;

/* The object of a seed: no two of the same bytes, and every part of it tells where it belongs. */
static void make_bytes(driver *d, size_t len, uint64_t seed) {
    buf_reset(&d->bytes);
    for (uint64_t x = seed; d->bytes.len < len;) {
        x = (x + 1) * 6364136223846793005u;
        size_t left = len - d->bytes.len;
        buf_put(&d->bytes, &x, left < sizeof x ? left : sizeof x);
    }
}

static err *do_open(driver *d) {
    return store_open(&(store_config){ .url = d->words[1],
                                       .log = &d->log,
                                       .patience_ms = atoi(d->words[2]) },
                      &d->s);
}

static err *do_put(driver *d, int32_t how) {
    bool exists;
    make_bytes(d, strtoull(d->words[2], NULL, 10), strtoull(d->words[3], NULL, 10));
    err *e = d->s.ops->put(d->s.handle, d->words[1], d->bytes.data, d->bytes.len, how, &exists);
    if (!e) buf_put_text(&d->out, exists ? "exists" : "put");
    return e;
}

static err *do_get(driver *d) {
    bool missing;
    buf got = { 0 };
    err *e = d->s.ops->get(d->s.handle, d->words[1], &got, &missing);
    make_bytes(d, got.len, strtoull(d->words[2], NULL, 10));
    bool is_same = got.len == 0 || !memcmp(got.data, d->bytes.data, got.len);
    if (!e) {
        buf_printf(&d->out, "%s %zu", missing ? "missing" : is_same ? "whole"
                                                                    : "wrong",
                   got.len);
    }
    buf_done(&got);
    return e;
}

static err *add_name(void *arg, const char *name, int64_t size, int64_t changed_ms) {
    (void)size, (void)changed_ms;
    buf_printf(&((driver *)arg)->out, "%s ", name);
    return NULL;
}

static int64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int by_size(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static err *do_measure(driver *d) {
    static int64_t times_us[MOST_PUTS];
    char name[LINE_BYTES + 16];
    int count = atoi(d->words[2]);
    if (count < 1 || count > MOST_PUTS) return err_new(ERR_USAGE, "1 to %d", MOST_PUTS);
    make_bytes(d, strtoull(d->words[3], NULL, 10), 1);
    for (int i = 0; i < count; i++) {
        bool exists;
        snprintf(name, sizeof name, "%s-%d", d->words[1], i);
        int64_t begin_us = now_us();
        err *e = d->s.ops->put(d->s.handle, name, d->bytes.data, d->bytes.len, STORE_NEW, &exists);
        if (e) return e;
        times_us[i] = now_us() - begin_us;
    }
    qsort(times_us, (size_t)count, sizeof *times_us, by_size);
    buf_printf(&d->out, "p50 %lld p99 %lld", (long long)times_us[count / 2],
               (long long)times_us[count * 99 / 100]);
    return NULL;
}

static err *obey(driver *d) {
    const char *word = d->words[0];
    if (!strcmp(word, "open")) return do_open(d);
    if (!d->s.ops) return err_new(ERR_USAGE, "open one first");
    if (!strcmp(word, "put")) return do_put(d, STORE_REPLACE);
    if (!strcmp(word, "new")) return do_put(d, STORE_NEW);
    if (!strcmp(word, "get")) return do_get(d);
    if (!strcmp(word, "list")) return d->s.ops->list(d->s.handle, d->words[1], add_name, d);
    if (!strcmp(word, "measure")) return do_measure(d);
    return err_new(ERR_USAGE, "no command `%s`", word);
}

int main(void) {
    static driver d;
    char line[LINE_BYTES];
    log_init(&d.log, 2, LOG_LOGFMT, LOG_INFO);
    while (fgets(line, sizeof line, stdin)) {
        memset(d.words, 0, sizeof d.words);
        buf_reset(&d.out);
        sscanf(line, "%4095s %4095s %4095s %4095s", d.words[0], d.words[1], d.words[2], d.words[3]);
        err *e = obey(&d);
        if (e)
            printf("error %d %d %s\n", e->code, e->retriable, e->message);
        else
            printf("ok %s\n", buf_text(&d.out));
        fflush(stdout);
        err_free(e);
    }
    if (d.s.ops) store_close(&d.s);
    buf_done(&d.bytes);
    buf_done(&d.out);
    log_done(&d.log);
    return 0;
}
