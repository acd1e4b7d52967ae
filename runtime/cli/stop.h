#pragma once
/* Stopping: the first SIGTERM or SIGINT asks for a clean end (the batch that runs is finished
 * within shutdown_timeout), the second ends the process at once with 128 + the signal's number,
 * unless it is the first once more. thread: any. */
#include <stdbool.h>
#include <stdint.h>

/* Install the handlers; call once. `end`: ends the process at once, safe in a signal handler.
 * `words`: what goes to standard error before, when a second signal does it; borrowed for good. */
void stop_install(void (*end)(int code), const char *words);

/* From now on the first signal ends the process as the second one does: for commands that leave
 * nothing half done, and may stand in a C function that looks at no flag. */
void stop_at_once(void);

/* Ask for a clean end, as the first signal does. */
void stop_ask(void);

/* Whether SIGHUP has come since the last call: the script is to be loaded again. When what came was
 * the end of the terminal it is a request to stop. */
bool stop_take_hangup(void);

/* Becomes != 0 when asked to stop. */
const volatile int *stop_asked(void);

/* Becomes != 0 when the time for a clean end is over: what still waits gives up. */
const volatile int *stop_overdue(void);

/* Watches on a thread of its own, since main may be waiting inside a sink or a script. */
typedef struct stop_watch stop_watch;

/* Until stop_watch_begin whoever asks to stop need not wait: it is overdue at once. From then on it
 * is overdue `timeout_ms` after the signal; if nothing has ended `grace_ms` later, `on_hung` is
 * called, which is expected to end the process. */
stop_watch *stop_watch_new(int64_t timeout_ms, int64_t grace_ms, void (*on_hung)(void *),
                           void *arg);

/* Batches begin. False: it was asked to stop before, none must. */
bool stop_watch_begin(stop_watch *w);
void stop_watch_free(stop_watch *w);
