#pragma once
/* Where objects lie: named bytes that are written once, whole, and read whole. `file:` and `s3:`
 * are one file each (store_file.c, store_s3.c) and one line in the table of store.c; so would be
 * GCS, HDFS or Kafka. Names are relative paths that the checkpoint makes: parts of letters, digits,
 * - . _ that do not begin with a dot, at most 200 bytes each and 800 in all, with / between; none
 * is the folder of another.
 *
 * An object that put returned for is durable and complete; one that it did not return for may be
 * there, whole, or not at all, never in part. Nothing here waits for ever: a store that does not
 * answer is tried again for `patience_ms`, then the error says since when. Errors name the object
 * and the store, never a secret. ERR_IO; retriable: the same call may succeed later (disk full,
 * 5xx, no connection).
 *
 * thread: any, several calls at once. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/shared/types.h"

struct logger;

typedef struct store_config {
    const char *url;          /* "file:DIR", "s3://BUCKET/PREFIX", "memory:NAME" (tests) */
    const sl_value *options;  /* SL_TABLE as the plan has it, or NULL: s3: region, endpoint,
                                 path_style, conditional_puts, access_key, secret_key,
                                 session_token (also from the environment as AWS tools have it) */
    struct logger *log;       /* borrowed */
    const volatile int *stop; /* != 0: waits end with ERR_STOPPED; borrowed, may be NULL */
    int64_t patience_ms;      /* 0: 30 s */
} store_config;

enum store_put {
    STORE_NEW = 1, /* only if there is none; by a condition of the store where it has one */
    STORE_REPLACE,
};

typedef err *store_visit(void *arg, const char *name, int64_t size, int64_t changed_ms);

typedef struct store_ops {
    const char *scheme; /* "file", "s3" */
    err *(*open)(const store_config *config, void **handle);
    /* `exists`: STORE_NEW and there is one: nothing was written (no error), and what is there is
     * durable. A STORE_NEW whose answer was lost and is tried again may meet its own object: that
     * is success if the bytes are the same. */
    err *(*put)(void *handle, const char *name, const void *bytes, size_t len, int32_t how,
                bool *exists);
    /* Append the object's bytes to `out`. `missing`: there is none (no error). */
    err *(*get)(void *handle, const char *name, buf *out, bool *missing);
    /* Every object whose name begins with `prefix`, in the order of names. Not on a hot path. */
    err *(*list)(void *handle, const char *prefix, store_visit *visit, void *arg);
    /* One that is not there is no error. */
    err *(*remove)(void *handle, const char *name);
    /* Keep others out as long as this process lives: `taken`: somebody holds it, `by` says who
     * (pid). NULL: the store cannot (s3). */
    err *(*lock)(void *handle, const char *name, bool *taken, char by[64]);
    /* ERR_PLAN: of two STORE_NEW of one name both may succeed, and the options do not say that this
     * is known. NULL: the second never does. */
    err *(*guard)(void *handle);
    void (*close)(void *handle);
} store_ops;

typedef struct store {
    const store_ops *ops;
    void *handle;
    char *url; /* owned; for messages: without secrets */
} store;

/* Open the store of `config->url`. ERR_PLAN: no such scheme, or an option is wrong. */
err *store_open(const store_config *config, store *s);
void store_close(store *s);

/* What a delay of its own a put takes here, and what a put costs: for `sluice check`. */
typedef struct store_cost {
    int64_t put_ms;  /* usual latency */
    bool is_charged; /* puts are billed one by one */
} store_cost;
store_cost store_cost_of(const char *url);
