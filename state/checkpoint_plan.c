/* Plans ahead of their batches, and scripts by hash. */
#include <string.h>

#include "runtime/base/crash.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "state/checkpoint_inside.h"
#include "state/names.h"

static err *get_plan(checkpoint *c, const char *name, buf *plan, bool *found) {
    store *s = c->config.store;
    bool missing = false;
    buf stored;
    buf_init(&stored);
    err *e = s->ops->get(s->handle, name, &stored, &missing);
    *found = !e && !missing;
    if (*found) {
        buf_reset(plan);
        buf_put(plan, stored.data, stored.len);
    }
    buf_done(&stored);
    return e;
}

err *checkpoint_get_plan(checkpoint *c, const pointer *parent, buf *plan, bool *found) {
    char name[OBJECT_NAME_BYTES];
    names_plan(name, c->config.name, parent);
    return get_plan(c, name, plan, found);
}

static err *try_plan(checkpoint *c, const char *name, buf *plan, bool *found) {
    store *s = c->config.store;
    bool exists = false;
    err *e = s->ops->put(s->handle, name, plan->data, plan->len, STORE_NEW, &exists);
    if (e || !exists) return e;
    e = get_plan(c, name, plan, found);
    if (!e && !*found)
        e = err_new(ERR_FENCED, "%s was there and has gone: another process works as '%s' and is "
                                "ahead of this one; stop one of the two",
                    name, c->config.name);
    return e;
}

typedef struct plan_errand {
    checkpoint *c;
    pointer parent;
} plan_errand;

/* thread: the caretaker's. */
static void tell_plan(void *arg) {
    plan_errand *it = arg;
    keeper_planned(it->c->keeper, &it->parent);
    mem_free(it);
}

err *checkpoint_put_plan(checkpoint *c, const pointer *parent, buf *plan, bool *found) {
    char name[OBJECT_NAME_BYTES];
    names_plan(name, c->config.name, parent);
    *found = false;
    err *e = try_plan(c, name, plan, found);
    uint32_t tries = 0;
    for (; e && e->retriable && !c->config.in_line; tries++) {
        if (!tries)
            log_warn(c->config.log, "plan not stored, trying again", log_text("object", name),
                     log_text("error", e->message));
        err_free(e);
        e = checkpoint_rest(c, tries);
        if (!e) e = try_plan(c, name, plan, found);
    }
    if (e) return err_wrap(e, "storing the plan of the next batch");
    if (tries) log_info(c->config.log, "plan stored again", log_number("tries", tries + 1));
    crash_point("plan_durable");
    plan_errand *it = mem_alloc(sizeof *it);
    *it = (plan_errand){ .c = c, .parent = *parent };
    jobs_add(c->caretaker, tell_plan, it);
    return NULL;
}

err *checkpoint_change_plan(checkpoint *c, const pointer *parent, const buf *plan) {
    char name[OBJECT_NAME_BYTES];
    bool exists;
    store *s = c->config.store;
    names_plan(name, c->config.name, parent);
    return s->ops->put(s->handle, name, plan->data, plan->len, STORE_REPLACE, &exists);
}

typedef struct script_errand {
    checkpoint *c;
    uint64_t hash;
    buf text;
} script_errand;

/* thread: the caretaker's. A script that is not kept costs a replay, not the run. */
static void keep_script(void *arg) {
    script_errand *it = arg;
    char name[OBJECT_NAME_BYTES];
    names_script(name, it->c->config.name, it->hash);
    store *s = it->c->config.store;
    bool exists;
    err *e = s->ops->put(s->handle, name, it->text.data, it->text.len, STORE_NEW, &exists);
    if (e)
        log_warn(it->c->config.log, "script not kept: its batches cannot be replayed",
                 log_text("object", name), log_text("error", e->message));
    err_free(e);
    buf_done(&it->text);
    mem_free(it);
}

err *checkpoint_keep_script(checkpoint *c, uint64_t hash, const char *text, size_t len) {
    script_errand *it = mem_zalloc(1, sizeof *it);
    it->c = c;
    it->hash = hash;
    buf_init(&it->text);
    buf_put(&it->text, text, len);
    jobs_add(c->caretaker, keep_script, it);
    return NULL;
}
