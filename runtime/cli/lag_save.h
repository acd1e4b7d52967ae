#pragma once
/* `sluice lag --save FILE`: a line of JSON a call, so that disorder can be followed over weeks.
 * thread: main. */
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

/* Append `json` (one line) to the file at `path` with the time of day, and to `text` how the advice
 * has changed since the line before. ERR_IO. */
err *lag_save(const char *path, int64_t now_ms, const buf *json, buf *text);
