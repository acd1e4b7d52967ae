#include "state/history.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "state/bundle.h"
#include "state/names.h"
#include "state/object.h"

/* A record of the chain. */
typedef struct chained {
    pointer p;
    char *text; /* owned */
    size_t len;
} chained;

typedef struct journal_name {
    pointer p;
    int64_t made_ms;
} journal_name;

typedef struct reading {
    store *store;
    const char *pipeline;
    uint64_t from, to; /* batches */
    history_visit *visit;
    void *arg;
    journal_name *journals; /* owned */
    uint32_t journal_count;
    chained *chain; /* newest first; owned */
    uint32_t chain_count;
} reading;

/* -- journals */

static err *visit_journal(void *arg, const char *name, int64_t size, int64_t changed_ms) {
    (void)size;
    reading *r = arg;
    object_name o;
    if (!names_read(name, &o)) return NULL;
    if (!(r->journal_count & (r->journal_count + 1)))
        r->journals =
            mem_realloc(r->journals, (2 * r->journal_count + 2) * sizeof *r->journals);
    r->journals[r->journal_count++] = (journal_name){ .p = o.p, .made_ms = changed_ms };
    return NULL;
}

/* As they were written: after going back, batches have the numbers of others before. */
static int by_making(const void *a, const void *b) {
    const journal_name *x = a, *y = b;
    if (x->made_ms != y->made_ms) return x->made_ms < y->made_ms ? -1 : 1;
    return x->p.batch < y->p.batch ? -1 : x->p.batch > y->p.batch;
}

static err *list_journals(reading *r) {
    char prefix[OBJECT_NAME_BYTES];
    names_plain(prefix, r->pipeline, "journal/");
    err *e = r->store->ops->list(r->store->handle, prefix, visit_journal, r);
    if (r->journal_count) qsort(r->journals, r->journal_count, sizeof *r->journals, by_making);
    return e;
}

static bool is_wanted(const reading *r, const pointer *p) {
    return p->batch > r->from && p->batch <= r->to;
}

static err *show_items(const reading *r, const char *name, const buf *bytes) {
    bundle_reader items;
    bundle_item item;
    bool more = true;
    err *e = bundle_open(&items, name, bytes->data, bytes->len);
    while (!e && (e = bundle_next(&items, &item, &more)) == NULL && more) {
        char text[SL_POINTER_BYTES] = "";
        pointer p;
        if (item.name_len < sizeof text) memcpy(text, item.name, item.name_len);
        if (pointer_read(text, &p) != POINTER_OK || !is_wanted(r, &p)) continue;
        e = r->visit(r->arg, &p, item.bytes, item.len);
    }
    return e;
}

static err *show_journal(const reading *r, const journal_name *j) {
    char name[OBJECT_NAME_BYTES];
    bool missing = false;
    buf bytes;
    buf_init(&bytes);
    names_journal(name, r->pipeline, &j->p);
    err *e = r->store->ops->get(r->store->handle, name, &bytes, &missing);
    if (!e && !missing) e = show_items(r, name, &bytes); /* missing: replaced meanwhile */
    buf_done(&bytes);
    return e;
}

static err *show_journals(reading *r, uint64_t *journaled) {
    err *e = list_journals(r);
    *journaled = 0;
    for (uint32_t i = 0; !e && i < r->journal_count; i++) {
        const pointer *p = &r->journals[i].p;
        *journaled = p->batch;
        if (p->batch > r->from) e = show_journal(r, &r->journals[i]);
    }
    return e;
}

/* -- the chain */

static void keep(reading *r, const pointer *p, image_reader *object) {
    size_t len;
    const char *record = object_record(object, &len);
    if (!len || !is_wanted(r, p)) return;
    if (!(r->chain_count & (r->chain_count + 1)))
        r->chain = mem_realloc(r->chain, (2 * r->chain_count + 2) * sizeof *r->chain);
    r->chain[r->chain_count++] =
        (chained){ .p = *p, .text = mem_copy_text(record, len), .len = len };
}

/* Back from the pointer, as long as objects are there and journals have not said it. */
static err *walk_back(reading *r, const pointer *current, uint64_t journaled) {
    pointer at = *current;
    err *e = NULL;
    while (!e && at.kind != POINTER_GENESIS && at.batch > journaled && at.batch > r->from) {
        image_reader *object = NULL;
        object_parts *later = NULL;
        pointer parent = { .kind = POINTER_GENESIS };
        e = object_open(r->store, r->pipeline, &at, NULL, &object, &later);
        if (e) break;
        keep(r, &at, object);
        if (*image_head_of(object)->parent) e = object_parent(object, r->pipeline, &at, &parent);
        image_reader_free(object);
        object_parts_close(later);
        at = parent;
    }
    if (!e || e->code != ERR_REFUSED) return e;
    err_free(e); /* what lay behind has been removed */
    return NULL;
}

err *history_read(store *s, const char *pipeline, const pointer *current, uint64_t from,
                  uint64_t to, history_visit *visit, void *arg) {
    reading r = { .store = s, .pipeline = pipeline, .visit = visit, .arg = arg };
    uint64_t journaled;
    r.from = from;
    r.to = to < current->batch ? to : current->batch;
    err *e = show_journals(&r, &journaled);
    if (!e) e = walk_back(&r, current, journaled);
    for (uint32_t i = r.chain_count; i > 0; i--) {
        const chained *c = &r.chain[i - 1];
        if (!e) e = visit(arg, &c->p, c->text, c->len);
        mem_free(c->text);
    }
    mem_free(r.chain);
    mem_free(r.journals);
    return e;
}
