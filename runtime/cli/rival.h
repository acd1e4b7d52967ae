#pragma once
/* A second `sluice run` of a name on this machine: the first one's socket says that it lives, long
 * before the fence of the state would end it. thread: main. */
#include <stdbool.h>
#include <sys/types.h>

#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/cli/live.h"

typedef struct rival {
    const char *name;     /* of the pipeline; borrowed, as the others */
    const char *operands; /* what commands about it are given */
    bool has_state;       /* that two would work on; else they have nothing but the name in common,
                             and both may run */
    bool takes_over;      /* --take-over: the first one is stopped, not this one refused */
    logger *log;
    pid_t silent; /* that listens and does not answer; 0: there is none */
} rival;

/* Open the socket of `l`. ERR_FENCED: a process that runs the pipeline for this user answers; says
 * which, and the way out. With takes_over it is asked to stop, and waited for. One that does not
 * answer is left to the fence; one with --embedded has its own Kafka, and is none. */
err *rival_open(rival *r, live *l);
