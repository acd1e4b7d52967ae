/* DESIGN. States of another layout are copied, by the map and what the script does behind it. Where
 * part of them is on disk, memory and disk together are one state, and the base has all of it once
 * it has caught up: so everything is read from there, as a restart reads it, and no table is moved.
 * The old tables, and what is on disk for them, stay as they are until the first batch of the new
 * text is committed: its object is a full one, and the base begins anew from that. */
#include "runtime/base/mem.h"
#include "runtime/flow/local.h"
#include "runtime/flow/reload_inside.h"
#include "runtime/operator/distinct.h"

/* thread: worker; `w` is the old one. */
static err *copy_phase(worker *w, void *arg) {
    reload *r = arg;
    return takeover_copy(&r->state, w, r->workers[w->number]);
}

static err *loaded_phase(worker *w, void *arg) {
    reload *r = arg;
    worker_loaded(r->workers[w->number], r->plan);
    return NULL;
}

static void agree(const reload *r) {
    seen_keys **seen = mem_alloc(r->worker_count * sizeof *seen);
    for (uint32_t d = 0; d < r->plan->distinct_count; d++) {
        for (uint32_t n = 0; n < r->worker_count; n++) seen[n] = r->workers[n]->seen[d];
        seen_keys_agree(seen, r->worker_count);
    }
    mem_free(seen);
}

static err *read_disk(pipeline *p, reload *r) {
    takeover_leave(&r->state);
    err *e = local_copy(p, r->plan, r->workers, &r->maps.by);
    if (!e) e = crew_run(p->crew, loaded_phase, r, true);
    if (!e) agree(r);
    return e;
}

err *reload_copy_state(pipeline *p, reload *r) {
    if (r->reads_disk) return read_disk(p, r);
    return takeover_maps(&r->state) ? crew_run(p->crew, copy_phase, r, true) : NULL;
}
