#pragma once
/* Names of the code that LuaJIT compiles, for Linux's perf, which reads them in /tmp/perf-PID.map:
 * a line "START BYTES NAME" each, the numbers hexadecimal. The file stays behind: `perf report`
 * reads it when the process has ended. Source: tools/perf/Documentation/jit-interface.txt of Linux.
 * thread: any. */
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/err.h"

/* Begin the file of this process, before any script is loaded; what another process of its number
 * has left goes. ERR_IO: it cannot be made. */
err *perf_map_begin(void);

/* Name `len` bytes of code. What cannot be written, or was not begun, is left out. */
void perf_map_add(uintptr_t code, size_t len, const char *name);
