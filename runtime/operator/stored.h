#pragma once
/* All keyed state of a worker, into an image (state/image.h) and back. Sections are named by kind
 * and the state's name: "aggregate NAME" its groups, "sent NAME" what was sent of it, "distinct
 * NAME" its keys. Calendars are not stored: worker_loaded makes them. An entry goes to the worker
 * that owns its shard, so the number of workers may be another one. thread: worker; images: one
 * worker after the other. */
#include "runtime/operator/work.h"
#include "state/image.h"

/* How states of an older script become those of this one; by aggregate, NULL: they are the same. */
typedef struct stored_maps {
    const layout_map *const *aggregates; /* NULL: all are the same */
    const layout_map *const *sent;       /* likewise */
    const bool *migrates;                /* by aggregate: behind its map, the script's `migrate` */
    bool drops_unknown;                  /* state of stages that the script has no more goes */
} stored_maps;

/* The tables of a plan, in the order in which they are stored: number i of stored_count. NULL: the
 * aggregation keeps none of the kind. */
uint32_t stored_count(const sl_plan *plan);
table *stored_table(const worker *w, const sl_plan *plan, uint32_t i);

/* The name of its sections, into `name`. */
const char *stored_name(const sl_plan *plan, uint32_t i, buf *name);

/* The aggregation whose groups it holds; NULL: it holds something else. */
const sl_aggregate *stored_groups(const sl_plan *plan, uint32_t i);

/* The number of an aggregation's groups. */
static inline uint32_t stored_groups_number(uint32_t aggregate) { return 2 * aggregate; }

static inline uint32_t stored_distinct_number(const sl_plan *plan, uint32_t distinct) {
    return 2 * plan->aggregate_count + distinct;
}

/* The number of the table that is called so; stored_count: there is none. */
uint32_t stored_find(const sl_plan *plan, const char *name);

/* Put the worker's state into `m`: all of it, or what the running batch changed: at its end, before
 * worker_end. */
void worker_save(const worker *w, const sl_plan *plan, image *m, bool all);

/* Take over what a section of kind IMAGE_TABLE holds for this worker. Between batches, sections in
 * the order in which they were written, from the full object on. ERR_REFUSED: it does not fit the
 * plan, or a `migrate` threw. `maps` may be NULL. */
struct err *worker_load(worker *w, const sl_plan *plan, const image_view *view,
                        const stored_maps *maps);

/* Drop everything, to load anew. Between batches. */
void worker_forget(worker *w, const sl_plan *plan);

/* All sections are loaded. */
void worker_loaded(worker *w, const sl_plan *plan);

/* Bytes that keyed state holds in memory, what is kept for reuse too. */
size_t worker_state_bytes(const worker *w, const sl_plan *plan);
