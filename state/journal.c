#include "state/journal.h"

#include <string.h>

#include "runtime/base/mem.h"
#include "state/names.h"

enum {
    DUE_RECORDS = 64,
    DUE_BYTES = 64 << 10,
    SEGMENT_BYTES = 1 << 20,
};

void journal_init(journal *j) {
    *j = (journal){ 0 };
    buf_init(&j->segment);
}

static void drop_pending(journal *j) {
    for (uint32_t i = 0; i < j->pending_count; i++) mem_free(j->pending[i].text);
    j->pending_count = 0;
    j->pending_bytes = 0;
}

void journal_done(journal *j) {
    drop_pending(j);
    mem_free(j->pending);
    buf_done(&j->segment);
}

/* The sums of the items that are there, as bundle_put goes on with them. */
static err *take_segment(journal *j, const char *name, buf *bytes) {
    bundle_reader r;
    bundle_item item;
    bool more = true;
    err *e = bundle_open(&r, name, bytes->data, bytes->len);
    while (!e && more) e = bundle_next(&r, &item, &more);
    if (e) return e;
    j->sums = r.sums;
    buf_reset(&j->segment);
    buf_put(&j->segment, bytes->data, bytes->len - BUNDLE_END_BYTES);
    return NULL;
}

err *journal_resume(journal *j, store *s, const char *pipeline, const pointer *newest,
                    uint64_t current) {
    char name[OBJECT_NAME_BYTES];
    names_journal(name, pipeline, newest);
    buf bytes;
    bool missing = false;
    buf_init(&bytes);
    err *e = s->ops->get(s->handle, name, &bytes, &missing);
    if (!e && !missing) {
        err *damage = take_segment(j, name, &bytes);
        j->has_stored = !damage;
        j->stored = *newest;
        err_free(damage);
        if (bytes.len >= SEGMENT_BYTES) buf_reset(&j->segment);
        j->covered = newest->batch < current ? newest->batch : current;
    }
    buf_done(&bytes);
    return e;
}

void journal_add(journal *j, const pointer *p, const char *text, size_t len) {
    if (j->pending_count == j->pending_room) {
        j->pending_room = j->pending_room ? 2 * j->pending_room : 64;
        j->pending = mem_realloc(j->pending, j->pending_room * sizeof *j->pending);
    }
    uint32_t at = j->pending_count;
    while (at > 0 && j->pending[at - 1].p.batch > p->batch) at--;
    memmove(j->pending + at + 1, j->pending + at, (j->pending_count - at) * sizeof *j->pending);
    j->pending[at] = (journal_record){ .p = *p, .len = len };
    j->pending[at].text = mem_copy_text(len ? text : "", len);
    j->pending_count++;
    j->pending_bytes += len;
}

bool journal_is_due(const journal *j) {
    return j->pending_count >= DUE_RECORDS || j->pending_bytes >= DUE_BYTES;
}

static void append(journal *j) {
    if (!j->segment.len) {
        bundle_begin(&j->segment, &j->sums);
        j->has_stored = false;
    }
    for (uint32_t i = 0; i < j->pending_count; i++) {
        const journal_record *r = &j->pending[i];
        char text[SL_POINTER_BYTES];
        pointer_write(&r->p, text);
        bundle_put(&j->segment, &j->sums, text, r->text, r->len);
    }
}

err *journal_store(journal *j, store *s, const char *pipeline, pointer *replaced,
                   bool *has_replaced) {
    *has_replaced = false;
    if (!j->pending_count) return NULL;
    size_t before = j->segment.len;
    bundle_sums sums_before = j->sums;
    append(j);
    pointer end = j->pending[j->pending_count - 1].p;
    char name[OBJECT_NAME_BYTES];
    names_journal(name, pipeline, &end);
    size_t len = j->segment.len;
    bundle_end(&j->segment, &j->sums);
    bool exists;
    err *e = s->ops->put(s->handle, name, j->segment.data, j->segment.len, STORE_NEW, &exists);
    j->segment.len = e ? before : len;
    if (e) {
        j->sums = sums_before;
        return e;
    }
    *has_replaced = j->has_stored;
    *replaced = j->stored;
    j->stored = end;
    j->has_stored = true;
    j->covered = end.batch;
    drop_pending(j);
    if (len >= SEGMENT_BYTES) buf_reset(&j->segment);
    return NULL;
}
