#pragma once
/* What an output topic holds of some batches: their rows have the batch's processing time. Reads
 * without a group. One owner; thread: main. */
#include "runtime/cli/replay_rows.h"

typedef struct sent_row {
    int64_t time_ms;
    replayed_row row; /* owned; its sink is the topic's */
} sent_row;

typedef struct replay_sent {
    char *sink;     /* name; owned: a change of the text ends the plan */
    sent_row *rows; /* in the order of partitions and offsets; owned */
    uint32_t count, room;
} replay_sent;

/* Whether it can be read: a topic of Kafka of its own. */
bool replay_sent_can(const sl_sink *sink);

/* Read its rows from `from_ms` to `to_ms` (batches' processing times). `s`: replay_sent_done, on
 * error, too. */
err *replay_sent_read(const sl_sink *sink, const sl_system *system, int64_t from_ms, int64_t to_ms,
                      replay_sent *s);
void replay_sent_done(replay_sent *s);

/* Add the rows of a batch to a list that replayed_rows_compare takes. */
void replay_sent_add(const replay_sent *s, int64_t now_ms, replayed_rows *rows);
