#include "state/object.h"

#include <inttypes.h>
#include <string.h>

#include "runtime/base/crash.h"
#include "runtime/base/mem.h"
#include "state/names.h"

static err *get_part(store *s, const char *name, buf *bytes) {
    bool missing = false;
    buf_init(bytes);
    err *e = s->ops->get(s->handle, name, bytes, &missing);
    if (!e && missing) e = err_new(ERR_REFUSED, "%s is missing in %s", name, s->url);
    if (e) buf_done(bytes);
    return e;
}

/* A part that may be on its way already. */
static err *take_part(store *s, const char *pipeline, const pointer *p, uint32_t part,
                      prefetch *ahead, buf *bytes) {
    char name[OBJECT_NAME_BYTES];
    bool missing = false;
    err *e = NULL;
    names_state(name, pipeline, p, part);
    buf_init(bytes);
    if (!ahead || !prefetch_take(ahead, p, part, bytes, &missing, &e))
        return get_part(s, name, bytes);
    if (!e && missing) e = err_new(ERR_REFUSED, "%s is missing in %s", name, s->url);
    if (e) buf_done(bytes);
    return e;
}

static err *check_head(const char *name, const pointer *p, const image_head *head) {
    if (head->batch != p->batch)
        return err_new(ERR_REFUSED,
                       "%s holds the state before batch %" PRIu64 ", wanted that before %" PRIu64,
                       name, head->batch, p->batch);
    if (head->is_full != (p->kind == POINTER_FULL))
        return err_new(ERR_REFUSED, "%s holds %s, its name says otherwise", name,
                       head->is_full ? "a whole state" : "changes of one batch");
    return NULL;
}

struct object_parts {
    store *store;   /* borrowed */
    char *pipeline; /* owned */
    pointer p;
    uint32_t total;
    prefetch *ahead; /* owned; NULL: they are not expected */
};

static err *get_later(void *arg, uint32_t part, buf *bytes) {
    const object_parts *o = arg;
    return take_part(o->store, o->pipeline, &o->p, part, o->ahead, bytes);
}

err *object_open(store *s, const char *pipeline, const pointer *p, prefetch *ahead,
                 image_reader **out, object_parts **later) {
    char name[OBJECT_NAME_BYTES];
    buf first;
    image_reader *r = NULL;
    names_state(name, pipeline, p, 0);
    *out = NULL;
    *later = NULL;
    err *e = take_part(s, pipeline, p, 0, ahead, &first);
    if (!e) e = image_open(name, &first, &r);
    if (!e) e = check_head(name, p, image_head_of(r));
    if (e) {
        image_reader_free(r);
        return e;
    }
    *out = r;
    if (image_part_total(r) < 2) return NULL;
    *later = mem_zalloc(1, sizeof **later);
    **later = (object_parts){ .store = s, .p = *p, .total = image_part_total(r) };
    (*later)->pipeline = mem_copy_text(pipeline, strlen(pipeline));
    image_read_from(r, get_later, *later);
    return NULL;
}

void object_expect(object_parts *later) {
    if (!later || later->ahead) return;
    later->ahead = prefetch_parts(later->store, later->pipeline, &later->p, later->total);
}

void object_parts_close(object_parts *later) {
    if (!later) return;
    prefetch_free(later->ahead);
    mem_free(later->pipeline);
    mem_free(later);
}

err *object_read(store *s, const char *pipeline, const pointer *p, prefetch *ahead,
                 image_reader **r, size_t *bytes) {
    object_parts *later;
    err *e = object_open(s, pipeline, p, ahead, r, &later);
    if (e) return e;
    e = image_hold(*r) ? NULL : image_take_error(*r);
    image_read_from(*r, NULL, NULL);
    object_parts_close(later);
    *bytes = image_read_bytes(*r);
    if (!e) return NULL;
    image_reader_free(*r);
    *r = NULL;
    return e;
}

err *object_parent(const image_reader *r, const char *pipeline, const pointer *p,
                   pointer *parent) {
    char name[OBJECT_NAME_BYTES];
    names_state(name, pipeline, p, 0);
    const char *text = image_head_of(r)->parent;
    if (pointer_read(text, parent) != POINTER_OK)
        return err_new(ERR_REFUSED, "%s names as its parent \"%s\", which is no pointer", name,
                       text);
    if (parent->batch + 1 != p->batch)
        return err_new(ERR_REFUSED,
                       "%s follows the state before batch %" PRIu64 " (\"%s\"), wanted %" PRIu64,
                       name, parent->batch, text, p->batch - 1);
    return NULL;
}

const char *object_record(image_reader *r, size_t *len) {
    image_view view;
    const char *record = NULL;
    *len = 0;
    image_rewind(r);
    while (!record && image_next_here(r, &view)) {
        if (view.kind != IMAGE_RECORD) continue;
        record = view.bytes;
        *len = view.len;
    }
    image_rewind(r);
    return record;
}

err *object_write(store *s, const char *pipeline, const pointer *p, image *m) {
    err *e = NULL;
    for (uint32_t left = image_part_count(m); !e && left > 0; left--) {
        char name[OBJECT_NAME_BYTES];
        bool exists = false;
        names_state(name, pipeline, p, left - 1);
        const buf *part = image_part(m, left - 1);
        e = s->ops->put(s->handle, name, part->data, part->len, STORE_NEW, &exists);
        if (!e && exists) e = err_new(ERR_IO, "%s is in %s already", name, s->url);
        if (e && exists) e->retriable = true; /* under another name */
        crash_point(left > 1 ? "part_written" : "object_written");
    }
    return e;
}

err *object_remove(store *s, const char *pipeline, const pointer *p, uint32_t parts) {
    err *e = NULL;
    for (uint32_t i = 0; !e && i < parts; i++) {
        char name[OBJECT_NAME_BYTES];
        names_state(name, pipeline, p, i);
        e = s->ops->remove(s->handle, name);
    }
    return e;
}
