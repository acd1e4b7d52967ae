#pragma once
/* What the stores have in common: which there are, names, options, and waiting between tries.
 * thread: any. */
#include <stdbool.h>
#include <stdint.h>

#include "state/store.h"

extern const store_ops store_file_ops;
extern const store_ops store_memory_ops;

/* What stands behind the scheme and its colon. */
const char *store_rest_of(const char *url);

/* Whether `name` may be an object's: relative, of letters, digits, - . _ and /, no part empty,
 * longer than 200 bytes or beginning with a dot (those are the stores' own). */
bool store_is_name(const char *name);
err *store_check_name(const char *name);

/* An option's text or flag; NULL or `fallback` where it is not given. Text is owned: mem_free. */
char *store_option_text(const store_config *config, const char *name);
bool store_option_flag(const store_config *config, const char *name, bool fallback);

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
