#pragma once
/* The code that LuaJIT has compiled for one state, so that a loop in it can be broken: no hook
 * strikes there, but each guard of a trace has an exit into the interpreter, where hooks do. To
 * break them all guards are made to exit, wherever the code stands; the state is whole, as at any
 * exit.
 *
 * thread: the state's, for all calls; a signal brings it there (traces_interrupt: any). x86-64
 * alone; elsewhere nothing is broken. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct traces traces;

/* `is_over`: guards are broken only while it is set, which the state's thread alone clears: a
 * signal that comes late must not break the next call. Borrowed. */
traces *traces_new(const atomic_int *is_over);
void traces_free(traces *t); /* NULL is allowed */

/* A trace was compiled: `len` bytes at `code`, `loop` of them before the part that repeats, 0: it
 * does not by itself. Exits 0 to `exit_count` - 1 are at `stubs`, one address each 32 exits. False:
 * its loop has no guard, so that nothing would ever end it: it is to be flushed.
 * `place`: where it begins, "" if that is not the user's code; copied. */
bool traces_add(traces *t, uintptr_t code, size_t len, size_t loop, uint32_t exit_count,
                const uintptr_t *stubs, const char *place);

/* LuaJIT has dropped all its code. */
void traces_clear(traces *t);

/* Ask `thread`, which runs the state, to break what it runs. May be repeated: it has an effect only
 * where compiled code itself is found running. */
void traces_interrupt(traces *t, pthread_t thread);

/* Where the code began that was broken since the last call of traces_were_broken; "": none was, or
 * it is not the user's. Borrowed until traces_clear. */
const char *traces_place(const traces *t);

/* Whether code was changed since the last call: LuaJIT is to drop all of it then. */
bool traces_were_broken(traces *t);
