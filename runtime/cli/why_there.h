#pragma once
/* Whether a record that no batch has read is there at all. thread: main. */
#include "runtime/cli/why_find.h"

/* Ask the sources of the pipeline. ERR_MISSING: none of them reads the topic, it has no such
 * partition, or that ends before the offset; says what there is. */
err *why_check_there(const past *p, const why_record *r);
