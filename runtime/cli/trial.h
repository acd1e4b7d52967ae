#pragma once
/* What `sluice try` shows of an attempt. Pure, but for the lines of the script. thread: main. */
#include "runtime/cli/attempt.h"

typedef struct trial_view {
    const attempt *now;
    const outcome *before;   /* of the last attempt that ran; NULL: there was none */
    bool styled;             /* for a terminal */
    uint32_t lines, columns; /* of it */
    int64_t now_ms;
} trial_view;

/* Append it for people: tables of results with what changed, counts, what was thrown out and why,
 * what functions cost. */
void trial_put(buf *out, const trial_view *view);

/* Append it as one line of JSON. */
void trial_put_json(buf *out, const attempt *t, const args *a);
