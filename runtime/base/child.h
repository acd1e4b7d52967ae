#pragma once
/* A function that runs in a copy of the process, which may crash or never end. The copy has the
 * calling thread only: no other thread of the process goes on in it, and a lock that one held stays
 * locked. So what it runs must take none of theirs, writes no file and speaks to nobody; standard
 * output and error are shut. It may hold the memory that is free now, and is the kernel's first
 * choice when that runs short; it ends with its parent. thread: main. */
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CHILD_PLACE_BYTES = 256,
       CHILD_HANGS = SIGPROF };

typedef enum child_end {
    CHILD_DONE,    /* it came to its end */
    CHILD_CRASHED, /* a signal ended it: CHILD_HANGS where one step took more than `step_ms` */
    CHILD_LOST,    /* it was ended, since it waited for what does not come, or was not begun */
} child_end;

/* Shared by both. */
typedef struct child_note {
    _Atomic uint64_t at;           /* how far it is: child_step */
    char place[CHILD_PLACE_BYTES]; /* of a crash: what was at work, "" where that is not known */
} child_note;

typedef struct child_options {
    void (*run)(void *arg, child_note *note);
    void (*place)(void *arg, char *text, size_t room); /* tell what is at work; in a signal handler,
                                                          so it may but copy; may be NULL */
    void *arg;
    int64_t step_ms;          /* of CPU that a step may take; 0: any. Others on the machine, and
                                 being stopped, do not count */
    int64_t patience_ms;      /* `at` may stand still for so long */
    const volatile int *stop; /* != 0: it is ended; may be NULL */
} child_options;

typedef struct child_result {
    child_end end;
    int signal; /* CHILD_CRASHED: by this one */
    uint64_t at;
    char place[CHILD_PLACE_BYTES];
} child_result;

void child_run(const child_options *options, child_result *result);

/* In the child: a step begins, `note` is the one it was given. */
void child_step(child_note *note, uint64_t at);

/* Bytes that a process may take now: of the machine and of its control group (version 2), whichever
 * has less, without what the kernel gives back. INT64_MAX: not known. */
int64_t child_free_bytes(void);
