#pragma once
/* Sources whose partitions begin with a record that names the columns (a CSV file's header line):
 * it is taken out of the batch, not counted, and handed to decoders. thread: main. */
#include "runtime/flow/input.h"

/* Take the headers out of the records that were fetched, and keep them. ERR_DATA: reading begins
 * behind a partition's header, or it lacks a declared column. */
struct err *header_take(input *in);

/* Partition `p` was read before: its header line is known. */
void header_restore(input *in, uint32_t p, const sl_string *text, int64_t offset);
void header_free(input *in);
