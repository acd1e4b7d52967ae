#pragma once
/* What the files of a reload share: reload.c (the exchange), reload_check.c (what may not change),
 * reload_sinks.c. */
#include "runtime/flow/delivery.h"
#include "runtime/flow/reload.h"
#include "runtime/flow/shape.h"
#include "runtime/operator/takeover.h"

struct blank_field;

/* What an input has of its plan. */
typedef struct reload_input {
    const sl_source *plan;
    struct blank_field *blanks; /* owned */
    limits_rate rate;
} reload_input;

/* What goes by the plan, of the script that does not run: before the exchange of the new one,
 * afterwards of the old one. */
struct reload {
    const sl_plan *plan;
    worker **workers; /* owned, with their scripts */
    uint32_t worker_count;
    stages stages;
    uint32_t *depths;
    chunk **chunks;
    uint32_t chunk_room;
    uint32_t *rows_before;
    bool adapts;
    unsigned chunk_now;
    delivery out;
    reload_input *inputs; /* by source; owned */
    uint32_t input_count;
    trigger trigger; /* kind, interval and pace count */
    char *shape;     /* of the state; NULL: nothing is kept */
    bool has_other_shape;
    takeover state;
    bool reads_disk; /* part of it is there, so all of it is read from there */
    shape_maps maps;
    const sl_compat *compat; /* borrowed from the new script; NULL: the same */
    char *refilled;          /* for the record of the first batch; owned, or NULL */
    buf changes;             /* lines */
    uint64_t batch;          /* the first one of the new script */
    struct reload *before;   /* was on trial, without a batch; borrowed, while this is prepared */
    struct reload *next;     /* of those that are done with */
};

/* The plan that the next text is compared with: of the text before where one is on trial, which
 * then steps back. */
const sl_plan *reload_base(const pipeline *p);

/* ERR_REFUSED: something else than state cannot change while it runs. */
err *reload_check(const pipeline *p, const sl_plan *plan, uint32_t workers);

/* Whether the state lies where it can be handed over, into r->reads_disk how. `r->state` is
 * decided. */
err *reload_check_state(const pipeline *p, reload *r, bool has_other_shape);

/* Bring it over that is not just moved, into the workers of `r`. ERR_REFUSED: a `migrate` threw. */
err *reload_copy_state(pipeline *p, reload *r);

/* Sinks of the new plan into r->out: those that are the same are shared, with r->before, too,
 * others opened. */
err *reload_open_sinks(pipeline *p, reload *r);

/* Close what r->out has alone, and neither the pipeline nor `other` (may be NULL), too; free the
 * rest of it. */
void reload_close_sinks(const pipeline *p, reload *r, const reload *other);
