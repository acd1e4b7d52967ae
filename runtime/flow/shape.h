#pragma once
/* State of one shape under a plan of another (lua/sluice/compat.lua): the maps that bring it over.
 * thread: any. */
#include "runtime/operator/stored.h"
#include "runtime/shared/compat.h"

typedef struct shape_maps {
    stored_maps by;           /* for worker_load */
    layout_map *layouts;      /* owned; by aggregate: of groups, then of what was sent */
    const layout_map **lists; /* owned; of those that are needed */
    bool *migrates;           /* owned; by aggregate: a function of the script, too */
} shape_maps;

/* Get the script of a worker ready for what worker 0's found in the stored `shape`; between
 * phases. */
err *shape_prepare(worker *w, const sl_string *shape, const sl_compat *compat);

/* Of a verdict SL_COMPAT_ACCEPTED; bytes of the maps are borrowed from `compat`. */
void shape_maps_init(shape_maps *m, const sl_plan *plan, const sl_compat *compat);
void shape_maps_done(shape_maps *m);
