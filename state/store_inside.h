#pragma once
/* What the stores have in common: which there are, names, options, and waiting between tries.
 * thread: any. */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/log.h"
#include "state/store.h"

extern const store_ops store_file_ops;
extern const store_ops store_memory_ops;
extern const store_ops store_s3_ops;

/* What stands behind the scheme and its colon. */
const char *store_rest_of(const char *url);

/* Whether `name` may be an object's: relative, of letters, digits, - . _ and /, no part empty,
 * longer than 200 bytes or beginning with a dot (those are the stores' own). */
bool store_is_name(const char *name);
err *store_check_name(const char *name);

/* An option's text or flag; NULL or `fallback` where it is not given. Text is owned: mem_free. */
char *store_option_text(const store_config *config, const char *name);
bool store_option_flag(const store_config *config, const char *name, bool fallback);

/* A set of texts that threads share. */
typedef struct store_names {
    pthread_mutex_t lock;
    char **texts; /* owned */
    size_t count;
} store_names;

void store_names_init(store_names *n);
void store_names_done(store_names *n);
bool store_names_has(store_names *n, const char *text);
void store_names_add(store_names *n, const char *text);
void store_names_remove(store_names *n, const char *text);
void store_names_clear(store_names *n);

/* How long something is tried again. */
typedef struct store_patience {
    const volatile int *stop; /* may be NULL */
    int64_t since_ms;         /* clock_steady_ms */
    int64_t until_ms;
    uint32_t tries;
} store_patience;

enum { STORE_PATIENCE_MS = 30000 }; /* of a store_config that says 0 */

store_patience store_patience_begin(int64_t patience_ms, const volatile int *stop);
int64_t store_patience_left_ms(const store_patience *p);

/* A try ended in `e`, which may pass. Waits, each time about twice as long, and at least
 * `least_ms`: NULL, and it is worth trying again; or `e`, with how long it was tried. ERR_STOPPED.
 */
err *store_patience_wait(store_patience *p, err *e, int64_t least_ms);

/* A store that is away: told once, when it has been for STORE_TELL_MS, and when it is back. */
enum { STORE_TELL_MS = 3000 };
typedef struct store_outage {
    pthread_mutex_t lock; /* guards what follows */
    logger *log;          /* borrowed */
    const char *place;    /* the store, for messages; borrowed */
    int64_t since_ms;     /* steady time from which on it has not answered; 0: it does */
    bool is_told;
} store_outage;

void store_outage_init(store_outage *o, logger *log, const char *place);
void store_outage_done(store_outage *o);

/* It did not answer, for `still_ms` by now (0: a try failed at once): `why`. */
void store_outage_goes_on(store_outage *o, int64_t still_ms, const char *why);

/* It did. */
void store_outage_is_over(store_outage *o);

/* Names of objects, to be put in order before anybody sees them. */
typedef struct store_entry {
    char *name; /* owned */
    int64_t size;
    int64_t changed_ms;
} store_entry;

typedef struct store_listing {
    store_entry *entries; /* owned */
    size_t count, room;
} store_listing;

void store_listing_add(store_listing *l, const char *name, int64_t size, int64_t changed_ms);

/* Show all in the order of names, until `visit` fails. */
err *store_listing_visit(store_listing *l, store_visit *visit, void *arg);
void store_listing_done(store_listing *l);
