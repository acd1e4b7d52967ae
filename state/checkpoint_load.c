/* Loading goes backwards, since each object names its parent alone, and is handed out oldest
 * first. What is read stays in memory up to HELD_BYTES; of a longer chain the newest objects are
 * read twice. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "runtime/base/mem.h"
#include "state/checkpoint_inside.h"
#include "state/names.h"
#include "state/object.h"

enum { HELD_BYTES = 256 << 20 };

typedef struct chain_link {
    pointer p;
    image_reader *r; /* owned; NULL: to be read again */
    size_t bytes;
    uint32_t parts;
} chain_link;

typedef struct chain {
    chain_link *links; /* newest first; owned */
    uint32_t count;
    size_t held_bytes;
    pointer *stand_ins; /* full objects beside deltas; owned */
    uint32_t stand_in_count;
    bool met;       /* the base was reached: nothing before it was looked at */
    pointer behind; /* what the oldest one follows; batch 0 and a genesis: nothing */
} chain;

err *checkpoint_way_out(err *e, const checkpoint *c) {
    if (!e || e->code != ERR_REFUSED) return e;
    err *told = err_new(ERR_REFUSED,
                        "the state of '%s' cannot be loaded: %s. If the pipeline ran with another "
                        "folder or bucket than %s, give that one. `sluice checkpoint verify SCRIPT` "
                        "shows what is whole here; `sluice checkpoint recover SCRIPT` goes back to "
                        "the newest state that is",
                        c->config.name, e->message, c->config.store->url);
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
        if (c->config.stop && *c->config.stop)
            return err_new(ERR_STOPPED, "asked to stop while the store was waited for");
        nanosleep(&slice, NULL);
    }
    return NULL;
}

static void chain_done(chain *ch) {
    for (uint32_t i = 0; i < ch->count; i++) image_reader_free(ch->links[i].r);
    mem_free(ch->links);
    mem_free(ch->stand_ins);
}

static void push_link(chain *ch, const chain_link *link) {
    ch->links = mem_realloc(ch->links, (ch->count + 1) * sizeof *ch->links);
    ch->links[ch->count++] = *link;
}

static err *add_link(checkpoint *c, chain *ch, const pointer *p) {
    chain_link link = { .p = *p };
    err *e = object_read(c->config.store, c->config.name, p, &link.r, &link.bytes);
    if (e) return e;
    link.parts = image_part_total(link.r);
    push_link(ch, &link);
    ch->behind = (pointer){ .kind = POINTER_GENESIS };
    if (p->kind == POINTER_FULL && !image_head_of(link.r)->parent[0]) return NULL;
    return object_parent(link.r, c->config.name, p, &ch->behind);
}

/* -- full objects that the base made: named as the delta of their batch, but .full */

static err *visit_full(void *arg, const char *name, int64_t size, int64_t changed_ms) {
    (void)size, (void)changed_ms;
    chain *ch = arg;
    object_name o;
    if (!names_read(name, &o) || o.p.kind != POINTER_FULL || o.part) return NULL;
    ch->stand_ins = mem_realloc(ch->stand_ins, (ch->stand_in_count + 1) * sizeof *ch->stand_ins);
    ch->stand_ins[ch->stand_in_count++] = o.p;
    return NULL;
}

static err *list_fulls(checkpoint *c, chain *ch) {
    char prefix[OBJECT_NAME_BYTES];
    names_plain(prefix, c->config.name, "state/");
    store *s = c->config.store;
    return s->ops->list(s->handle, prefix, visit_full, ch);
}

static bool is_same(const pointer *a, const pointer *b) {
    return a->batch == b->batch && !strcmp(a->id, b->id);
}

/* Whether there is one for `p` that is whole. One that is not is as none: the deltas are there. */
static err *add_stand_in(checkpoint *c, chain *ch, const pointer *p, bool *added) {
    *added = false;
    bool found = false;
    for (uint32_t i = 0; i < ch->stand_in_count && !found; i++)
        found = is_same(&ch->stand_ins[i], p);
    if (!found) return NULL;
    chain_link link = { .p = *p };
    link.p.kind = POINTER_FULL;
    err *e = object_read(c->config.store, c->config.name, &link.p, &link.r, &link.bytes);
    if (e && e->code != ERR_REFUSED) return e;
    *added = !e;
    err_free(e);
    if (!*added) return NULL;
    link.parts = image_part_total(link.r);
    push_link(ch, &link);
    ch->behind = *p;
    return NULL;
}

/* Keep the oldest, which are needed first: the one just read is older than all before. */
static void hold(chain *ch) {
    ch->held_bytes += ch->links[ch->count - 1].bytes;
    for (uint32_t i = 0; i + 1 < ch->count && ch->held_bytes > HELD_BYTES; i++) {
        if (!ch->links[i].r) continue;
        ch->held_bytes -= ch->links[i].bytes;
        image_reader_free(ch->links[i].r);
        ch->links[i].r = NULL;
    }
}

static err *walk_back(checkpoint *c, const pointer *p, const pointer *base, chain *ch) {
    pointer at = *p;
    err *e = p->kind == POINTER_DELTA ? list_fulls(c, ch) : NULL;
    bool is_full = false;
    while (!e && !is_full && at.kind != POINTER_GENESIS) {
        ch->met = base && is_same(&at, base);
        if (ch->met) break;
        e = at.kind == POINTER_DELTA ? add_stand_in(c, ch, &at, &is_full) : NULL;
        if (!e && !is_full) {
            e = add_link(c, ch, &at);
            is_full = at.kind == POINTER_FULL;
        }
        if (e) break;
        hold(ch);
        at = ch->behind;
    }
    return e;
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

static void account(checkpoint *c, const chain_link *link) {
    size_t len;
    const char *record = object_record(link->r, &len);
    keeper_object o = { .p = link->p, .parts = link->parts, .bytes = link->bytes };
    o.record = record;
    o.record_len = len;
    keeper_add(c->keeper, &o);
    checkpoint_lengthen(c, &link->p, link->bytes);
}

static err *hand_out(checkpoint *c, chain *ch, checkpoint_visit *visit, void *arg) {
    err *e = NULL;
    for (uint32_t i = ch->count; !e && i > 0; i--) {
        chain_link *link = &ch->links[i - 1];
        size_t bytes;
        if (!link->r) e = object_read(c->config.store, c->config.name, &link->p, &link->r, &bytes);
        if (e) break;
        account(c, link);
        e = visit(arg, link->r);
        image_reader_free(link->r);
        link->r = NULL;
    }
    return e;
}

err *checkpoint_load(checkpoint *c, const pointer *p, const pointer *base, checkpoint_visit *visit,
                     void *arg) {
    chain ch = { 0 };
    c->chain_length = 0;
    err *e = walk_back(c, p, base, &ch);
    if (!e && ch.met) e = count_before(c, base);
    if (!e) keeper_look_behind(c->keeper, ch.met ? base : &ch.behind);
    if (!e) e = hand_out(c, &ch, visit, arg);
    if (!e) {
        c->current = *p;
        c->has_current = true;
    }
    chain_done(&ch);
    return checkpoint_way_out(e, c);
}
