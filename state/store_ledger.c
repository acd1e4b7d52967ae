/* Each commit is an object of its own, and the newest counts: a put that fails if there is one is
 * all that a store must offer. Whoever was asleep meets its number taken. Old commits are removed
 * behind the last KEPT of them, once they are OLD_MS old, so a sleeper's number may be free again;
 * but it cannot become the newest, and whoever has not heard of its own commits for STALE_MS looks
 * behind its put whether there are later ones. */
#include "state/store_ledger.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "runtime/base/clock.h"
#include "runtime/base/crash.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "state/jobs.h"
#include "state/names.h"
#include "state/note.h"

enum {
    KEPT = 16,
    OLD_MS = 60000,
    STALE_MS = 10000,
    LOOK_MS = 1000,
    LOOK_CHARGED_MS = 10000, /* where requests cost money */
};

/* A commit that will be removed. */
typedef struct old_commit {
    uint64_t number;
    int64_t made_ms; /* steady */
} old_commit;

typedef struct store_ledger {
    store_ledger_config config; /* `pipeline` is owned */
    store *store;               /* the config's */
    jobs *remover;
    uint64_t newest; /* number of the last commit that is known; has_newest */
    bool has_newest;
    commit_note note; /* what the last read found */
    old_commit *old;  /* oldest first; owned */
    uint32_t old_count, old_room;
    int64_t known_ms; /* steady: when `newest` was last known to be that */
    int64_t look_ms;
} store_ledger;

static int64_t steady_ms(const store_ledger *l) { return clock_steady_ms(l->config.clock); }

static err *somebody(const store_ledger *l, uint64_t number) {
    char name[OBJECT_NAME_BYTES];
    names_commit(name, l->config.pipeline, number);
    return err_new(ERR_FENCED,
                   "another process works as '%s': %s in %s is not of this one. Stop one "
                   "of the two, or give one another name",
                   l->config.pipeline, name, l->store->url);
}

static err *take_lock(store_ledger *l) {
    if (!l->store->ops->lock) return NULL;
    char name[OBJECT_NAME_BYTES], by[64];
    bool taken = false;
    names_plain(name, l->config.pipeline, "lock");
    err *e = l->store->ops->lock(l->store->handle, name, &taken, by);
    if (e || !taken) return e;
    return err_new(ERR_FENCED,
                   "another process (%s) works as '%s' on %s: stop it, or give this "
                   "pipeline another name",
                   by, l->config.pipeline, l->store->url);
}

static void ledger_close(void *ledger) {
    store_ledger *l = ledger;
    if (!l) return;
    jobs_free(l->remover);
    note_done(&l->note);
    mem_free(l->old);
    mem_free((char *)l->config.pipeline);
    mem_free(l);
}

err *store_ledger_new(const store_ledger_config *config, void **ledger) {
    store_ledger *l = mem_zalloc(1, sizeof *l);
    *l = (store_ledger){ .config = *config, .store = config->store };
    l->config.pipeline = mem_copy_text(config->pipeline, strlen(config->pipeline));
    l->look_ms = store_cost_of(l->store->url).is_charged ? LOOK_CHARGED_MS : LOOK_MS;
    const store_ops *ops = l->store->ops;
    err *e = config->is_reader || !ops->guard ? NULL : ops->guard(l->store->handle);
    if (!e && !config->is_reader) e = take_lock(l);
    if (!e && !config->is_reader) e = jobs_new(config->clock->manual, &l->remover);
    if (e)
        ledger_close(l);
    else
        *ledger = l;
    return e;
}

/* -- reading */

static err *visit_number(void *arg, const char *name, int64_t size, int64_t changed_ms) {
    (void)size, (void)changed_ms;
    store_ledger *l = arg;
    uint64_t number;
    if (!names_read_commit(name, &number)) return NULL;
    if (l->old_count == l->old_room) {
        l->old_room = l->old_room ? 2 * l->old_room : 64;
        l->old = mem_realloc(l->old, l->old_room * sizeof *l->old);
    }
    l->old[l->old_count++] = (old_commit){ number, steady_ms(l) };
    return NULL;
}

static err *list_commits(store_ledger *l) {
    char prefix[OBJECT_NAME_BYTES];
    names_plain(prefix, l->config.pipeline, "commit/");
    l->old_count = 0;
    err *e = l->store->ops->list(l->store->handle, prefix, visit_number, l);
    if (!e) l->known_ms = steady_ms(l);
    return e;
}

static err *read_newest(store_ledger *l, bool *gone) {
    char name[OBJECT_NAME_BYTES];
    names_commit(name, l->config.pipeline, l->newest);
    buf text;
    buf_init(&text);
    note_done(&l->note);
    err *e = l->store->ops->get(l->store->handle, name, &text, gone);
    if (!e && !*gone) e = note_read(name, &text, &l->note);
    if (e && e->code == ERR_REFUSED)
        e = err_wrap(e,
                     "the last commit of '%s' cannot be read (`sluice checkpoint recover %s` "
                     "goes back to the newest state that is whole)",
                     l->config.pipeline, l->config.operands ? l->config.operands : "SCRIPT");
    buf_done(&text);
    return e;
}

/* Whoever only looks may list a commit that is removed before it is read: there are later ones. */
static err *ledger_read(void *ledger, const sl_committed **items, uint32_t *count) {
    store_ledger *l = ledger;
    err *e = NULL;
    bool gone = true;
    for (int tries = 0; !e && gone && tries < 3; tries++) {
        gone = false;
        e = list_commits(l);
        l->has_newest = l->old_count > 0;
        if (e || !l->has_newest) break;
        l->newest = l->old[l->old_count - 1].number;
        e = read_newest(l, &gone);
    }
    if (!e && gone) e = somebody(l, l->newest);
    *items = l->note.items;
    *count = e ? 0 : l->note.count;
    return e;
}

/* -- committing */

static err *ledger_begin(void *ledger) {
    (void)ledger;
    return NULL;
}

typedef struct removal {
    store *store;
    char name[OBJECT_NAME_BYTES];
} removal;

/* thread: the remover's. What stays behind by an error is listed by the next process. */
static void remove_commit(void *arg) {
    removal *r = arg;
    err_free(r->store->ops->remove(r->store->handle, r->name));
    mem_free(r);
}

static void remove_old(store_ledger *l) {
    int64_t now_ms = steady_ms(l);
    uint32_t gone = 0;
    while (l->old_count - gone > KEPT && now_ms - l->old[gone].made_ms >= OLD_MS) {
        removal *r = mem_alloc(sizeof *r);
        r->store = l->store;
        names_commit(r->name, l->config.pipeline, l->old[gone].number);
        jobs_add(l->remover, remove_commit, r);
        gone++;
    }
    if (!gone) return;
    l->old_count -= gone;
    memmove(l->old, l->old + gone, l->old_count * sizeof *l->old);
}

/* Whether somebody went on behind a sleep: the newest commit is `number`, or this one is fenced.
 * */
static err *look_behind(store_ledger *l, uint64_t number) {
    err *e = list_commits(l);
    if (e) return e;
    uint64_t newest = l->old_count ? l->old[l->old_count - 1].number : number;
    return newest == number ? NULL : somebody(l, newest);
}

/* The object is there: it is its own if an earlier try was lost on the way back. */
static err *compare(store_ledger *l, const char *name, uint64_t number, const buf *text) {
    bool missing = false;
    buf there;
    buf_init(&there);
    err *e = l->store->ops->get(l->store->handle, name, &there, &missing);
    bool same = !missing && there.len == text->len && !memcmp(there.data, text->data, text->len);
    if (!e && !same) e = somebody(l, number);
    buf_done(&there);
    return e;
}

static err *try_commit(store_ledger *l, const char *name, uint64_t number, const buf *text) {
    bool exists = false;
    err *e = l->store->ops->put(l->store->handle, name, text->data, text->len, STORE_NEW, &exists);
    return !e && exists ? compare(l, name, number, text) : e;
}

/* Until it is known how it went; the store's `stop` ends that, too. */
static err *put_commit(store_ledger *l, const char *name, uint64_t number, const buf *text) {
    enum { TRIES_BY_HAND = 3 };
    const struct timespec rest = { .tv_nsec = 200000000 };
    err *e = try_commit(l, name, number, text);
    int tries = 0;
    for (; e && e->retriable; tries++) {
        if (l->config.clock->manual && tries == TRIES_BY_HAND) break;
        if (!tries)
            log_warn(l->config.log, "commit not stored, trying again", log_text("object", name),
                     log_text("error", e->message));
        err_free(e);
        if (!l->config.clock->manual) nanosleep(&rest, NULL);
        e = try_commit(l, name, number, text);
    }
    if (!e && tries)
        log_info(l->config.log, "commit stored again", log_number("tries", tries + 1));
    return e;
}

static err *ledger_commit(void *ledger, const char *text, const sl_mark *marks, uint32_t count) {
    store_ledger *l = ledger;
    uint64_t number = l->has_newest ? l->newest + 1 : 0;
    char name[OBJECT_NAME_BYTES];
    names_commit(name, l->config.pipeline, number);
    buf bytes;
    buf_init(&bytes);
    note_write(&bytes, text, clock_now_ms(l->config.clock), marks, count);
    err *e = put_commit(l, name, number, &bytes);
    buf_done(&bytes);
    if (e) return e;
    crash_point("store_committed");
    bool is_stale = steady_ms(l) - l->known_ms > STALE_MS;
    l->newest = number;
    l->has_newest = true;
    e = is_stale ? look_behind(l, number) : visit_number(l, name, 0, 0);
    if (e) return e;
    l->known_ms = steady_ms(l);
    remove_old(l);
    return NULL;
}

static err *ledger_abort(void *ledger) {
    (void)ledger;
    return NULL;
}

static err *ledger_check(void *ledger) {
    store_ledger *l = ledger;
    int64_t since_ms = steady_ms(l) - l->known_ms;
    if (since_ms < l->look_ms || !l->has_newest) return NULL;
    if (since_ms > STALE_MS) return look_behind(l, l->newest);
    char name[OBJECT_NAME_BYTES];
    names_commit(name, l->config.pipeline, l->newest + 1);
    buf text;
    bool missing = false;
    buf_init(&text);
    err *e = l->store->ops->get(l->store->handle, name, &text, &missing);
    buf_done(&text);
    if (!e && !missing) e = somebody(l, l->newest + 1);
    if (!e) l->known_ms = steady_ms(l);
    return e;
}

static err *ledger_claim(void *ledger, const char *text, const sl_mark *marks, uint32_t count) {
    (void)text, (void)marks, (void)count;
    store_ledger *l = ledger;
    return l->has_newest ? look_behind(l, l->newest) : NULL;
}

const sl_ledger_ops store_ledger_ops = {
    .name = "store",
    .read = ledger_read,
    .claim = ledger_claim,
    .begin = ledger_begin,
    .commit = ledger_commit,
    .abort = ledger_abort,
    .check = ledger_check,
    .close = ledger_close,
};
