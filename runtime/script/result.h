#pragma once
/* Which result an emission is at, told without Lua and without memory: for the thread that watches
 * calls, and for the signal handler of a copy (base/child.h). It reads what others write. */
#include <stddef.h>

#include "runtime/shared/plan.h"
#include "runtime/shared/vector.h"

/* Write ', group {"k":"b"}, window [0, 10)', cut where `room` ends; "" where `driver` makes no
 * results, or is at none. */
void result_put_place(const sl_plan *plan, uint32_t driver, const sl_vector *v, char *text,
                      size_t room);
