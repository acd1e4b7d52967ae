#pragma once
/* Asking a running pipeline over its socket, and waiting for its end. thread: main. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

/* Send the line `request` to the pipeline called `label` and append its answer, a line of JSON
 * without its end. ERR_IO: there is none of that name; it does not answer within `timeout_ms`
 * (*is_late); it ended without an answer. `pid` of the process, if there is one. */
err *ask(const char *label, const char *request, int64_t timeout_ms, buf *answer, pid_t *pid,
         bool *is_late);

/* Wait until the process is gone, at most `timeout_ms`. */
void ask_await_end(pid_t pid, int64_t timeout_ms);
