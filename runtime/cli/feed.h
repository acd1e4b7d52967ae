#pragma once
/* Events for --embedded: made by the script (its `events`, or its schema) and written to the topics
 * of its Kafka sources, spread evenly over the partitions. First a past, so that there is something
 * to see at once; then, on a thread of its own, a steady rate. The broker keeps only so much (about
 * 5 MiB a partition), so feeding rests while the pipeline is far behind: nothing is lost, memory is
 * bounded. */
#include "runtime/connect/connectors.h"
#include "runtime/script/script.h"

enum { FEED_PARTITIONS = 4 }; /* of a topic; more if the script names a higher one */

typedef struct feed feed;

/* Take `s`, a load of the script of its own; its topics exist. `system`: the broker's; `stop` is
 * not used. */
struct err *feed_open(script *s, const sl_system *system, feed **out);

/* Write what would have come in the last while: enough for closing a few windows where results wait
 * for that, else some seconds. ERR_SCRIPT: `events` threw. */
struct err *feed_past(feed *f);

/* Go on at a steady rate until closed. `on_trouble` is called once, with a message, when that ends.
 */
struct err *feed_start(feed *f, void (*on_trouble)(void *arg, const char *message), void *arg);

/* Tell that the pipeline has read so many records of a source. thread: main. */
void feed_note_read(feed *f, uint32_t source, uint64_t read);

/* NULL is allowed. */
void feed_close(feed *f);
