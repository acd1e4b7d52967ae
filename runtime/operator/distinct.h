#pragma once
/* The keys that distincts have seen, and the arrays a worker judges rows with; distinct.c alone
 * looks inside. thread: worker. */
#include <stdbool.h>

#include "runtime/shared/plan.h"

typedef struct judge_space judge_space;
typedef struct seen_keys seen_keys;

judge_space *judge_space_new(void);
void judge_space_free(judge_space *space);

/* The keys of one distinct; borrows `plan`. */
seen_keys *seen_keys_new(const sl_distinct *plan);

/* They go on under another plan that keeps them alike; which is borrowed instead. */
void seen_keys_follow(seen_keys *seen, const sl_distinct *plan);
void seen_keys_free(seen_keys *seen);

/* Where they stand, borrowed: one entry a key. Whoever fills it between batches says so. */
struct table *seen_keys_table(const seen_keys *seen);
void seen_keys_loaded(seen_keys *seen);

/* Behind that, those of all workers: a pane goes from all at once, so keys from before there were
 * panes stay until the last of any worker may go. thread: main. */
void seen_keys_agree(seen_keys *const *seen, uint32_t count);

size_t seen_keys_bytes(const seen_keys *seen);

/* A batch begins; it ends by keeping what it did, or by leaving no trace. */
void seen_keys_begin(seen_keys *seen);
void seen_keys_end(seen_keys *seen, bool commit);

/* Whether a batch without records that ends at `watermark` would forget a key. Between batches. */
bool seen_keys_are_due(seen_keys *seen, int64_t watermark);
