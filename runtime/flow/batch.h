#pragma once
/* The life of a batch, from its plan to its commit: the one place where a record's way can be read.
 * A batch happens wholly or not at all. thread: main. */
#include "runtime/flow/pipeline.h"

/* Run one batch at the clock's time. `flush`: the watermark becomes +infinity at its end. `ran`:
 * false when nothing came and nothing was due, so that no batch was. An error leaves state as
 * before the batch. */
err *batch_run(pipeline *p, bool flush, bool *ran);

/* Whether a batch without records would emit, evict or move a watermark that is behind. */
bool batch_is_due(pipeline *p, int64_t now_ms);

/* The watermarks of all stages, aggregations and then distincts, if the sources' were `sources`; to
 * be freed. */
int64_t *batch_meet(pipeline *p, const watermark_input *sources);
