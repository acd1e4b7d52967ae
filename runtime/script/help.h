#pragma once
/* `sluice help TOPIC`: what the Lua library's tables say of an option, a window, an aggregate, a
 * code of `sluice check`. thread: any one. */
#include <stdbool.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

/* Append the page of `topic` to `out`; `library` as in script_options; `color`: for a terminal.
 * ERR_USAGE: there is no such topic, with what may be meant. */
err *script_help(const char *library, const char *topic, bool color, buf *out);
