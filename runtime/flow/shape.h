#pragma once
/* State of one shape under a plan of another (lua/sluice/compat.lua): the maps that bring it over.
 * thread: any. */
#include "runtime/operator/stored.h"
#include "runtime/shared/compat.h"

typedef struct shape_maps {
    stored_maps by;           /* for worker_load */
    layout_map *layouts;      /* owned; by aggregate: of groups, then of what was sent */
    const layout_map **lists; /* owned; of those that are needed */
} shape_maps;

/* Of a verdict SL_COMPAT_ACCEPTED; bytes of the maps are borrowed from `compat`. */
void shape_maps_init(shape_maps *m, const sl_plan *plan, const sl_compat *compat);
void shape_maps_done(shape_maps *m);
