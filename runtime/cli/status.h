#pragma once
/* The live line of `sluice run` on a terminal: rate, lag, watermark and who holds it back, what did not
 * pass, rows out. Off a terminal nothing is drawn. Log lines clear it first. thread: main. */
#include <stdbool.h>

#include "runtime/flow/pipeline.h"

typedef struct status {
    bool live;            /* stderr is a terminal */
    bool is_drawn;        /* the line stands on the screen */
    int64_t drawn_ms;     /* steady time of the last drawing */
    uint64_t drawn_read;  /* records read by then */
    double rate;          /* records a second, smoothed */
} status;

void status_init(status *s, logger *log, bool live);

/* Draw again if it is time. */
void status_tick(status *s, pipeline *p);

/* Remove the line. */
void status_clear(status *s);
