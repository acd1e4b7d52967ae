#pragma once
/* What is asked of a script beside a run: what its functions took, how one is called, which files
 * to watch, where it crashed. thread: as for script.h. */
#include "runtime/script/script.h"

struct buf;

/* What the user's functions took: script_options.timed. The first line: ns that the clock itself
 * took; then a line a function, the dearest first: what it is, FILE:LINE, calls, ns a call, and why
 * it is interpreted (empty: it is compiled), with tabs between. Borrowed as for script_explain. */
err *script_timings(script *s, const char **text);

/* Call `report` for each file that was loaded: the script first, then what it required. */
void script_files(const script *s, void (*report)(void *arg, const char *path), void *arg);

/* Whether a call into it was interrupted since it was loaded: it took longer than it may. */
bool script_was_interrupted(const script *s);

/* The script is at work beside a run: calls that take too long are told here from now on, which
 * need not end the process, and no record is told lost. NULL: no more. Between calls. */
void script_set_beside(script *s, script_stuck *on_stuck, void *arg);

/* Append what messages call the user's function `node` of a driver: "filter rides.lua:27"; nothing
 * where it has none of that number. */
void script_put_function(const script *s, uint32_t driver, uint32_t node, struct buf *text);

/* In a copy of the process (base/child.h), where the watching thread is none: calls are not watched
 * any more. */
void script_unwatch(script *s);

/* Write what is at work, "filter rides.lua:27", of a result with its group and window, or nothing
 * where it is none of the user's. Takes no memory: for signal handlers of the thread that is in the
 * call. */
void script_place(const script *s, char *text, size_t room);
