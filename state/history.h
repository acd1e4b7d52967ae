#pragma once
/* What committed batches were: their records (flow/record.h), out of journals and of the objects of
 * the chain, which hold those that no journal has yet. Nothing is written. thread: any, one at a
 * time. */
#include "state/pointer.h"
#include "state/store.h"

/* A record; borrowed until the callback returns. `at` is the pointer behind its batch, whose number
 * is at->batch - 1. */
typedef err *history_visit(void *arg, const pointer *at, const char *record, size_t len);

/* Show the records of batches [from, to) on the way to `current`, by batch. One may come more than
 * once, where the pipeline was taken back: the last one counts. What is not there is left out.
 * ERR_REFUSED: a journal is damaged. ERR_IO. */
err *history_read(store *s, const char *pipeline, const pointer *current, uint64_t from,
                  uint64_t to, history_visit *visit, void *arg);
