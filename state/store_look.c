#include "state/store_look.h"

#include <string.h>

#include "runtime/base/mem.h"

typedef struct kept_object {
    char *name; /* owned */
    buf bytes;
} kept_object;

typedef struct look {
    store on; /* borrowed; ops NULL: nothing */
    store_kept *kept;
} look;

void store_kept_done(store_kept *kept) {
    for (uint32_t i = 0; i < kept->count; i++) {
        mem_free(kept->objects[i].name);
        buf_done(&kept->objects[i].bytes);
    }
    mem_free(kept->objects);
    *kept = (store_kept){ 0 };
}

void store_kept_add(store_kept *kept, const char *name, buf *bytes) {
    kept->objects = mem_realloc(kept->objects, (kept->count + 1) * sizeof *kept->objects);
    kept_object *o = &kept->objects[kept->count++];
    *o = (kept_object){ .name = mem_copy_text(name, strlen(name)), .bytes = *bytes };
    buf_init(bytes);
}

static err *look_put(void *handle, const char *name, const void *bytes, size_t len, int32_t how,
                     bool *exists) {
    (void)how;
    store_kept *kept = ((look *)handle)->kept;
    *exists = false;
    if (!kept || !kept->is_on) return NULL;
    buf copy;
    buf_init(&copy);
    buf_put(&copy, bytes, len);
    store_kept_add(kept, name, &copy);
    return NULL;
}

static err *look_get(void *handle, const char *name, buf *out, bool *missing) {
    const look *l = handle;
    for (uint32_t i = 0; l->kept && i < l->kept->count; i++) {
        const kept_object *o = &l->kept->objects[i];
        if (strcmp(o->name, name) != 0) continue;
        buf_put(out, o->bytes.data, o->bytes.len);
        *missing = false;
        return NULL;
    }
    *missing = true;
    return l->on.ops ? l->on.ops->get(l->on.handle, name, out, missing) : NULL;
}

static err *look_list(void *handle, const char *prefix, store_visit *visit, void *arg) {
    const look *l = handle;
    return l->on.ops ? l->on.ops->list(l->on.handle, prefix, visit, arg) : NULL;
}

static err *look_remove(void *handle, const char *name) {
    (void)handle, (void)name;
    return NULL;
}

static void look_close(void *handle) { mem_free(handle); }

static const store_ops look_ops = {
    .scheme = "look",
    .put = look_put,
    .get = look_get,
    .list = look_list,
    .remove = look_remove,
    .close = look_close,
};

store store_look_at(const store *on, store_kept *kept) {
    look *l = mem_alloc(sizeof *l);
    *l = (look){ .kept = kept };
    if (on) l->on = *on;
    const char *url = on ? on->url : "memory";
    return (store){ .ops = &look_ops, .handle = l, .url = mem_copy_text(url, strlen(url)) };
}

void store_look_forget(store *s) {
    look *l = s->handle;
    l->on = (store){ 0 };
    l->kept = NULL;
}
