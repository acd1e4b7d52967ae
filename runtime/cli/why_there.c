#include "runtime/cli/why_there.h"

#include <inttypes.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/mem.h"
#include "runtime/connect/connectors.h"

enum { STEP_BYTES = 16 << 20,
       STEP_MS = 1000,
       ASK_MS = 5000 };

/* What the sources tell. */
typedef struct there {
    const why_record *r;
    buf topics;         /* "`rides`, `users`": those that are read */
    char *last;         /* of them, as it was told last; owned */
    int32_t partitions; /* of the record's topic: the highest number + 1; 0: nobody reads it */
    bool is_partition;  /* the record's was told of */
    int64_t end;        /* of it */
} there;

static void look_at(there *t, const sl_partition *p) {
    if (!t->last || strcmp(t->last, p->topic) != 0) {
        buf_printf(&t->topics, "%s`%s`", t->topics.len ? ", " : "", p->topic);
        mem_free(t->last);
        t->last = mem_copy_text(p->topic, strlen(p->topic));
    }
    if (strcmp(p->topic, t->r->topic) != 0) return;
    if (p->number >= t->partitions) t->partitions = p->number + 1;
    if (p->number != t->r->number) return;
    t->is_partition = true;
    t->end = p->end;
}

/* How long a file is shows when it has been read. */
static err *read_on(const sl_source_ops *ops, void *source, uint32_t number,
                    const sl_partition **all, const why_record *r) {
    sl_records records = { 0 };
    arena bytes;
    uint32_t count;
    err *e = NULL;
    arena_init(&bytes, STEP_BYTES);
    for (bool is_more = true; !e && is_more;) {
        int64_t at = (*all)[number].position;
        sl_range range = { number, 0, at, r->offset + 1 };
        is_more = false;
        if (at > r->offset || ((*all)[number].ended && at >= (*all)[number].end)) break;
        e = ops->fetch(source, &range, 1, STEP_BYTES, STEP_MS, &records, &bytes);
        if (!e) e = ops->look(source, all, &count);
        is_more = !e && (*all)[number].position > at;
        records.count = 0;
        arena_reset(&bytes, STEP_BYTES);
    }
    mem_free(records.items);
    arena_done(&bytes);
    return e;
}

static bool is_it(const sl_partition *p, const why_record *r) {
    return p->number == r->number && !strcmp(p->topic, r->topic);
}

static err *ask(there *t, const sl_source *plan, const sl_system *system) {
    const sl_source_ops *ops = connector_source(&plan->connector);
    const sl_partition *all;
    uint32_t count = 0;
    void *source = NULL;
    if (!ops) return NULL; /* a source of the script's own */
    err *e = ops->open(plan, system, &source);
    if (!e) e = ops->confirm(source, ASK_MS);
    if (!e) e = ops->look(source, &all, &count);
    for (uint32_t i = 0; !e && i < count; i++) {
        if (is_it(&all[i], t->r) && all[i].end == INT64_MAX)
            e = read_on(ops, source, i, &all, t->r);
        if (!e) look_at(t, &all[i]);
    }
    if (source) ops->close(source);
    return e;
}

/* What is there instead. */
static err *judge(const there *t, const char *name) {
    const why_record *r = t->r;
    if (!t->partitions)
        return err_new(ERR_MISSING, "why: no source of `%s` reads `%s`: it reads %s", name,
                       r->topic, t->topics.len ? t->topics.data : "nothing");
    if (!t->is_partition)
        return err_new(ERR_MISSING,
                       "why: `%s` has no partition %" PRId32 ": they are 0 to %" PRId32, r->topic,
                       r->number, t->partitions - 1);
    if (r->offset < t->end) return NULL;
    if (!t->end) return err_new(ERR_MISSING, "why: %s:%" PRId32 " is empty", r->topic, r->number);
    return err_new(ERR_MISSING,
                   "why: there is no record %s:%" PRId32 ":%" PRId64 " (yet): its last offset is "
                   "%" PRId64,
                   r->topic, r->number, r->offset, t->end - 1);
}

err *why_check_there(const past *p, const why_record *r) {
    const sl_plan *plan = p->stored.plan;
    sl_system system = p->stored.system;
    there t = { .r = r };
    err *e = NULL;
    system.script = NULL;
    buf_init(&t.topics);
    for (uint32_t i = 0; !e && i < plan->source_count; i++)
        e = err_wrap(ask(&t, &plan->sources[i], &system), "why: asking whether `%s` has offset "
                                                          "%" PRId64,
                     r->topic, r->offset);
    buf_text(&t.topics);
    if (!e) e = judge(&t, p->stored.name);
    buf_done(&t.topics);
    mem_free(t.last);
    return e;
}
