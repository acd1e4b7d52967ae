#include "state/survey.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "state/names.h"

/* -- listing */

static survey_object *object_of(survey *v, const object_name *o) {
    survey_object *last = v->count ? &v->objects[v->count - 1] : NULL;
    if (last && last->p.kind == o->p.kind && !strcmp(last->p.id, o->p.id)) return last;
    v->objects = mem_realloc(v->objects, (v->count + 1) * sizeof *v->objects);
    last = &v->objects[v->count++];
    *last = (survey_object){ .p = o->p };
    return last;
}

static err *visit_object(void *arg, const char *name, int64_t size, int64_t changed_ms) {
    object_name o;
    if (!names_read(name, &o)) return NULL;
    survey_object *object = object_of(arg, &o);
    object->parts++;
    object->bytes += size;
    object->has_first |= o.part == 0;
    if (changed_ms > object->changed_ms) object->changed_ms = changed_ms;
    return NULL;
}

static err *visit_folder(void *arg, const char *name, int64_t size, int64_t changed_ms) {
    (void)name, (void)changed_ms;
    survey_folder *f = arg;
    f->count++;
    f->bytes += size;
    return NULL;
}

static err *visit_journal(void *arg, const char *name, int64_t size, int64_t changed_ms) {
    survey *v = arg;
    object_name o;
    if (names_read(name, &o) && o.p.batch > v->journaled) v->journaled = o.p.batch;
    return visit_folder(&v->journals, name, size, changed_ms);
}

static int by_batch(const void *a, const void *b) {
    const survey_object *x = a, *y = b;
    if (x->p.batch != y->p.batch) return x->p.batch < y->p.batch ? -1 : 1;
    int order = strcmp(x->p.id, y->p.id);
    return order ? order : (int)x->p.kind - (int)y->p.kind;
}

static err *list(store *s, const char *pipeline, const char *folder, store_visit *visit,
                 void *arg) {
    char prefix[OBJECT_NAME_BYTES];
    names_plain(prefix, pipeline, folder);
    return s->ops->list(s->handle, prefix, visit, arg);
}

static err *get(store *s, const char *pipeline, const char *plain, buf *bytes, bool *missing) {
    char name[OBJECT_NAME_BYTES];
    names_plain(name, pipeline, plain);
    buf_init(bytes);
    return s->ops->get(s->handle, name, bytes, missing);
}

static err *read_head(store *s, const char *pipeline, survey *v) {
    buf bytes;
    bool missing = false;
    err *e = get(s, pipeline, "head", &bytes, &missing);
    if (!e && !missing) {
        err *damage = note_read("head", &bytes, &v->head);
        v->has_head = !damage;
        err_free(damage);
    }
    buf_done(&bytes);
    return e;
}

static err *read_id(store *s, const char *pipeline, survey *v) {
    buf bytes;
    bool missing = false;
    err *e = get(s, pipeline, "store", &bytes, &missing);
    if (!e && !missing && bytes.len == sizeof v->store_id - 1)
        memcpy(v->store_id, bytes.data, bytes.len);
    buf_done(&bytes);
    return e;
}

err *survey_open(store *s, const char *pipeline, survey *v) {
    *v = (survey){ 0 };
    err *e = list(s, pipeline, "state/", visit_object, v);
    if (v->count) qsort(v->objects, v->count, sizeof *v->objects, by_batch);
    if (!e) e = list(s, pipeline, "plan/", visit_folder, &v->plans);
    if (!e) e = list(s, pipeline, "journal/", visit_journal, v);
    if (!e) e = list(s, pipeline, "script/", visit_folder, &v->scripts);
    if (!e) e = list(s, pipeline, "commit/", visit_folder, &v->commits);
    if (!e) e = read_head(s, pipeline, v);
    if (!e) e = read_id(s, pipeline, v);
    if (e) survey_done(v);
    return e;
}

void survey_done(survey *v) {
    mem_free(v->objects);
    if (v->has_head) note_done(&v->head);
    *v = (survey){ 0 };
}

/* -- roles */

static bool is_on(const chain *ch, const survey_object *o) {
    for (uint32_t i = 0; i < ch->count; i++)
        if (ch->links[i].p.kind == o->p.kind && !strcmp(ch->links[i].p.id, o->p.id)) return true;
    return false;
}

void survey_mark(survey *v, const chain *ch, const pointer *p) {
    uint64_t start = ch->count ? ch->links[ch->count - 1].p.batch : p->batch;
    for (uint32_t i = 0; i < v->count; i++) {
        survey_object *o = &v->objects[i];
        bool is_stood_for = o->p.batch == start && o->p.kind == POINTER_DELTA;
        if (!strcmp(o->p.id, p->id) && o->p.kind == p->kind)
            o->role = SURVEY_CURRENT;
        else if (is_on(ch, o))
            o->role = SURVEY_CHAIN;
        else if (o->p.batch < start || (is_stood_for && !strcmp(o->p.id, ch->behind.id)))
            o->role = SURVEY_OLDER;
        else
            o->role = SURVEY_ORPHAN;
    }
}

const survey_object *survey_find(const survey *v, uint64_t batch, const char *id, uint32_t *at) {
    for (; *at < v->count; ++*at) {
        const survey_object *o = &v->objects[*at];
        if (o->p.batch == batch && o->has_first && !strncmp(o->p.id, id, strlen(id)))
            return &v->objects[(*at)++];
    }
    return NULL;
}

err *survey_remove(store *s, const char *pipeline, const survey_object *o) {
    /* parts that were numbered beyond those that are there do no harm to remove */
    return object_remove(s, pipeline, &o->p, o->parts + (o->has_first ? 0 : 1));
}
