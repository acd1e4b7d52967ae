#pragma once
/* The lines of a script that a message speaks of. */
#include <stdbool.h>

#include "runtime/base/buf.h"

/* Append the lines around the first FILE:LINE of `message`, the one it means marked; nothing when
 * it names none that can be read. */
void excerpt_put(buf *out, const char *message, bool styled);
