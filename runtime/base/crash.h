#pragma once
/* Places where tests let the process die, stop, wait or fail, by name, and faults that tests seed
 * to see them caught. Only in builds with SLUICE_CRASH_POINTS; else they are nothing.
 *
 *   SLUICE_CRASH=NAME[:NTH[:kill|stop|exit|delay=MS]]   at the NTH (1) time NAME is reached
 *   SLUICE_FAULT=NAME[,NAME..]                          see the callers of fault_is
 *
 * Names: lower case, of the step that has just been done ("delta_written"). tests/torture lists
 * them by reading the source. thread: any. */
#include <stdbool.h>

#ifdef SLUICE_CRASH_POINTS
void crash_point(const char *name);
bool fault_is(const char *name);
#else
static inline void crash_point(const char *name) { (void)name; }
static inline bool fault_is(const char *name) {
    (void)name;
    return false;
}
#endif
