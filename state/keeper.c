#include "state/keeper.h"

#include <stdatomic.h>
#include <string.h>

#include "runtime/base/crash.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "state/inventory.h"
#include "state/journal.h"
#include "state/names.h"
#include "state/note.h"
#include "state/object.h"

enum {
    GRACE_MS = 15 * 60 * 1000,
    PACE_MS = 1000,          /* least time between two rounds, and two copies of the head */
    PACE_CHARGED_MS = 60000, /* where each put costs money */
    ROUND_MS = 2000,         /* longest round of removing: commits wait behind it, not on it */
};

struct keeper {
    const checkpoint_config *config; /* borrowed from the checkpoint */
    int64_t pace_ms;
    inventory inventory;
    journal journal;
    inventory_limits limits;
    bool is_listed;   /* what was there before is in the inventory */
    bool is_gathered; /* and its records in the journal, or pending */
    pointer behind;   /* of the loaded chain: where to look for records */
    uint64_t loaded;  /* batch of the last object that was loaded; later records are of now */
    bool is_owner;    /* something was committed: nothing is loaded any more */
    pointer head;     /* last committed */
    sl_mark *marks;   /* of `head`; owned */
    uint32_t mark_count;
    bool is_head_due;            /* its copy is older */
    int64_t copied_ms, round_ms; /* steady: last copy, last round */
    _Atomic uint64_t removed;
};

keeper *keeper_new(const checkpoint_config *config) {
    keeper *k = mem_zalloc(1, sizeof *k);
    k->config = config;
    k->limits.grace_ms = config->grace_ms < 0 ? GRACE_MS : config->grace_ms;
    k->limits.history_ms = config->history_ms;
    k->pace_ms = store_cost_of(config->store->url).is_charged ? PACE_CHARGED_MS : PACE_MS;
    if (config->in_line || !k->limits.grace_ms) k->pace_ms = 0;
    k->copied_ms = k->round_ms = INT64_MIN / 2;
    k->behind.kind = POINTER_GENESIS;
    journal_init(&k->journal);
    return k;
}

void keeper_free(keeper *k) {
    if (!k) return;
    inventory_done(&k->inventory);
    journal_done(&k->journal);
    mem_free(k->marks);
    mem_free(k);
}

uint64_t keeper_removed(const keeper *k) { return k->removed; }

/* -- the head's copy */

static void copy_head(keeper *k) {
    char name[OBJECT_NAME_BYTES], text[SL_POINTER_BYTES];
    names_plain(name, k->config->name, "head");
    pointer_write(&k->head, text);
    buf copy;
    bool exists;
    buf_init(&copy);
    note_write(&copy, text, clock_now_ms(k->config->clock), k->marks, k->mark_count);
    store *s = k->config->store;
    err *e = s->ops->put(s->handle, name, copy.data, copy.len, STORE_REPLACE, &exists);
    if (e)
        log_warn(k->config->log, "copy of the pointer not stored", log_text("object", name),
                 log_text("error", e->message));
    k->is_head_due = e != NULL;
    err_free(e);
    buf_done(&copy);
}

void keeper_finish(keeper *k) {
    if (k->is_head_due) copy_head(k);
}

/* -- what was there before */

static void add_behind(keeper *k, const pointer *p, image_reader *r) {
    size_t len;
    const char *record = object_record(r, &len);
    if (len) journal_add(&k->journal, p, record, len);
}

/* Records of batches whose objects an earlier run left unjournaled. What is no more there cannot
 * be replayed, and is no error. */
static void gather_behind(keeper *k) {
    pointer at = k->behind;
    while (at.kind != POINTER_GENESIS && at.batch > k->journal.covered) {
        image_reader *r;
        object_parts *later;
        pointer parent = { .kind = POINTER_GENESIS };
        err *e = object_open(k->config->store, k->config->name, &at, NULL, &r, &later);
        if (!e) {
            add_behind(k, &at, r);
            e = object_parent(r, k->config->name, &at, &parent);
            image_reader_free(r);
            object_parts_close(later);
        }
        if (e) {
            log_info(k->config->log, "journal has a gap", log_number("before_batch", at.batch),
                     log_text("because", e->message));
            err_free(e);
        }
        at = parent;
    }
}

static void drop_covered(keeper *k) {
    journal *j = &k->journal;
    uint32_t kept_count = 0;
    for (uint32_t i = 0; i < j->pending_count; i++) {
        if (j->pending[i].p.batch > j->covered)
            j->pending[kept_count++] = j->pending[i];
        else
            j->pending_bytes -= j->pending[i].len, mem_free(j->pending[i].text);
    }
    j->pending_count = kept_count;
}

static err *look_around(keeper *k) {
    store *s = k->config->store;
    err *e = NULL;
    int64_t now_ms = clock_now_ms(k->config->clock);
    if (!k->is_listed) e = inventory_list(&k->inventory, s, k->config->name, now_ms);
    if (e) return e;
    k->is_listed = true;
    const kept *newest = inventory_journal(&k->inventory);
    if (newest && !k->journal.has_stored)
        e = journal_resume(&k->journal, s, k->config->name, &newest->p, k->loaded);
    if (e) return e;
    drop_covered(k);
    gather_behind(k);
    k->is_gathered = true;
    return NULL;
}

void keeper_look_behind(keeper *k, const pointer *parent) { k->behind = *parent; }

static void add(keeper *k, kept_kind kind, const pointer *p, uint32_t parts, bool is_useless) {
    kept item = { .kind = kind, .is_useless = is_useless, .parts = parts, .p = *p };
    item.made_ms = clock_now_ms(k->config->clock);
    inventory_add(&k->inventory, &item);
}

/* -- rounds */

static void store_journal(keeper *k) {
    pointer replaced;
    bool has_replaced;
    err *e = journal_store(&k->journal, k->config->store, k->config->name, &replaced,
                           &has_replaced);
    if (e) {
        log_warn(k->config->log, "journal not stored", log_text("error", e->message));
        err_free(e);
        return;
    }
    add(k, KEPT_JOURNAL, &k->journal.stored, 1, false);
    if (has_replaced) inventory_set_useless(&k->inventory, KEPT_JOURNAL, &replaced);
}

static void collect(keeper *k) {
    inventory *v = &k->inventory;
    k->limits.now_ms = clock_now_ms(k->config->clock);
    k->limits.journaled = k->journal.covered;
    inventory_thin(v, &k->limits);
    int64_t begun_ms = clock_steady_ms(k->config->clock);
    uint32_t kept_count = 0;
    err *e = NULL;
    for (uint32_t i = 0; i < v->count; i++) {
        kept *item = &v->items[i];
        bool may_go = !e && inventory_may_go(item, &k->limits) &&
                      clock_steady_ms(k->config->clock) - begun_ms < ROUND_MS;
        if (may_go) e = inventory_remove(item, k->config->store, k->config->name);
        if (may_go && !e)
            k->removed += item->parts ? item->parts : 1;
        else
            v->items[kept_count++] = *item;
    }
    v->count = kept_count;
    if (e) log_warn(k->config->log, "old state not removed", log_text("error", e->message));
    err_free(e);
    crash_point("garbage_collected");
}

static void round_of_care(keeper *k) {
    k->round_ms = clock_steady_ms(k->config->clock);
    err *e = k->is_gathered ? NULL : look_around(k);
    if (e) {
        log_warn(k->config->log, "stored state not listed", log_text("error", e->message));
        err_free(e);
        return;
    }
    if (journal_is_due(&k->journal)) store_journal(k);
    collect(k);
}

void keeper_add(keeper *k, const keeper_object *o) {
    if (o->is_loaded) k->loaded = o->p.batch;
    bool is_later = !k->is_owner || o->p.batch > k->limits.chain_start;
    if (o->p.kind == POINTER_FULL && is_later) k->limits.chain_start = o->p.batch;
    if (o->record_len) journal_add(&k->journal, &o->p, o->record, o->record_len);
    add(k, KEPT_OBJECT, &o->p, o->parts, false);
}

void keeper_committed(keeper *k, const pointer *p, sl_mark *marks, uint32_t count) {
    k->is_owner = true;
    k->head = *p;
    mem_free(k->marks);
    k->marks = marks;
    k->mark_count = count;
    k->is_head_due = true;
    k->limits.current = p->batch;
    int64_t now_ms = clock_steady_ms(k->config->clock);
    if (now_ms - k->copied_ms >= k->pace_ms) {
        k->copied_ms = now_ms;
        copy_head(k);
    }
    if (now_ms - k->round_ms >= k->pace_ms) round_of_care(k);
}

void keeper_planned(keeper *k, const pointer *parent) { add(k, KEPT_PLAN, parent, 1, false); }

/* It may have been room that was missing, and no commit comes until there is some. */
void keeper_given_up(keeper *k, const pointer *p, uint32_t parts) {
    add(k, KEPT_OBJECT, p, parts, true);
    bool is_due = clock_steady_ms(k->config->clock) - k->round_ms >= k->pace_ms;
    if (k->is_owner && is_due) round_of_care(k);
}
