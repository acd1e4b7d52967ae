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

/* The first part, which may be on its way already. */
static err *get_first(store *s, const char *name, const pointer *p, prefetch *ahead, buf *bytes) {
    bool missing = false;
    err *e = NULL;
    buf_init(bytes);
    if (!ahead || !prefetch_take(ahead, p, bytes, &missing, &e)) return get_part(s, name, bytes);
    if (!e && missing) e = err_new(ERR_REFUSED, "%s is missing in %s", name, s->url);
    if (e) buf_done(bytes);
    return e;
}

static err *read_parts(store *s, const char *pipeline, const pointer *p, image_reader *r,
                       size_t *bytes) {
    err *e = NULL;
    for (uint32_t i = 1; !e && i < image_part_total(r); i++) {
        char name[OBJECT_NAME_BYTES];
        buf part;
        names_state(name, pipeline, p, i);
        e = get_part(s, name, &part);
        if (e) break;
        *bytes += part.len;
        e = image_add_part(r, &part);
    }
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

err *object_read(store *s, const char *pipeline, const pointer *p, prefetch *ahead,
                 image_reader **out, size_t *bytes) {
    char name[OBJECT_NAME_BYTES];
    buf first;
    names_state(name, pipeline, p, 0);
    *out = NULL;
    err *e = get_first(s, name, p, ahead, &first);
    if (e) return e;
    *bytes = first.len;
    image_reader *r = NULL;
    e = image_open(name, &first, &r);
    if (!e) e = check_head(name, p, image_head_of(r));
    if (!e) e = read_parts(s, pipeline, p, r, bytes);
    if (e)
        image_reader_free(r);
    else
        *out = r;
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
    while (!record && image_next(r, &view)) {
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
