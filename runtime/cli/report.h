#pragma once
/* What `sluice status` says of a running pipeline, as members of a JSON object. thread: main,
 * between steps. */
#include "runtime/cli/status.h"

enum { REPORT_SAMPLES = 60 };

/* How it has gone of late. */
typedef struct report_rates {
    status_rate in, out;
    struct {
        int64_t at_ms, lag;
    } samples[REPORT_SAMPLES]; /* a ring */
    uint32_t count, next;
} report_rates;

/* At each look; cheap. */
void report_note(report_rates *r, const status_facts *f);

/* Append `"state":"running",…`, without braces. O(partitions + panes). */
void report_put(buf *out, const pipeline *p, const status_facts *f, const report_rates *r);

/* Unix ms at which nothing would be left to read: `now_ms` where no more is than comes between two
 * batches; -1: never as it goes, or not known. */
int64_t report_done_ms(const report_rates *r, const status_facts *f, int64_t now_ms);
