/* DESIGN. What is committed in the ledger is the truth: which object counts, and where reading goes
 * on. Whatever does not fit together ends the run here, with what was seen and the way out: state
 * that is silently begun anew is the one loss that nobody notices. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/crash.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/behind.h"
#include "runtime/flow/budget.h"
#include "runtime/flow/held.h"
#include "runtime/flow/keeper_inside.h"
#include "runtime/flow/local.h"
#include "runtime/flow/replay.h"
#include "state/store_ledger.h"
#include "state/store_look.h"

enum {
    MOST_SHOWN = 8, /* committed texts in a message */
    NEWEST_BYTES = 128,
    KEEP_SHARE = 6, /* of the budget may be kept for the next objects: two parts by default */
    KEEP_BYTES = 256 << 20,
};

static bool is_text(const sl_string *a, const char *b) {
    return a->len == strlen(b) && !memcmp(a->data, b, a->len);
}

/* -- store and ledger */

static char *text_of(buf *of) {
    char *text = mem_copy_text(buf_text(of), of->len);
    buf_done(of);
    return text;
}

static size_t kept_bytes(const pipeline *p) {
    size_t share = budget_bytes(p) / KEEP_SHARE;
    return share < KEEP_BYTES ? share : KEEP_BYTES;
}

/* What messages suggest to type. */
static void name_operands(keeper *k, const pipeline *p) {
    const sl_string *path = &p->plan->script;
    const char *given = p->system.operands;
    buf out;
    buf_init(&out);
    if (given)
        buf_put_text(&out, given);
    else
        buf_printf(&out, "%.*s", (int)path->len, path->len ? path->data : "");
    if (!out.len) buf_put_text(&out, "SCRIPT");
    k->operands = text_of(&out);
    buf_printf(&out, "`sluice checkpoint recover %s` commits the pointer with the offsets that "
                     "belong to it",
               k->operands);
    k->recover = text_of(&out);
}

/* A replay only looks. */
static err *choose_store(keeper *k, const pipeline *p, const pipeline_options *options) {
    if (options->replay) {
        k->store = store_look_at(options->replay->store, options->replay->kept);
        return NULL;
    }
    char *url = mem_copy_text(k->plan->url.data, k->plan->url.len);
    store_config config = {
        .url = url,
        .options = k->plan->store,
        .log = p->system.log,
        .stop = options->stop_now,
    };
    err *e = store_open(&config, &k->store);
    mem_free(url);
    return e;
}

static err *open_the_store(keeper *k, pipeline *p, const pipeline_options *options) {
    err *e = choose_store(k, p, options);
    if (e) return e;
    k->has_store = true;
    buf place;
    buf_init(&place);
    buf_printf(&place, "checkpoint of `%s` in %s", k->name, k->store.url);
    k->place = text_of(&place);
    name_operands(k, p);
    checkpoint_config of = {
        .name = k->name,
        .operands = k->operands,
        .store = &k->store,
        .log = p->system.log,
        .clock = p->system.clock,
        .stop = options->stop_now,
        .history_ms = k->plan->history_ms,
        .grace_ms = -1,
        .keep_bytes = kept_bytes(p),
        .in_line = options->keeps_in_line,
        .follow = local_follow,
        .follow_arg = p->local,
    };
    e = checkpoint_open(&of, &k->checkpoint);
    return e ? e : local_find(p);
}

static err *open_ledger(keeper *k, const pipeline *p, const pipeline_options *options) {
    const sl_string *name = &k->plan->ledger;
    k->ops = options->find_ledger ? options->find_ledger(name) : NULL;
    if (k->ops) return k->ops->open(k->plan, &p->sink_system, &k->ledger);
    if (!is_text(name, "store"))
        return err_new(ERR_PLAN, "there is no ledger `%.*s`", (int)name->len, name->data);
    k->ops = &store_ledger_ops;
    store_ledger_config config = {
        .store = &k->store,
        .pipeline = k->name,
        .operands = k->operands,
        .log = p->system.log,
        .clock = p->system.clock,
    };
    return store_ledger_new(&config, &k->ledger);
}

/* -- what is committed */

static err *read_committed(keeper *k) {
    const sl_committed *items;
    err *e = k->ops->read(k->ledger, &items, &k->found_count);
    if (e) {
        k->found_count = 0;
        return e;
    }
    k->found = mem_zalloc(k->found_count, sizeof *k->found);
    for (uint32_t i = 0; i < k->found_count; i++) {
        k->found[i] = items[i];
        k->found[i].mark.topic = mem_copy_text(items[i].mark.topic, strlen(items[i].mark.topic));
    }
    return NULL;
}

/* What is committed, a line each; of many only the first. */
static void put_found(buf *out, const keeper *k) {
    for (uint32_t i = 0; i < k->found_count && i < MOST_SHOWN; i++) {
        const sl_committed *c = &k->found[i];
        buf_printf(out, "\n  %s/%" PRId32 " offset %" PRId64 ": %s", c->mark.topic,
                   c->mark.partition, c->mark.offset, *c->pointer ? c->pointer : "(no pointer)");
    }
    if (k->found_count > MOST_SHOWN)
        buf_printf(out, "\n  and %u more", k->found_count - MOST_SHOWN);
}

static err *refuse_pointers(const pipeline *p, const char *why) {
    const keeper *k = p->keeper;
    buf text;
    buf_init(&text);
    put_found(&text, k);
    err *e = err_new(ERR_REFUSED,
                     "%s: %s; nothing was read or changed. Committed is%s\n"
                     "`sluice checkpoint recover %s` shows what is stored, and commits a pointer "
                     "that fits it",
                     k->place, why, buf_text(&text), k->operands);
    buf_done(&text);
    return e;
}

static const char *fault_text(pointer_fault fault) {
    switch (fault) {
    case POINTER_EMPTY: return "an offset without a pointer was committed: by a reset tool, or "
                               "another consumer of this group";
    case POINTER_FOREIGN: return "what was committed with an offset is not sluice's: another "
                                 "consumer uses this group";
    case POINTER_NEWER: return "the pointer is of a newer sluice, which alone can read it";
    case POINTER_DAMAGED: return "the pointer is damaged";
    default: return "";
    }
}

/* All texts must be one, ours, and committed for as many partitions as there are. */
static err *agree_on_pointer(pipeline *p) {
    keeper *k = p->keeper;
    for (uint32_t i = 0; i < k->found_count; i++) {
        pointer_fault fault = pointer_read(k->found[i].pointer, &k->current);
        if (fault != POINTER_OK) return refuse_pointers(p, fault_text(fault));
        if (strcmp(k->found[i].pointer, k->found[0].pointer))
            return refuse_pointers(p, "the pointers differ: offsets were moved by somebody else, "
                                      "or of some partitions they have expired");
    }
    if (k->current.partitions == k->found_count) return NULL;
    char why[96];
    snprintf(why, sizeof why, "the pointer was committed for %u partitions, and %u have it",
             k->current.partitions, k->found_count);
    return refuse_pointers(p, why);
}

/* Objects of batch 0 hold nothing that was processed. */
static bool is_of_batch_0(const char *object) {
    const char *number = strstr(object, "state/");
    return number && strtoull(number + strlen("state/"), NULL, 10) == 0;
}

/* What a program would do that takes the newest object for the one that counts, committed or not: a
 * fault that tests seed. */
static err *take_newest(keeper *k) {
    char newest[NEWEST_BYTES] = "", kind;
    bool found = false;
    err *e = checkpoint_has_objects(k->checkpoint, &found, newest);
    if (e || !found) return e;
    pointer *p = &k->current;
    if (sscanf(newest, "state/%" SCNu64 "-%32[0-9a-f].%c", &p->batch, p->id, &kind) == 3)
        p->kind = kind == 'f' ? POINTER_FULL : POINTER_DELTA;
    return NULL;
}

/* Nothing is committed: that is a first run only if there is no state either. */
static err *begin_fresh(pipeline *p) {
    keeper *k = p->keeper;
    char newest[NEWEST_BYTES] = "";
    bool found = false;
    err *e = checkpoint_has_objects(k->checkpoint, &found, newest);
    if (e) return e;
    k->is_fresh = true;
    if (fault_is("missing_is_start")) return NULL;
    if (!found || is_of_batch_0(newest)) return NULL;
    return err_new(ERR_REFUSED,
                   "%s: state is stored (newest: %s), but nothing is committed in the ledger "
                   "(%s): it has expired, was deleted, or is another cluster's; nothing was read "
                   "or changed. `sluice checkpoint recover %s` commits the last pointer again; "
                   "to begin with empty state, give the pipeline another name",
                   k->place, newest, k->ops->name, k->operands);
}

/* -- open and close */

err *keeper_open(pipeline *p, const pipeline_options *options) {
    const sl_checkpoint *plan =
        options->checkpoint ? options->checkpoint : &p->plan->checkpoint;
    if (!plan->url.data) return NULL;
    keeper *k = p->keeper = mem_zalloc(1, sizeof *k);
    k->plan = held_checkpoint(&p->held, plan);
    k->name = mem_copy_text(p->plan->name.data, p->plan->name.len);
    k->shape = mem_copy_text(plan->shape.data ? plan->shape.data : "", plan->shape.len);
    k->group = mem_copy_text(plan->group.data ? plan->group.data : "", plan->group.len);
    const sl_string *topic = plan->topic.data ? &plan->topic : &p->plan->name;
    k->topic = mem_copy_text(topic->data, topic->len);
    buf_init(&k->record);
    local_new(p, options);
    err *e = open_the_store(k, p, options);
    if (!e) e = open_ledger(k, p, options);
    if (!e) e = read_committed(k);
    if (!e) e = k->found_count ? agree_on_pointer(p) : begin_fresh(p);
    if (!e && fault_is("newest_is_current")) e = take_newest(k);
    if (!e && !k->is_fresh) e = keeper_load(p);
    if (!e && options->replay) replay_tell_begin(options->replay, k);
    if (!e) p->sink_system.ledger = k->ledger;
    if (!e) keeper_tell_inputs(p);
    return e;
}

void keeper_close(keeper *k) {
    if (!k) return;
    if (k->checkpoint) checkpoint_close(k->checkpoint);
    if (k->ledger) k->ops->close(k->ledger);
    if (k->has_store && !k->is_lent) store_close(&k->store);
    for (uint32_t i = 0; i < k->found_count; i++) mem_free((char *)k->found[i].mark.topic);
    for (uint32_t i = 0; i < k->position_count; i++) {
        mem_free(k->positions[i].name);
        buf_done(&k->positions[i].bytes);
    }
    progress_done(&k->loaded);
    recorded_done(&k->planned);
    buf_done(&k->record);
    mem_free(k->positions);
    mem_free(k->found);
    mem_free(k->inputs);
    mem_free(k->marks);
    mem_free(k->running.marks);
    mem_free(k->name);
    mem_free(k->shape);
    mem_free(k->group);
    mem_free(k->topic);
    mem_free(k->place);
    mem_free(k->operands);
    mem_free(k->recover);
    if (!k->is_lent) mem_free(k);
}
