/* Loading goes backwards, since each object names its parent alone, and is handed out oldest
 * first. What is read stays in memory up to HELD_BYTES; of a longer chain the newest objects are
 * read twice. A large object is handed out while its parts are read and checked one by one: what is
 * wrong with a later one shows when tables hold the others already. The run ends then, and nothing
 * was committed; only behind a full object that the base made are there deltas to begin with
 * anew. */
#include <string.h>
#include <time.h>

#include "state/chain.h"
#include "state/checkpoint_inside.h"
#include "state/names.h"

err *checkpoint_way_out(err *e, const checkpoint *c) {
    if (!e || e->code != ERR_REFUSED) return e;
    if (e->fatal) return err_wrap(e, "the state of '%s' cannot be loaded", c->config.name);
    const char *operands = c->config.operands ? c->config.operands : "SCRIPT";
    err *told = err_new(ERR_REFUSED,
                        "the state of '%s' cannot be loaded: %s. If the pipeline ran with another "
                        "folder or bucket than %s, give that one; else `sluice checkpoint recover "
                        "%s` goes back to the newest state here that is whole, or says how to go "
                        "on where none is",
                        c->config.name, e->message, c->config.store->url, operands);
    err_free(e);
    return told;
}

err *checkpoint_rest(const checkpoint *c, uint32_t tries) {
    if (c->config.in_line) return NULL;
    enum { SLICE_MS = 20,
           FIRST_MS = 100,
           MOST_MS = 5000 };
    int64_t rest_ms = tries < 6 ? (int64_t)FIRST_MS << tries : MOST_MS;
    const struct timespec slice = { .tv_nsec = SLICE_MS * 1000000L };
    for (int64_t ms = 0; ms < rest_ms; ms += SLICE_MS) {
        if ((c->config.stop && *c->config.stop) || atomic_load(&c->gives_up))
            return err_new(ERR_STOPPED, "asked to stop while the store was waited for");
        nanosleep(&slice, NULL);
    }
    return NULL;
}

/* -- how long the chain is that begins before a base: told by names alone, for wants_full */

typedef struct before_base {
    checkpoint *c;
    const pointer *base;
} before_base;

static err *visit_before(void *arg, const char *name, int64_t size, int64_t changed_ms) {
    (void)changed_ms;
    before_base *b = arg;
    object_name o;
    if (names_read(name, &o) && !o.part && o.p.batch <= b->base->batch)
        checkpoint_lengthen(b->c, &o.p, (uint64_t)size);
    return NULL;
}

static err *count_before(checkpoint *c, const pointer *base) {
    char prefix[OBJECT_NAME_BYTES];
    names_plain(prefix, c->config.name, "state/");
    before_base b = { .c = c, .base = base };
    store *s = c->config.store;
    return s->ops->list(s->handle, prefix, visit_before, &b);
}

/* -- handing out */

typedef struct loading {
    checkpoint *c;
    checkpoint_visit *visit;
    void *arg;
} loading;

static err *visit_link(const loading *l, const chain_link *link) {
    err *e = l->visit(l->arg, &link->p, link->read);
    err *of_parts = image_take_error(link->read);
    if (e || !of_parts) {
        err_free(of_parts);
        return e;
    }
    l->c->no_stand_ins = link->stands_in && of_parts->code == ERR_REFUSED;
    return checkpoint_way_out(of_parts, l->c);
}

static err *load_link(void *arg, const chain_link *link) {
    loading *l = arg;
    err *e = visit_link(l, link);
    if (e) return e;
    size_t len, bytes = image_read_bytes(link->read);
    const char *record = object_record(link->read, &len);
    keeper_object o = { .p = link->p, .parts = link->parts, .bytes = bytes, .is_loaded = true };
    o.record = record;
    o.record_len = len;
    keeper_add(l->c->keeper, &o);
    checkpoint_lengthen(l->c, &link->p, bytes);
    return NULL;
}

err *checkpoint_load(checkpoint *c, const pointer *p, const pointer *base, checkpoint_visit *visit,
                     void *arg) {
    chain ch;
    loading l = { .c = c, .visit = visit, .arg = arg };
    c->chain_length = 0;
    bool again = c->no_stand_ins;
    c->no_stand_ins = false;
    err *e = chain_open_in_parts(c->config.store, c->config.name, p, base, again, &ch);
    if (!e && ch.has_met) e = count_before(c, base);
    if (!e) keeper_look_behind(c->keeper, ch.has_met ? base : &ch.behind);
    e = e ? checkpoint_way_out(e, c) : chain_hand_out(&ch, load_link, &l);
    if (!e) {
        c->current = *p;
        c->has_current = true;
    }
    chain_done(&ch);
    return e;
}

bool checkpoint_can_load_again(const checkpoint *c) {
    return c->no_stand_ins;
}
