#pragma once
/* Groups of another layout, through the script's `migrate`: what a layout_map leaves to a function.
 * thread: worker. */
#include "runtime/operator/work.h"
#include "state/image_load.h"

typedef struct migrating {
    worker *w;
    const sl_plan *plan;
    uint32_t aggregate;  /* its number */
    const char *section; /* "aggregate NAME"; borrowed */
} migrating;

/* layout_fill; `arg`: a migrating. ERR_REFUSED: a function threw, with its place, the group and the
 * old state. The worker's script must have compared the shapes (script_compat). */
err *migrate_fill(void *arg, const pane *p, uint32_t count, const saved_entry *entries,
                  void *const *states);
