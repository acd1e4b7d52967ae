#include "runtime/cli/past.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/mem.h"
#include "runtime/cli/past_script.h"
#include "runtime/cli/stop.h"
#include "runtime/connect/connectors.h"
#include "state/history.h"

err *past_open(const args *a, past *p) {
    *p = (past){ .a = a };
    err *e = stored_open(a, NULL, &p->stored);
    p->stored.log.level = LOG_ERROR; /* what batches warned of, they did when they ran */
    return e ? e : stored_need_pointer(&p->stored);
}

static void forget_records(past *p) {
    for (uint64_t i = 0; i < p->end - p->first; i++) mem_free(p->records[i].text);
    mem_free(p->records);
    p->records = NULL;
    p->first = p->end = 0;
}

static void end_replay(past *p) {
    replay_close(&p->replay);
    past_script_wanted_done(&p->wanted);
    scratch_remove(&p->folder);
}

void past_close(past *p) {
    end_replay(p);
    forget_records(p);
    store_kept_done(&p->kept);
    stored_close(&p->stored);
}

/* -- records */

static err *take_record(void *arg, const pointer *at, const char *record, size_t len) {
    past *p = arg;
    past_record *slot = &p->records[at->batch - 1 - p->first];
    mem_free(slot->text);
    *slot = (past_record){ .text = mem_copy_text(record, len), .len = len, .at = *at };
    return NULL;
}

err *past_read(past *p, uint64_t from, uint64_t to) {
    forget_records(p);
    if (to > p->stored.pointer.batch) to = p->stored.pointer.batch;
    if (from >= to) return NULL;
    p->records = mem_zalloc(to - from, sizeof *p->records);
    p->first = from;
    p->end = to;
    return history_read(&p->stored.store, p->stored.name, &p->stored.pointer, from, to,
                        take_record, p);
}

const past_record *past_record_of(const past *p, uint64_t batch) {
    if (batch < p->first || batch >= p->end) return NULL;
    const past_record *r = &p->records[batch - p->first];
    return r->text ? r : NULL;
}

/* The first batch from which on all records are there. */
static uint64_t whole_from(const past *p) {
    uint64_t batch = p->end;
    while (batch > p->first && p->records[batch - 1 - p->first].text) batch--;
    return batch;
}

/* -- where to begin */

/* Whether the state is one that the pipeline went through. */
static bool is_of_history(const past *p, const survey_object *o) {
    if (o->p.batch == 0) return true;
    const past_record *r = past_record_of(p, o->p.batch - 1);
    return r ? !strcmp(r->at.id, o->p.id) : o->p.kind == POINTER_FULL;
}

static bool is_readable(past *p, const pointer *at) {
    chain ch;
    if (at->kind == POINTER_FULL) return true;
    err *e = chain_open(&p->stored.store, p->stored.name, at, NULL, &ch);
    bool is = !e && (!ch.count || ch.links[ch.count - 1].p.kind == POINTER_FULL);
    err_free(e);
    chain_done(&ch);
    return is;
}

/* The nearest state at or before `batch` from which all records that were read are there. */
static bool find_state(past *p, const survey *v, uint64_t batch, pointer *from) {
    uint64_t whole = whole_from(p);
    for (uint32_t i = v->count; i > 0; i--) {
        const survey_object *o = &v->objects[i - 1];
        if (!o->has_first || o->p.batch > batch || o->p.batch < whole) continue;
        if (!is_of_history(p, o) || !is_readable(p, &o->p)) continue;
        *from = o->p;
        return true;
    }
    if (whole == 0) *from = pointer_new(POINTER_GENESIS, 0, 1);
    return whole == 0;
}

/* The full object before `batch`; 0: there is none. */
static uint64_t full_before(const survey *v, uint64_t batch) {
    uint64_t found = 0;
    for (uint32_t i = 0; i < v->count; i++) {
        const survey_object *o = &v->objects[i];
        bool is = o->has_first && o->p.kind == POINTER_FULL && o->p.batch < batch;
        if (is && o->p.batch > found) found = o->p.batch;
    }
    return found;
}

/* What can be done again at all. */
static err *refuse_batch(past *p, const survey *v, uint64_t batch) {
    err *e = past_read(p, 0, p->stored.pointer.batch);
    uint64_t whole = whole_from(p), oldest = UINT64_MAX;
    if (e) return e;
    for (uint32_t i = 0; i < v->count; i++) {
        const survey_object *o = &v->objects[i];
        bool is = o->has_first && o->p.kind == POINTER_FULL && o->p.batch >= whole;
        if (is && o->p.batch < oldest && o->p.batch < p->end) oldest = o->p.batch;
    }
    buf way;
    buf_init(&way);
    if (oldest == UINT64_MAX)
        buf_put_text(&way, "none can be replayed");
    else
        buf_printf(&way, "the oldest batch that can be replayed is %" PRIu64, oldest);
    e = err_new(ERR_REFUSED,
                "`%s`: no state from which batch %" PRIu64 " could be reached is stored any more, "
                "with all records in between: %s (checkpoint option `history` says how long both "
                "are kept)",
                p->stored.name, batch, buf_text(&way));
    buf_done(&way);
    return e;
}

/* Read the records that it takes to reach `batch`, and those up to `to`; choose where to begin. */
static err *choose_state(past *p, uint64_t batch, uint64_t to, pointer *from) {
    survey v;
    bool found = false;
    err *e = survey_open(&p->stored.store, p->stored.name, &v);
    if (e) return e;
    for (uint64_t at = batch + 1; !e && !found && at > 0;) {
        at = full_before(&v, at);
        e = past_read(p, at > 0 ? at - 1 : 0, to); /* one before: it names the state */
        if (!e) found = find_state(p, &v, batch, from);
    }
    if (!e && !found) e = refuse_batch(p, &v, batch);
    survey_done(&v);
    return e;
}

static err *note_begin(past *p, uint64_t to) {
    err *e = NULL;
    for (uint64_t batch = 0; !e && batch < to; batch++) {
        recorded r;
        const past_record *text = past_record_of(p, batch);
        e = record_read(text->text, text->len, &r);
        if (!e) replay_note_begin(&p->replay.begin, &r);
        recorded_done(&r);
    }
    return e;
}

/* -- the script */

/* The hash of the text that did a batch; no record: `none`. */
static err *hash_of(const past *p, uint64_t batch, uint64_t none, uint64_t *hash) {
    recorded r;
    const past_record *text = past_record_of(p, batch);
    *hash = none;
    if (!text) return NULL;
    err *e = record_read(text->text, text->len, &r);
    if (!e) *hash = r.script_hash;
    recorded_done(&r);
    return e;
}

static err *open_script(past *p) {
    const args *a = p->a;
    const char *path = p->path;
    uint64_t hash = p->hash;
    p->wanted = (past_script_wanted){
        .a = a,
        .path = path ? path : a->operand,
        .name = p->stored.name,
        .folder = p->folder.path,
    };
    bool is_current = p->stored.plan->script_hash == hash;
    if (path || is_current) return past_script_open(&p->wanted, &p->script);
    err *e = past_script_fetch(&p->stored.store, hash, &p->wanted);
    if (!e) e = past_script_open(&p->wanted, &p->script);
    if (e || script_plan(p->script)->script_hash == hash) return e;
    script_close(p->script);
    return err_new(ERR_REFUSED,
                   "the script that did the batches (%016" PRIx64 ") is stored, but the --set and "
                   "--param given here are not those of that run: leave them out",
                   hash);
}

/* From `p->replay.from` on, whose batch's text is `p->hash`. */
static err *open_replay(past *p) {
    worker *w = NULL;
    err *e = scratch_make(&p->folder, "replay");
    if (e || (e = open_script(p))) return e;
    const sl_plan *plan = script_plan(p->script);
    if ((e = worker_new(plan, p->script, 0, 1, &w))) return e;
    p->replay.store = &p->stored.store;
    p->replay.kept = &p->kept;
    p->replay.folder = p->folder.path;
    p->replay.is_other_script = plan->script_hash != p->hash;
    sl_system system = p->stored.system;
    system.script = NULL;
    e = replay_open(&p->replay, &w, &system, connector_source);
    p->replay.pipeline.probe = p->probe;
    return e;
}

/* The next batch was done by another text: that goes on with the state as it is. */
static err *change_script(past *p, uint64_t hash) {
    pointer from = replay_kept(&p->replay);
    replay next = { .from = from,
                    .on_row = p->replay.on_row,
                    .on_row_arg = p->replay.on_row_arg };
    end_replay(p);
    p->replay = next;
    p->hash = hash;
    return open_replay(p);
}

err *past_begin(past *p, uint64_t batch, uint64_t to, const char *path) {
    end_replay(p);
    if (to > p->stored.pointer.batch)
        return err_new(ERR_REFUSED, "`%s` has done batches up to %" PRIu64 ", not %" PRIu64,
                       p->stored.name, p->stored.pointer.batch - 1, to - 1);
    err *e = choose_state(p, batch, to, &p->replay.from);
    if (e) return e;
    p->path = path;
    p->begun = p->replay.from;
    p->kept.is_on = false;
    if (p->replay.from.kind == POINTER_GENESIS) e = note_begin(p, to);
    if (!e) e = hash_of(p, p->replay.from.batch, 0, &p->hash);
    if (!e) e = open_replay(p);
    while (!e && replay_next(&p->replay) < batch && !*stop_asked()) e = past_step(p);
    return e;
}

err *past_step(past *p) {
    uint64_t batch = replay_next(&p->replay), hash, next;
    const past_record *r = past_record_of(p, batch);
    if (!r)
        return err_new(ERR_REFUSED, "`%s`: no record of batch %" PRIu64 " is kept",
                       p->stored.name, batch);
    err *e = hash_of(p, batch, p->hash, &hash);
    if (!e) e = hash_of(p, batch + 1, hash, &next);
    if (!e && !p->path && hash != p->hash) e = change_script(p, hash);
    if (!e && !p->path && next != hash) e = replay_keep(&p->replay);
    return e ? e : replay_batch(&p->replay, r->text, r->len);
}
