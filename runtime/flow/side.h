#pragma once
/* What did not pass: late pairs and quarantined records as messages for their sinks. The record's
 * key, value and headers go out as they came; the verdict is in further headers, all text:
 *
 *   sluice.topic, .partition, .offset   where the record stands; not with `refused`
 *   sluice.kind                         bad | ahead of time | threw | refused | late
 *   sluice.reason                       what was seen and wanted; of user code with a traceback
 *   sluice.field                        path of the field, for bad records
 *   sluice.stage, .window_start, .window_end, .watermark, .slowest   for late pairs
 *
 * thread: main. */
#include "runtime/flow/input.h"
#include "runtime/operator/work.h"

/* Add the message of `n` to `box`. `memory` holds headers until the batch ends. */
void side_write(outbox *box, arena *memory, const batch_view *b, const input *in, const note *n);

/* Add the message of `refused`, which a sink refused with `reason`; its bytes are borrowed from
 * `from`. */
void side_write_refused(outbox *box, arena *memory, const outbox *from, const out_message *refused,
                        const char *reason);
