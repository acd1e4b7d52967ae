#include "runtime/cli/stored.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/base/mem.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/stop.h"
#include "runtime/connect/connectors.h"
#include "state/names.h"
#include "state/store_ledger.h"

enum { WATCH_MS = 3000 }; /* how long a pipeline is watched where it shows no lock */

/* -- opening */

static err *load_script(const args *a, const char *name, stored *s) {
    const char *sets[ARGS_MAX_SETS + 1];
    char set[256];
    uint32_t count = a->set_count;
    memcpy(sets, a->sets, count * sizeof *sets);
    if (name) {
        snprintf(set, sizeof set, "name=%s", name);
        sets[count++] = set;
    }
    script_options options = { .path = a->operand,
                               .text = a->text,
                               .text_len = a->text_len,
                               .root = a->root,
                               .overrides = sets,
                               .override_count = count,
                               .params = a->params,
                               .param_count = a->param_count,
                               .shows_secrets = true,
                               .library = getenv("SLUICE_LUA") };
    return script_open(&options, &s->script);
}

static char *name_operands(const args *a, const char *name) {
    buf out;
    buf_init(&out);
    args_put_operands(a, &out);
    if (name) buf_printf(&out, " --set name=%s", name);
    char *text = mem_copy_text(out.data, out.len);
    buf_done(&out);
    return text;
}

err *stored_open(const args *a, const char *name, stored *s) {
    *s = (stored){ 0 };
    args by_script = *a;
    by_script.name = NULL;
    s->operands = name_operands(a, name);
    s->to_run = name_operands(&by_script, name);
    log_init(&s->log, 2, LOG_PLAIN, LOG_WARN);
    stop_install(command_end_now, "");
    err *e = load_script(a, name, s);
    if (e) return e;
    s->plan = script_plan(s->script);
    s->name = mem_copy_text(s->plan->name.data, s->plan->name.len);
    const sl_string *topic = &s->plan->checkpoint.topic;
    if (!topic->data) topic = &s->plan->name;
    s->topic = mem_copy_text(topic->data, topic->len);
    s->system = (sl_system){
        .pipeline = s->name,
        .operands = s->operands,
        .log = &s->log,
        .clock = &s->clock,
        .stop = stop_asked(),
    };
    const sl_checkpoint *plan = &s->plan->checkpoint;
    if (!plan->url.data)
        return err_new(ERR_PLAN, "%s: `%s` has checkpoint = \"none\": nothing of it is stored",
                       a->operand, s->name);
    char *url = mem_copy_text(plan->url.data, plan->url.len);
    store_config config = { .url = url, .options = plan->store, .log = &s->log };
    e = store_open(&config, &s->store);
    s->has_store = !e;
    mem_free(url);
    return e;
}

static void forget_committed(stored *s) {
    for (uint32_t i = 0; i < s->count; i++) mem_free((char *)s->committed[i].mark.topic);
    mem_free(s->committed);
    mem_free(s->trouble);
    s->committed = NULL;
    s->trouble = NULL;
    s->count = 0;
}

void stored_close(stored *s) {
    forget_committed(s);
    if (s->has_store) store_close(&s->store);
    mem_free(s->name);
    mem_free(s->topic);
    mem_free(s->operands);
    mem_free(s->to_run);
    script_close(s->script);
    log_done(&s->log);
    *s = (stored){ 0 };
}

const char *stored_title(const stored *s, buf *out) {
    buf_init(out);
    buf_printf(out, "`%s` in %s", s->name, s->store.url);
    return buf_text(out);
}

/* -- the ledger */

typedef struct ledger {
    const sl_ledger_ops *ops;
    void *handle;
    sl_checkpoint plan;
} ledger;

/* Only to look: a producer with the pipeline's transactional.id would shut out whoever runs. */
static err *open_ledger(stored *s, bool is_reader, ledger *l) {
    *l = (ledger){ .plan = s->plan->checkpoint };
    l->ops = connector_ledger(&l->plan.ledger);
    if (l->ops) {
        if (is_reader) l->plan.delivery = SL_AT_LEAST_ONCE;
        return l->ops->open(&l->plan, &s->system, &l->handle);
    }
    l->ops = &store_ledger_ops;
    store_ledger_config config = {
        .store = &s->store,
        .pipeline = s->name,
        .operands = s->operands,
        .log = &s->log,
        .clock = &s->clock,
        .is_reader = is_reader,
    };
    return store_ledger_new(&config, &l->handle);
}

static void close_ledger(ledger *l) {
    if (l->handle) l->ops->close(l->handle);
}

static void keep_committed(stored *s, const sl_committed *items, uint32_t count) {
    forget_committed(s);
    s->committed = mem_zalloc(count + 1u, sizeof *s->committed);
    s->count = count;
    for (uint32_t i = 0; i < count; i++) {
        s->committed[i] = items[i];
        const char *topic = items[i].mark.topic;
        s->committed[i].mark.topic = mem_copy_text(topic, strlen(topic));
    }
}

static const char *fault_text(pointer_fault fault) {
    switch (fault) {
    case POINTER_OK: return NULL;
    case POINTER_EMPTY:
        return "offsets are committed without a pointer: by a reset tool, or another consumer of "
               "the group";
    case POINTER_FOREIGN: return "what is committed with the offsets is not sluice's";
    case POINTER_NEWER: return "the pointer is of a newer version of sluice: use that";
    case POINTER_DAMAGED: return "the pointer is damaged";
    }
    return NULL;
}

static void judge(stored *s) {
    char words[200] = "";
    for (uint32_t i = 0; !words[0] && i < s->count; i++) {
        const char *text = s->committed[i].pointer;
        const char *fault = fault_text(pointer_read(text, &s->pointer));
        if (!fault && strcmp(text, s->committed[0].pointer))
            fault = "partitions do not have the same pointer: some were committed by somebody "
                    "else, "
                    "or have expired";
        if (fault) snprintf(words, sizeof words, "%s", fault);
    }
    if (!words[0] && s->count && s->pointer.partitions != s->count)
        snprintf(words, sizeof words, "the pointer was committed for %u partitions, %u have it",
                 s->pointer.partitions, s->count);
    if (words[0]) s->trouble = mem_copy_text(words, strlen(words));
}

err *stored_look(stored *s) {
    ledger l;
    const sl_committed *items;
    uint32_t count;
    err *e = open_ledger(s, true, &l);
    if (!e) e = l.ops->read(l.handle, &items, &count);
    if (!e) keep_committed(s, items, count);
    if (!e) judge(s);
    close_ledger(&l);
    return e;
}

err *stored_need_pointer(stored *s) {
    err *e = stored_look(s);
    if (e) return e;
    buf title;
    if (!s->count)
        e = err_new(ERR_REFUSED,
                    "%s: nothing is committed. It never ran, or what was committed has "
                    "gone: then `sluice checkpoint recover %s` shows what is stored",
                    stored_title(s, &title), s->operands);
    else if (s->trouble)
        e = err_new(ERR_REFUSED, "%s: %s. `sluice checkpoint recover %s` shows what is stored, and "
                                 "commits it anew",
                    stored_title(s, &title), s->trouble, s->operands);
    else
        return NULL;
    buf_done(&title);
    return e;
}

sl_mark *stored_marks(const stored *s) {
    sl_mark *marks = mem_alloc((s->count + 1) * sizeof *marks);
    for (uint32_t i = 0; i < s->count; i++) marks[i] = s->committed[i].mark;
    return marks;
}

/* -- changing it */

static err *look_at_lock(stored *s) {
    char name[OBJECT_NAME_BYTES], by[64] = "";
    bool is_taken = false;
    names_plain(name, s->name, "running");
    err *e = s->store.ops->lock(s->store.handle, name, &is_taken, by);
    if (e || !is_taken) return e;
    return err_new(ERR_FENCED, "`%s` runs (%s): stop it first, so that nothing moves while the "
                               "pointer is changed",
                   s->name, by);
}

static bool is_as_before(const stored *s, const sl_committed *before, uint32_t count) {
    if (count != s->count) return false;
    for (uint32_t i = 0; i < count; i++)
        if (before[i].mark.offset != s->committed[i].mark.offset ||
            strcmp(before[i].pointer, s->committed[i].pointer))
            return false;
    return true;
}

/* Where no lock shows who runs, on this machine or another. */
static err *watch(stored *s) {
    uint32_t count = s->count;
    sl_committed *before = mem_alloc((count + 1) * sizeof *before);
    memcpy(before, s->committed, count * sizeof *before);
    fprintf(stderr, "sluice: watching for %d s whether `%s` runs\n", WATCH_MS / 1000, s->name);
    for (int ms = 0; ms < WATCH_MS && !*stop_asked(); ms += 100)
        nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
    err *e = stored_look(s);
    if (!e && !is_as_before(s, before, count))
        e = err_new(ERR_FENCED, "`%s` runs: its commits move on. Stop it first", s->name);
    mem_free(before);
    return e;
}

err *stored_refuse_running(stored *s) {
    return s->store.ops->lock ? look_at_lock(s) : watch(s);
}

/* The copy beside the objects: what recover goes by if the ledger is lost again. */
static err *copy_head(stored *s, const char *text, const sl_mark *marks, uint32_t count) {
    char name[OBJECT_NAME_BYTES];
    bool exists;
    buf copy;
    buf_init(&copy);
    names_plain(name, s->name, "head");
    note_write(&copy, text, clock_now_ms(&s->clock), marks, count);
    err *e = s->store.ops->put(s->store.handle, name, copy.data, copy.len, STORE_REPLACE, &exists);
    buf_done(&copy);
    return err_wrap(e, "the pointer is committed, its copy is not written");
}

err *stored_commit(stored *s, const pointer *p, const sl_mark *marks, uint32_t count) {
    ledger l;
    char text[SL_POINTER_BYTES];
    const sl_committed *items;
    uint32_t found;
    pointer_write(p, text);
    err *e = open_ledger(s, false, &l);
    if (!e) e = l.ops->read(l.handle, &items, &found);
    if (!e) e = l.ops->claim(l.handle, text, marks, count);
    if (!e) e = l.ops->begin(l.handle);
    if (!e) e = l.ops->commit(l.handle, text, marks, count);
    close_ledger(&l);
    return e ? e : copy_head(s, text, marks, count);
}
