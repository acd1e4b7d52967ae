#pragma once
/* State that goes from a worker to one of another plan, between batches: tables that are laid out
 * alike change places, which costs nothing and can be taken back; those of another layout are
 * copied by a map, and the old ones stay. thread: worker, or main while no phase runs. */
#include "runtime/operator/stored.h"

/* What becomes of the tables of a plan. */
typedef struct takeover {
    const sl_plan *from, *to;
    uint32_t *moves; /* by table of `to` (stored_count): the one of `from` that takes its place, or
                        TAKEOVER_NONE; owned */
    uint32_t *maps;  /* likewise: the one of `from` that is copied by a map; owned */
    stored_maps by;  /* those maps; borrowed */
} takeover;

enum { TAKEOVER_NONE = INT32_MAX };

/* Decide: `compat` says what differs (NULL: nothing), `by` are its maps. To be ended by
 * takeover_done. */
void takeover_init(takeover *t, const sl_plan *from, const sl_plan *to, const sl_compat *compat,
                   const stored_maps *by);
void takeover_done(takeover *t);

/* No table moves or is copied: they are filled otherwise. */
void takeover_leave(takeover *t);

/* Whether some table is copied. */
bool takeover_maps(const takeover *t);

/* Copy what is mapped from `old` into the empty tables of `new`. ERR_REFUSED: as worker_load. */
struct err *takeover_copy(const takeover *t, const worker *old, worker *new);

/* The tables that move change places. `old` and `new` are workers of `from` and `to`; doing it once
 * more takes it back. */
void takeover_exchange(const takeover *t, worker *old, worker *new);
