#pragma once
/* A temporary folder that a command works in. Who works in one holds a lock on it: those that a
 * process left which was killed are removed by the next one of their kind. thread: main. */
#include "runtime/base/err.h"

typedef struct scratch {
    char path[512]; /* "": there is none */
    int fd;         /* of it, with the lock; owned */
} scratch;

/* Make TMPDIR/sluice-KIND-XXXXXX. ERR_IO: none can be made. */
err *scratch_make(scratch *s, const char *kind);

/* Remove it with what is in it; nothing where there is none. */
void scratch_remove(scratch *s);
