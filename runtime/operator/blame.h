#pragma once
/* What follows when user code throws for a row: its record is quarantined, or the batch fails. */
#include "runtime/operator/work.h"

/* Settle it for `row`, number `number` of its set: a note at `place`, or, where the script says so
 * or the row is a result (it has no record), the error that fails the batch. `doing`: "folding". */
struct err *blame_row(worker *w, const batch_view *b, const chunk *c, const sl_row *row,
                      uint32_t number, uint32_t place, const char *doing);
