#include "state/chain.h"

#include <string.h>

#include "runtime/base/mem.h"
#include "state/names.h"

enum { HELD_BYTES = 256 << 20 };

static void push_link(chain *ch, const chain_link *link) {
    ch->links = mem_realloc(ch->links, (ch->count + 1) * sizeof *ch->links);
    ch->links[ch->count++] = *link;
}

static err *read_link(const chain *ch, chain_link *link) {
    if (!ch->in_parts)
        return object_read(ch->store, ch->pipeline, &link->p, ch->ahead, &link->read, &link->bytes);
    err *e = object_open(ch->store, ch->pipeline, &link->p, ch->ahead, &link->read, &link->later);
    if (!e) link->bytes = image_read_bytes(link->read);
    return e;
}

static void close_link(chain_link *link) {
    image_reader_free(link->read);
    object_parts_close(link->later);
    link->read = NULL;
    link->later = NULL;
}

static err *add_link(chain *ch, const pointer *p) {
    chain_link link = { .p = *p };
    err *e = read_link(ch, &link);
    if (e) return e;
    link.parts = image_part_total(link.read);
    push_link(ch, &link);
    ch->behind = (pointer){ .kind = POINTER_GENESIS };
    if (p->kind == POINTER_FULL && !image_head_of(link.read)->parent[0]) return NULL;
    return object_parent(link.read, ch->pipeline, p, &ch->behind);
}

/* -- one list: of full objects that the base made, named as the delta of their batch but .full; and
 * to guess what will be read */

enum { REMOTE_MS = 20 }; /* a store that takes so long is asked for several objects at once */

typedef struct listing {
    chain *ch;
    uint64_t most; /* batch */
} listing;

static err *visit_object(void *arg, const char *name, int64_t size, int64_t changed_ms) {
    (void)size, (void)changed_ms;
    listing *l = arg;
    chain *ch = l->ch;
    object_name o;
    if (!names_read(name, &o) || o.part || o.p.batch > l->most) return NULL;
    if (!(ch->listed_count & (ch->listed_count + 1)))
        ch->listed = mem_realloc(ch->listed, (2 * ch->listed_count + 2) * sizeof *ch->listed);
    ch->listed[ch->listed_count++] = o.p;
    return NULL;
}

/* From the pointer's batch back to the newest full object. */
static void look_ahead(chain *ch) {
    if (store_cost_of(ch->store->url).put_ms < REMOTE_MS) return;
    pointer *items = mem_alloc((ch->listed_count + 1) * sizeof *items);
    uint32_t count = 0;
    for (uint32_t i = ch->listed_count; i > 0; i--) {
        items[count++] = ch->listed[i - 1];
        if (items[count - 1].kind == POINTER_FULL) break;
    }
    ch->ahead = prefetch_new(ch->store, ch->pipeline, items, count);
    mem_free(items);
}

static err *list_objects(chain *ch, const pointer *p) {
    char prefix[OBJECT_NAME_BYTES];
    names_plain(prefix, ch->pipeline, "state/");
    store *s = ch->store;
    err *e = s->ops->list(s->handle, prefix, visit_object, &(listing){ ch, p->batch });
    if (!e) look_ahead(ch);
    return e;
}

static bool is_same(const pointer *a, const pointer *b) {
    return a->batch == b->batch && !strcmp(a->id, b->id);
}

/* Whether there is one for `p` that is whole. One that is not is as none: the deltas are there. */
static err *add_stand_in(chain *ch, const pointer *p, bool *added) {
    *added = false;
    bool found = false;
    for (uint32_t i = 0; i < ch->listed_count && !found; i++)
        found = ch->listed[i].kind == POINTER_FULL && is_same(&ch->listed[i], p);
    if (!found || ch->no_stand_ins) return NULL;
    chain_link link = { .p = *p, .stands_in = true };
    link.p.kind = POINTER_FULL;
    err *e = read_link(ch, &link);
    if (e && e->code != ERR_REFUSED) return e;
    *added = !e;
    err_free(e);
    if (!*added) return NULL;
    link.parts = image_part_total(link.read);
    push_link(ch, &link);
    ch->behind = *p;
    return NULL;
}

/* Keep the oldest, which are needed first: the one just read is older than all before. */
static void hold(chain *ch) {
    ch->held_bytes += ch->links[ch->count - 1].bytes;
    for (uint32_t i = 0; i + 1 < ch->count && ch->held_bytes > HELD_BYTES; i++) {
        if (!ch->links[i].read) continue;
        ch->held_bytes -= ch->links[i].bytes;
        close_link(&ch->links[i]);
    }
}

static err *walk_back(chain *ch, const pointer *p, const pointer *base) {
    pointer at = *p;
    err *e = p->kind == POINTER_DELTA ? list_objects(ch, p) : NULL;
    bool is_full = false;
    while (!e && !is_full && at.kind != POINTER_GENESIS) {
        ch->has_met = base && is_same(&at, base);
        if (ch->has_met) break;
        e = at.kind == POINTER_DELTA ? add_stand_in(ch, &at, &is_full) : NULL;
        if (!e && !is_full) {
            e = add_link(ch, &at);
            is_full = at.kind == POINTER_FULL;
        }
        if (e) break;
        hold(ch);
        at = ch->behind;
    }
    return e;
}

static err *open_chain(chain *ch, const pointer *p, const pointer *base) {
    ch->behind = (pointer){ .kind = POINTER_GENESIS };
    err *e = walk_back(ch, p, base);
    prefetch_free(ch->ahead);
    ch->ahead = NULL;
    return e;
}

err *chain_open(store *s, const char *pipeline, const pointer *p, const pointer *base, chain *ch) {
    *ch = (chain){ .store = s, .pipeline = pipeline };
    return open_chain(ch, p, base);
}

err *chain_open_in_parts(store *s, const char *pipeline, const pointer *p, const pointer *base,
                         bool no_stand_ins, chain *ch) {
    *ch = (chain){ .store = s, .pipeline = pipeline, .in_parts = true };
    ch->no_stand_ins = no_stand_ins;
    return open_chain(ch, p, base);
}

err *chain_hand_out(chain *ch, chain_visit *visit, void *arg) {
    err *e = NULL;
    for (uint32_t i = ch->count; !e && i > 0; i--) {
        chain_link *link = &ch->links[i - 1];
        if (!link->read) e = read_link(ch, link);
        if (e) break;
        object_expect(link->later);
        e = visit(arg, link);
        close_link(link);
    }
    return e;
}

void chain_done(chain *ch) {
    for (uint32_t i = 0; i < ch->count; i++) close_link(&ch->links[i]);
    mem_free(ch->links);
    mem_free(ch->listed);
    *ch = (chain){ 0 };
}
