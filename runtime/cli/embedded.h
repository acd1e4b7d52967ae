#pragma once
/* `--embedded`: a Kafka in this process, the script's topics made in it, its sources fed, its sinks
 * read back. For any script; what is not Kafka (files, generators) is left as it is.
 *
 *   open (before the workers load) ─▶ feed (before the pipeline reads) ─▶ … ─▶ drain ─▶ close */
#include "runtime/cli/feed.h"
#include "runtime/cli/results.h"
#include "runtime/cli/results_reader.h"
#include "runtime/flow/pipeline.h"

typedef struct embedded embedded;

/* Start the broker, make the topics, read what comes out. `s`, a load of the script of its own, is
 * taken. `lines_fd`: where results go as lines of JSON; -1: nowhere. `on_closed`: nobody reads
 * them. */
struct err *embedded_open(script *s, const sl_system *system, int lines_fd, void (*on_closed)(void),
                          embedded **out);

/* Where the broker is; borrowed. */
const char *embedded_brokers(const embedded *e);

/* Overrides for the workers: sources begin with what has been fed ("NAME.start=earliest"), and
 * nothing is kept ("checkpoint=none"). */
uint32_t embedded_overrides(const embedded *e, const char *const **overrides);

results *embedded_results(embedded *e);

/* Write a past, then go on on a thread of its own (but not for runs that end by themselves).
 * `on_trouble`: events can no longer be made. */
struct err *embedded_feed(embedded *e, void (*on_trouble)(void *arg, const char *message),
                          void *arg);

/* Tell how far the pipeline has read. thread: main. */
void embedded_note(embedded *e, const pipeline *p);

/* No more events; take in the last results. */
void embedded_drain(embedded *e);

/* NULL is allowed. Whatever talks to the broker must be closed. */
void embedded_close(embedded *e);
