#pragma once
/* The parts of an event that are not its value: a key for Kafka, and what fields take from keys and
 * headers. */
#include "runtime/base/arena.h"
#include "runtime/shared/connect.h"

/* Complete `m`, whose value is event `i` of `source`; texts go to `memory`. The key is what a field
 * is declared to take from it, else the first required text field of the value, else null. */
void feed_record(const sl_source *source, int64_t i, int64_t now_ms, arena *memory, sl_message *m);
