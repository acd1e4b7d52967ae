#pragma once
/* A thread that sees when a call into a lua_State does not return. After `timeout_ms` it reports,
 * sets a hook that breaks interpreted code, and has compiled code leave for the interpreter
 * (traces.h). A C function (string.find) cannot be broken, so that after `grace_ms` more it reports
 * for the last time. So it does where calls one after the other had to be broken: the script does
 * not work, and every record would take the whole time.
 * thread: enter and leave on the state's thread; report and describe on the watching one. */
#include <lua.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/buf.h"

struct traces;

typedef struct watchdog watchdog;

typedef struct watchdog_options {
    lua_State *L;                           /* borrowed */
    lua_Hook hook;                          /* raises an error; set when the time is over */
    int64_t grace_ms;                       /* > 0 */
    void (*describe)(void *arg, buf *text); /* append what is running; reads racily */
    void (*locate)(void *arg, buf *text);   /* append ", " and where it is, or nothing; as above */
    void *describe_arg;
    void (*report)(void *arg, const char *message, bool last);
    void *report_arg;
} watchdog_options;

/* Start the thread. Owned by the caller: watchdog_free. */
watchdog *watchdog_new(const watchdog_options *options);
void watchdog_free(watchdog *w); /* NULL is allowed */

/* Set while the hook stands; borrowed until watchdog_free. */
const atomic_int *watchdog_strikes(const watchdog *w);

/* What LuaJIT compiles: before the first call that may be compiled. */
void watchdog_watch_traces(watchdog *w, struct traces *t);

/* A call begins, which may take `timeout_ms` (> 0). Calls do not nest. NULL is allowed. */
void watchdog_enter(watchdog *w, int64_t timeout_ms);

/* The call is over; takes the hook off again. NULL is allowed. */
void watchdog_leave(watchdog *w);
