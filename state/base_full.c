#include "runtime/base/mem.h"
#include "state/base_inside.h"

/* A full object being made. */
typedef struct full {
    image *m;
    const pointer *at;
    base_give *give;
    void *arg;
} full;

static err *give_early(const full *f) {
    buf bytes;
    uint32_t part;
    err *e = NULL;
    while (!e && image_take_early(f->m, &bytes, &part)) {
        e = f->give(f->arg, f->at, part, &bytes);
        spares_give(image_spares(f->m), &bytes);
    }
    return e;
}

static err *copy_section(void *arg, const image_view *view) {
    full *f = arg;
    buf *to = image_begin(f->m, view->kind, view->name, strlen(view->name));
    buf_put(to, view->bytes, view->len);
    image_end(f->m);
    return give_early(f);
}

/* The parts that are left, the first last. */
static err *give_rest(const full *f) {
    err *e = NULL;
    image_finish(f->m);
    for (uint32_t i = 1; !e && i < image_part_count(f->m); i++)
        if (image_part(f->m, i)->len) e = f->give(f->arg, f->at, i, image_part(f->m, i));
    return e ? e : f->give(f->arg, f->at, 0, image_part(f->m, 0));
}

err *base_make_full(base *b, size_t part_bytes, base_give *give, void *arg) {
    base_scan scan = { 0 };
    spares *memory = spares_new(SIZE_MAX);
    err *e = base_scan_begin(b, &scan);
    if (!e) {
        image_head head = scan.meta.head;
        full f = { .at = &scan.meta.at, .give = give, .arg = arg };
        head.is_full = true;
        f.m = image_new(&head);
        image_use(f.m, memory);
        if (part_bytes) image_cut_at(f.m, part_bytes);
        e = base_scan_all(&scan, NULL, copy_section, &f);
        if (!e) e = give_rest(&f);
        image_free(f.m);
    }
    spares_free(memory);
    err *scanned = base_scan_end(&scan);
    return e ? err_join(e, scanned) : scanned;
}
