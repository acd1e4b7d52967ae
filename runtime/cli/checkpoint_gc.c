/* `sluice checkpoint gc`: what no pointer reaches goes, without waiting for the pipeline to do it.
 * */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/cli/checkpoint_target.h"
#include "runtime/cli/columns.h"
#include "runtime/cli/commands.h"

typedef struct removal {
    uint64_t count;
    int64_t bytes;
} removal;

/* Full objects before the chain are what an older batch is replayed from: the pipeline thins them
 * out by `history`. Deltas whose records are in no journal yet wait for it. */
static bool may_go(const survey *v, const survey_object *o) {
    if (o->role == SURVEY_ORPHAN) return true;
    bool is_delta = o->p.kind == POINTER_DELTA && o->p.batch <= v->journaled;
    return o->role == SURVEY_OLDER && (is_delta || !o->has_first);
}

static void put_object(buf *out, bool as_json, const survey_object *o, uint64_t before) {
    char name[96];
    pointer_object(&o->p, name);
    if (as_json) {
        buf_put_text(out, before ? "," : "");
        buf_put_char(out, '"');
        buf_put_text(out, name);
        buf_put_char(out, '"');
    } else {
        buf_printf(out, "  %s  %s\n", name, show_role(o->role));
    }
}

static err *collect(const args *a, const stored *s, const survey *v, buf *out, removal *all) {
    err *e = NULL;
    store its_store = s->store;
    for (uint32_t i = 0; !e && i < v->count; i++) {
        const survey_object *o = &v->objects[i];
        if (!may_go(v, o)) continue;
        if (a->force) e = survey_remove(&its_store, s->name, o);
        if (e) break;
        put_object(out, a->json, o, all->count);
        all->count++;
        all->bytes += o->bytes;
    }
    return e;
}

static err *run(const args *a, stored *s, survey *v, target *now) {
    err *e = stored_need_pointer(s);
    if (!e) e = target_open(s, &s->pointer, now);
    if (e) return err_wrap(e, "nothing is removed while the state is not whole");
    if (a->force) e = stored_refuse_running(s);
    if (e) return e;
    survey_mark(v, &now->chain, &s->pointer);
    buf out;
    removal all = { 0 };
    buf_init(&out);
    if (a->json) buf_printf(&out, "{\"pipeline\":\"%s\",\"objects\":[", s->name);
    e = collect(a, s, v, &out, &all);
    if (a->json)
        buf_printf(&out, "],\"bytes\":%" PRId64 ",\"removed\":%s}\n", all.bytes,
                   a->force ? "true" : "false");
    else if (!all.count)
        buf_printf(&out, "nothing is to be removed\n");
    else
        buf_printf(&out, "%" PRIu64 " objects, %" PRId64 " bytes%s\n", all.count, all.bytes,
                   a->force ? ": removed" : " would go: write --force to remove them");
    show_text(&out);
    return e;
}

int command_checkpoint_gc(const args *a) {
    stored s;
    survey v = { 0 };
    target now = { 0 };
    err *e = stored_open(a, NULL, &s);
    if (!e) e = survey_open(&s.store, s.name, &v);
    if (!e) e = run(a, &s, &v, &now);
    target_done(&now);
    survey_done(&v);
    stored_close(&s);
    return e ? command_failed(e) : 0;
}
