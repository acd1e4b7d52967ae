#pragma once
/* Samples of topics, kept between runs of `sluice try`: a file each in SLUICE_CACHE_DIR, else
 * XDG_CACHE_HOME/sluice, else HOME/.cache/sluice. They hold records as they came, so the folder is
 * mode 0700 and the files 0600. What is a day old, was cut short or is another version's counts as
 * not there. thread: main. */
#include "runtime/cli/sample.h"

/* Fill `s`, which has its identity, with what was kept of its source for `last` records; false:
 * nothing is there. */
bool sample_cache_read(sample_source *s, int64_t last, int64_t now_ms);

/* Keep it; where that cannot be done it is not. */
void sample_cache_write(const sample_source *s, int64_t last);
