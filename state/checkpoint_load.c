/* Loading goes backwards, since each object names its parent alone, and is handed out oldest first.
 * What is read stays in memory up to HELD_BYTES; of a longer chain the newest objects are read
 * twice. */
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
}

static err *add_link(checkpoint *c, chain *ch, const pointer *p) {
    chain_link link = { .p = *p };
    err *e = object_read(c->config.store, c->config.name, p, &link.r, &link.bytes);
    if (e) return e;
    link.parts = image_part_total(link.r);
    bool has_parent = image_head_of(link.r)->parent[0] != '\0';
    if (p->kind == POINTER_DELTA || has_parent)
        e = object_parent(link.r, c->config.name, p, &ch->behind);
    else
        ch->behind = (pointer){ .kind = POINTER_GENESIS };
    ch->links = mem_realloc(ch->links, (ch->count + 1) * sizeof *ch->links);
    ch->links[ch->count++] = link;
    return e;
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

static bool is_same(const pointer *a, const pointer *b) {
    return a->batch == b->batch && !strcmp(a->id, b->id);
}

static err *walk_back(checkpoint *c, const pointer *p, const pointer *base, chain *ch) {
    pointer at = *p;
    err *e = NULL;
    while (!e && at.kind != POINTER_GENESIS) {
        ch->met = base && is_same(&at, base);
        if (ch->met) break;
        e = add_link(c, ch, &at);
        if (e) break;
        hold(ch);
        if (at.kind == POINTER_FULL) break;
        at = ch->behind;
    }
    return e;
}

/* -- how long the chain is that begins before a base: told by names alone, for wants_full */

typedef struct before_base {
    const pointer *base;
    uint32_t count;
    uint64_t bytes, full_bytes;
} before_base;

static err *visit_before(void *arg, const char *name, int64_t size, int64_t changed_ms) {
    (void)changed_ms;
    before_base *b = arg;
    object_name o;
    if (!names_read(name, &o) || o.p.batch > b->base->batch) return NULL;
    if (o.p.kind == POINTER_FULL) {
        if (!o.part) *b = (before_base){ .base = b->base, .count = 1 };
        b->full_bytes += (uint64_t)size;
    } else if (!o.part) {
        b->count++;
    }
    b->bytes += (uint64_t)size;
    return NULL;
}

static err *count_before(checkpoint *c, const pointer *base) {
    char prefix[OBJECT_NAME_BYTES];
    names_plain(prefix, c->config.name, "state/");
    before_base b = { .base = base };
    store *s = c->config.store;
    err *e = s->ops->list(s->handle, prefix, visit_before, &b);
    c->chain_length = b.count;
    c->chain_bytes = b.bytes;
    c->full_bytes = b.full_bytes;
    return e;
}

/* -- handing out */

static void account(checkpoint *c, const chain_link *link) {
    size_t len;
    const char *record = object_record(link->r, &len);
    keeper_add(c->keeper, &(keeper_object){ .p = link->p, .parts = link->parts, .bytes = link->bytes, .record = record, .record_len = len });
    if (link->p.kind == POINTER_FULL)
        c->full_bytes = link->bytes;
    else
        c->delta_bytes = link->bytes;
    c->chain_length++;
    c->chain_bytes += link->bytes;
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
    c->chain_bytes = c->full_bytes = 0;
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
