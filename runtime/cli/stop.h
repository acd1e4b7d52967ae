#pragma once
/* Stopping: the first SIGTERM or SIGINT asks for a clean end (the batch that runs is finished within
 * shutdown_timeout), the second ends the process at once with 128 + the signal's number. thread: any. */
#include <stdint.h>

/* Install the handlers; call once. */
void stop_install(void);

/* Becomes != 0 when asked to stop. */
const volatile int *stop_asked(void);

/* Becomes != 0 when the time for a clean end is over. */
const volatile int *stop_overdue(void);

/* Call now and then while stopping is under way: after `timeout_ms` since the signal it is overdue. A thread
 * of its own watches, since main may be waiting inside a sink. */
void stop_watch(int64_t timeout_ms);
