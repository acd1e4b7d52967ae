#include "state/rechain.h"

#include <string.h>

err *rechain_add(rechain *r, image_reader *object, const pointer *p) {
    char parent[SL_POINTER_BYTES] = "";
    if (r->has_last) pointer_write(&r->last, parent);
    image_head head = *image_head_of(object);
    bool is_same = !strcmp(head.pipeline, r->pipeline);
    head.parent = r->has_last ? parent : "";
    head.pipeline = r->pipeline;
    image *m = image_new(&head);
    image_view view;
    image_rewind(object);
    while (image_next(object, &view)) {
        if (view.kind == IMAGE_SINK && !is_same) continue;
        buf_put(image_begin(m, view.kind, view.name, strlen(view.name)), view.bytes, view.len);
        image_end(m);
    }
    image_finish(m);
    r->last = pointer_new(p->kind, p->batch, p->partitions);
    r->has_last = true;
    err *e = object_write(r->store, r->pipeline, &r->last, m);
    image_free(m);
    return e;
}
