#include "runtime/kit/host.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/keeper.h"
#include "runtime/kit/kit.h"
#include "runtime/kit/metrics.h"

typedef struct kit_host {
    script_pool *pool; /* owned */
    logger log;        /* of all pipelines: to /dev/null */
} kit_host;

typedef struct played {
    world world;
    pipeline pipeline;
    volatile int stop; /* always 0 */
    kit_host *host;    /* borrowed */
    const char *crash; /* step at which the next batch dies; NULL: it does not */
    buf metrics;       /* as told last */
} played;

static void *host_begin(void) {
    kit_host *h = mem_zalloc(1, sizeof *h);
    log_init(&h->log, open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_LOGFMT, LOG_ERROR);
    h->pool = pool_new();
    return h;
}

static void host_end(void *kit) {
    kit_host *h = kit;
    pool_free(h->pool);
    if (h->log.fd > 2) close(h->log.fd);
    log_done(&h->log);
    mem_free(h);
}

static void host_close(void *handle) {
    played *p = handle;
    kit_close(&p->pipeline, p->host->pool);
    world_done(&p->world);
    buf_done(&p->metrics);
    mem_free(p);
}

/* batch_step */
static err *die(void *arg, const char *step) {
    const played *p = arg;
    if (!p->crash || strcmp(p->crash, step) != 0) return NULL;
    return err_new(ERR_CRASHED, "died at `%s`", step);
}

static err *open_run(played *p, const specs_opening *opening) {
    kit_options options = {
        .script = opening->script,
        .guest = opening->guest,
        .pool = p->host->pool,
        .stop = &p->stop,
        .log = &p->host->log,
        .by_hand = true,
        .keeps = true,
        .on_step = die,
        .on_step_arg = p,
        .workers = opening->workers,
    };
    p->crash = NULL;
    return kit_open(&p->pipeline, &p->world, &options);
}

static err *host_open(void *kit, const specs_opening *opening, void **handle) {
    played *p = mem_zalloc(1, sizeof *p);
    p->host = kit;
    buf_init(&p->metrics);
    world_init(&p->world);
    p->world.clock.manual_ms = opening->now_ms;
    err *e = open_run(p, opening);
    if (e) {
        host_close(p);
        return e;
    }
    *handle = p;
    return NULL;
}

/* What world_append copies. */
static char *borrowed(const sl_string *text) { return (char *)(uintptr_t)text->data; }

static void host_feed(void *handle, const char *topic, uint32_t partition, const sl_record *r) {
    played *p = handle;
    world_record record = {
        .offset = r->offset,
        .time_ms = r->time_ms,
        .time_kind = r->time_kind,
        .key = borrowed(&r->key),
        .key_len = r->key.len,
        .value = borrowed(&r->value),
        .value_len = r->value.len,
        .headers = (sl_header *)(uintptr_t)r->headers,
        .header_count = r->header_count,
    };
    world_append(&world_topic_of(&p->world, topic, partition + 1)->partitions[partition], &record);
}

static void host_partitions(void *handle, const char *topic, uint32_t count) {
    world_topic_of(&((played *)handle)->world, topic, count);
}

static err *host_restart(void *handle, const specs_opening *opening) {
    played *p = handle;
    kit_close(&p->pipeline, p->host->pool);
    return open_run(p, opening);
}

static err *host_reload(void *handle, const specs_opening *opening) {
    played *p = handle;
    kit_options options = {
        .script = opening->script,
        .guest = opening->guest,
        .pool = p->host->pool,
        .workers = opening->workers,
    };
    return kit_reload(&p->pipeline, &options);
}

static void host_crash(void *handle, const char *step) {
    for (const char *const *known = keeper_steps; *known; known++)
        if (strcmp(*known, step) == 0) ((played *)handle)->crash = *known;
}

static err *host_run(void *handle, uint32_t *batches) {
    played *p = handle;
    err *e = kit_run(&p->pipeline, batches);
    if (e || !p->crash) return e;
    e = err_new(ERR_USAGE, "it was to die at `%s`, and no batch came there", p->crash);
    p->crash = NULL;
    return e;
}

/* What comes first may die; what closes the windows does not: there is nothing to go on with. */
static err *host_finish(void *handle) {
    played *p = handle;
    uint32_t batches;
    err *e = host_run(p, &batches);
    return e ? e : kit_finish(&p->pipeline);
}

static void host_advance(void *handle, int64_t ms) {
    clock_advance(&((played *)handle)->world.clock, ms);
}

static int64_t host_now(void *handle) { return clock_now_ms(&((played *)handle)->world.clock); }

/* By its number in the plan that runs. */
static world_sink *sink_of(const played *p, uint32_t number) {
    return number < p->pipeline.out.count ? p->pipeline.out.sinks[number].handle : NULL;
}

static bool host_message(void *handle, uint32_t sink, uint32_t i, sl_message *m) {
    const world_sink *s = sink_of(handle, sink);
    if (!s || i >= s->count) return false;
    const world_record *r = &s->messages[i];
    *m = (sl_message){
        .key = { .data = r->key, .len = r->key_len },
        .value = { .data = r->value, .len = r->value_len },
        .topic = { .data = r->to_topic, .len = r->to_topic_len },
        .place = { .data = r->place, .len = r->place_len },
        .headers = r->headers,
        .header_count = r->header_count,
        .partition = r->partition,
    };
    return true;
}

static void host_forget(void *handle, uint32_t sink) {
    world_sink *s = sink_of(handle, sink);
    if (s) world_forget(s);
}

static err *host_describe(void *handle, const char **json) {
    return script_describe(crew_worker(((played *)handle)->pipeline.crew, 0)->script, json);
}

static const char *host_metrics(void *handle) {
    played *p = handle;
    buf_reset(&p->metrics);
    kit_put_metrics(&p->metrics, &p->pipeline);
    return buf_text(&p->metrics);
}

const specs_ops kit_specs = {
    .begin = host_begin,
    .end = host_end,
    .open = host_open,
    .close = host_close,
    .feed = host_feed,
    .partitions = host_partitions,
    .run = host_run,
    .finish = host_finish,
    .restart = host_restart,
    .reload = host_reload,
    .crash = host_crash,
    .steps = keeper_steps,
    .advance = host_advance,
    .now = host_now,
    .message = host_message,
    .forget = host_forget,
    .describe = host_describe,
    .metrics = host_metrics,
};
