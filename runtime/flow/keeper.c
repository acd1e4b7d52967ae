#include "runtime/flow/keeper.h"

#include <stdio.h>

#include "runtime/base/crash.h"
#include "runtime/base/err.h"

enum { NAME_BYTES = 32 };

const char *const keeper_steps[] = {
    "fetched",
    "planned",
    "processed",
    "saved",
    "begun",
    "produced",
    "written",
    "committed",
    "applied",
    NULL,
};

err *keeper_step(const pipeline *p, const char *step) {
    char name[NAME_BYTES];
    if (!p->keeper) return NULL;
    snprintf(name, sizeof name, "flow_%s", step);
    crash_point(name);
    return p->on_step ? p->on_step(p->on_step_arg, step) : NULL;
}
