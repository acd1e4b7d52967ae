#pragma once
/* Where time comes from. Nothing else reads the system's clocks for a decision: a run under a
 * manual clock is a function of its input. thread: any for the real clock, the driver's for a
 * manual one. */
#include <stdbool.h>
#include <stdint.h>

typedef struct clock_source {
    bool manual;       /* now_ms stands still unless clock_advance moves it */
    int64_t manual_ms; /* Unix ms of a manual clock */
} clock_source;

/* Wall-clock time, Unix ms. */
int64_t clock_now_ms(const clock_source *clock);

/* Time that never jumps, ms from an arbitrary start; for timeouts and idleness. Manual: as
 * clock_now_ms. */
int64_t clock_steady_ms(const clock_source *clock);

/* The same, of the machine whatever the clock, in ns: to measure with. */
int64_t clock_steady_ns(void);

/* Sleep until steady time is `ms` further on, whatever the clock, or a signal comes: for up to
 * a ms less. */
void clock_doze(int64_t ms);

/* Time that the calling thread has worked, ms: the machine may have had others before it. */
int64_t clock_thread_ms(void);

/* Move a manual clock on by `ms` >= 0. */
void clock_advance(clock_source *clock, int64_t ms);
