/* The ledger of a world: what a transaction of Kafka does, without its ways to fail. */
#include <stdio.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/kit/world.h"

/* One run's hold on it. */
typedef struct hold {
    world *world;
    uint64_t epoch;
} hold;

void world_ledger_done(world_ledger *l) {
    for (uint32_t i = 0; i < l->count; i++) mem_free((char *)(uintptr_t)l->items[i].mark.topic);
    mem_free(l->items);
    l->items = NULL;
    l->count = 0;
}

static err *ledger_open(const sl_checkpoint *plan, const sl_system *system, void **ledger) {
    hold *h = mem_zalloc(1, sizeof *h);
    (void)plan;
    h->world = (world *)(uintptr_t)system->clock;
    h->epoch = ++h->world->ledger.epoch;
    *ledger = h;
    return NULL;
}

static err *ledger_read(void *ledger, const sl_committed **items, uint32_t *count) {
    const world_ledger *l = &((hold *)ledger)->world->ledger;
    *items = l->items;
    *count = l->count;
    return NULL;
}

static err *ledger_check(void *ledger) {
    const hold *h = ledger;
    if (h->epoch == h->world->ledger.epoch) return NULL;
    return err_new(ERR_FENCED, "another run of the pipeline has begun in this world");
}

static err *ledger_claim(void *ledger, const char *pointer, const sl_mark *marks, uint32_t count) {
    (void)pointer;
    (void)marks;
    (void)count;
    return ledger_check(ledger);
}

/* What sinks of this run hold becomes visible in the same moment. */
static err *ledger_commit(void *ledger, const char *pointer, const sl_mark *marks,
                          uint32_t count) {
    const hold *h = ledger;
    world_ledger *l = &h->world->ledger;
    err *e = ledger_check(ledger);
    if (e) return e;
    sl_committed *items = mem_zalloc(count, sizeof *items);
    for (uint32_t i = 0; i < count; i++) {
        items[i].mark = marks[i];
        items[i].mark.topic = mem_copy_text(marks[i].topic, strlen(marks[i].topic));
        snprintf(items[i].pointer, sizeof items[i].pointer, "%s", pointer);
    }
    world_ledger_done(l);
    l->items = items;
    l->count = count;
    l->commits++;
    for (uint32_t i = 0; i < h->world->sink_count; i++)
        if (h->world->sinks[i]->ledger == h) world_publish(h->world->sinks[i]);
    return NULL;
}

static void ledger_close(void *ledger) { mem_free(ledger); }

static const sl_ledger_ops ledger_ops = {
    .name = "memory",
    .open = ledger_open,
    .read = ledger_read,
    .claim = ledger_claim,
    .begin = ledger_check,
    .commit = ledger_commit,
    .abort = ledger_check,
    .check = ledger_check,
    .close = ledger_close,
};

const sl_ledger_ops *world_ledger_of(const sl_string *name) {
    (void)name;
    return &ledger_ops;
}
