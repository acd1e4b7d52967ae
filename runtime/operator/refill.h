#pragma once
/* State that was made of records read again, put into the running tables: of an aggregation that
 * stays only the bytes that are new, and only into groups that are there; of one that is new its
 * groups, but for panes that are closed. Between batches; thread: worker, or main while no phase
 * runs. */
#include "runtime/operator/work.h"
#include "runtime/shared/compat.h"

/* What `from`, which has all shards, holds for `fill` goes into `into`, which may have a share of
 * them. `watermark`: of the aggregation, as of now. O(groups of `from`). */
void refill_groups(const sl_plan *plan, const sl_fill *fill, int64_t watermark, const worker *from,
                   worker *into);
