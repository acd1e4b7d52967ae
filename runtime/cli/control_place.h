#pragma once
/* Where the sockets of running pipelines are: a folder of the user's, in it NAME.sock of each.
 * Which folder, in this order: SLUICE_RUN_DIR, and then no other; XDG_RUNTIME_DIR/sluice;
 * /tmp/sluice-UID. A process makes its socket in the first that can be used; commands look into
 * all. A second process of a name is reached as NAME@PID. thread: the owner's. */
#include <stdbool.h>
#include <sys/types.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

typedef struct control_place {
    int folder;     /* of the socket; -1: none. Owned */
    char *path;     /* of that folder; owned */
    char *label;    /* what commands call the pipeline: NAME, or NAME@PID; owned */
    char file[112]; /* in the folder */
    dev_t device;   /* of the file, as it was made */
    ino_t inode;
    pid_t other; /* of the process that has NAME; 0: this one has it */
} control_place;

/* Make a listening socket for the pipeline `name`, mode 0600, which does not block. That of a dead
 * process is replaced. ERR_IO: none can be made, and why. `place`: control_place_done. */
err *control_place_make(control_place *place, const char *name, int *listener);

/* Where another process had the name: take it, once nobody answers to it. False: somebody does. */
bool control_place_take_name(control_place *place, const char *name);

/* Remove the socket, unless somebody has replaced it. */
void control_place_done(control_place *place);

/* Connect to the pipeline called `label`: `*fd` blocks; `*pid` of the process. ERR_IO: none is
 * there, with those that are. */
err *control_place_connect(const char *label, int *fd, pid_t *pid);

/* Append the labels of all that answer, each with a NUL behind it, by name. */
void control_place_list(buf *labels);

/* Keep a note on the pipeline `name` beside its socket, mode 0600, in place of the one before; it
 * stays when the process ends. */
err *control_place_note(const char *name, const char *bytes, size_t len);

/* The last note on it, of whichever folder has one; false: there is none. Appended. */
bool control_place_read_note(const char *name, buf *out);
