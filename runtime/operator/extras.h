#pragma once
/* What a sink's options say of a message beside key and value (sl_extras): its topic, what chooses
 * its partition, its headers. Written behind the message's bytes in the outbox by workers, read
 * again when the message is handed over:
 *
 *   topic       4 bytes of length (UINT32_MAX: null), the bytes    where the plan has one
 *   partition   int32, -1: none                                    likewise
 *   place       length, bytes                                      likewise
 *   headers     length, bytes each                                 likewise
 *
 * A writer is one worker's. */
#include "runtime/base/arena.h"
#include "runtime/operator/outbox.h"
#include "runtime/shared/plan.h"
#include "runtime/shared/row.h"

typedef struct extras_writer extras_writer;

/* Make a writer for `plan`, which it borrows; NULL for NULL. `times` (sl_times) says how timestamps
 * are written. */
extras_writer *extras_writer_new(const sl_extras *plan, int32_t times);
void extras_writer_free(extras_writer *x);

/* Write the value that a function gave for `row`; false: the value is the columns'. */
bool extras_put_value(const extras_writer *x, outbox *box, out_message *m, const sl_row *row);

/* Write the extras of `row`; of a `retraction` only what chooses its partition. `not_finite` as in
 * encode_value. */
void extras_put(const extras_writer *x, outbox *box, out_message *m, const sl_row *row,
                bool retraction, uint64_t *not_finite);

/* Set what the extras of `m`, which has some, say in `message`; headers go into `memory`. */
void extras_read(const outbox *box, const out_message *m, sl_message *message, arena *memory);
