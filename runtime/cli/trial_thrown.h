#pragma once
/* Records that were thrown out of an attempt, and what its functions cost: the parts of trial.h.
 * thread: main. */
#include "runtime/cli/attempt.h"

/* Append groups of late, bad and refused records, with the first of each: where it lies, what it
 * holds, where the script threw. */
void trial_put_thrown(buf *out, const outcome *o);

/* What the headers of such a record say: sluice.NAME; "" when they do not. */
sl_string trial_header(const outcome_row *row, const char *name);

/* A user's function; texts are not ended by a NUL. */
typedef struct trial_timing {
    const char *what, *line, *why; /* why: it is interpreted; empty: it is compiled */
    int what_len, line_len, why_len;
    uint64_t calls;
    double ns; /* a call */
} trial_timing;

typedef void trial_function(void *arg, const trial_timing *f);
void trial_functions(const attempt *t, trial_function *each, void *arg);

/* ns a record, without what the timing itself took. */
double trial_ns(const attempt *t);
