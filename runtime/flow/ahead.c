#include "runtime/flow/ahead.h"

#include <inttypes.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/flow/keeper_inside.h"

enum { SLEPT_MS = 10000 }; /* far below the grace of the plans (state/keeper.c) */

bool ahead_is_on(const pipeline *p) { return p->keeper && p->keeper->plan->plans_ahead; }

/* A batch is done again by the script that planned it, or its rows differ. */
static err *check_script(const pipeline *p, const recorded *planned) {
    if (planned->script_hash == p->plan->script_hash) return NULL;
    return keeper_refuse(p,
                         "Run the script as it was until that batch is done (trigger = \"once\"), "
                         "then this one; or remove the plan from the store: its rows may then come "
                         "twice",
                         "batch %" PRIu64 " was begun by another text of the script (%016" PRIx64
                         ", this is %016" PRIx64 ": --param and --set count), and may be written "
                         "in part",
                         planned->batch, planned->script_hash, p->plan->script_hash);
}

err *ahead_find(pipeline *p) {
    keeper *k = p->keeper;
    buf text;
    bool found = false;
    if (!ahead_is_on(p)) return NULL;
    buf_init(&text);
    err *e = checkpoint_get_plan(k->checkpoint, &k->current, &text, &found);
    if (!e && found) {
        e = record_read(text.data, text.len, &k->planned);
        if (!e) e = check_script(p, &k->planned);
        k->has_planned = !e;
        if (e) recorded_done(&k->planned);
    }
    buf_done(&text);
    return e;
}

const recorded *ahead_planned(const pipeline *p) {
    return p->keeper && p->keeper->has_planned ? &p->keeper->planned : NULL;
}

err *ahead_source(const pipeline *p, uint32_t number, const recorded_source **was) {
    const recorded *planned = ahead_planned(p);
    const sl_string *name = &p->plan->sources[number].name;
    uint32_t twin = p->keeper->inputs[number].twin;
    for (uint32_t i = 0; i < planned->source_count; i++) {
        const recorded_source *s = *was = &planned->sources[i];
        if (s->name.len == name->len && !memcmp(s->name.data, name->data, name->len) && !twin--)
            return NULL;
    }
    return err_new(ERR_REFUSED,
                   "the batch that an earlier run did not finish knows no source `%.*s`",
                   (int)name->len, name->data);
}

/* Old plans are removed, so a name may be free again under whoever slept: the pointer is then
 * another one. A sink of the script's own would take other rows for a batch that it has. */
static err *check_current(const pipeline *p) {
    const keeper *k = p->keeper;
    const sl_committed *items;
    uint32_t count;
    char text[SL_POINTER_BYTES];
    if (clock_steady_ms(p->system.clock) - k->committed_ms < SLEPT_MS) return NULL;
    pointer_write(&k->current, text);
    err *e = k->ops->read(k->ledger, &items, &count);
    for (uint32_t i = 0; !e && i < count; i++)
        if (strcmp(items[i].pointer, text) != 0)
            e = err_new(ERR_FENCED,
                        "%s: another process has gone on since batch %" PRIu64
                        " (committed is %s): stop one of the two",
                        k->place, k->current.batch,
                        *items[i].pointer ? items[i].pointer : "(no pointer)");
    return e;
}

err *ahead_put(pipeline *p, const batch_view *b) {
    keeper *k = p->keeper;
    bool found = false;
    buf text;
    buf_init(&text);
    record_put(&text, p, b);
    err *e = checkpoint_put_plan(k->checkpoint, &k->current, &text, &found);
    buf_done(&text);
    if (!e && found)
        e = err_new(ERR_FENCED,
                    "%s: batch %" PRIu64 " has been planned by another process: stop one of the "
                    "two; if there is none, start again",
                    k->place, b->batch);
    return e ? e : check_current(p);
}

err *ahead_put_again(pipeline *p, const batch_view *b) {
    buf text;
    buf_init(&text);
    record_put(&text, p, b);
    err *e = checkpoint_change_plan(p->keeper->checkpoint, &p->keeper->current, &text);
    buf_done(&text);
    return e ? e : check_current(p);
}

void ahead_forget(pipeline *p) {
    keeper *k = p->keeper;
    if (!k->has_planned) return;
    recorded_done(&k->planned);
    k->has_planned = false;
    for (uint32_t i = 0; i < p->input_count; i++) input_begin_own(&p->inputs[i]);
}
