#include "runtime/flow/replay.h"

#include <inttypes.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/batch.h"
#include "runtime/flow/commit.h"
#include "runtime/flow/keeper.h"
#include "runtime/flow/local.h"

enum { MEMORY_BYTES = 16 << 10 };

/* -- the ledger: one mark, which nobody moves */

static err *ledger_open(const sl_checkpoint *plan, const sl_system *system, void **ledger) {
    (void)plan;
    *ledger = system->ledger; /* the replay */
    return NULL;
}

static err *ledger_read(void *ledger, const sl_committed **items, uint32_t *count) {
    replay *r = ledger;
    *items = &r->mark;
    *count = 1;
    return NULL;
}

static err *ledger_begin(void *ledger) {
    (void)ledger;
    return NULL;
}

static err *ledger_commit(void *ledger, const char *text, const sl_mark *marks,
                          uint32_t count) {
    (void)ledger, (void)text, (void)marks, (void)count;
    return NULL;
}

static void ledger_close(void *ledger) { (void)ledger; }

static const sl_ledger_ops ledger_ops = {
    .name = "replay",
    .open = ledger_open,
    .read = ledger_read,
    .begin = ledger_begin,
    .commit = ledger_commit,
    .abort = ledger_begin,
    .close = ledger_close,
};

static const sl_ledger_ops *find_ledger(const sl_string *name) {
    (void)name;
    return &ledger_ops;
}

/* -- sinks */

typedef struct shown_sink {
    const sl_sink *plan;
    replay *r;
} shown_sink;

static err *sink_open(const sl_sink *plan, const sl_system *system, void **sink) {
    shown_sink *s = mem_alloc(sizeof *s);
    *s = (shown_sink){ .plan = plan, .r = system->ledger };
    *sink = s;
    return NULL;
}

static err *sink_begin(void *sink, uint64_t batch, int64_t now_ms) {
    (void)sink, (void)batch, (void)now_ms;
    return NULL;
}

static err *sink_write(void *sink, const sl_message *messages, uint32_t count) {
    const shown_sink *s = sink;
    for (uint32_t i = 0; s->r->on_row && i < count; i++)
        s->r->on_row(s->r->on_row_arg, s->plan, &messages[i]);
    return NULL;
}

static err *sink_flush(void *sink, const sl_rejection **rejections, uint32_t *count) {
    (void)sink;
    *rejections = NULL;
    *count = 0;
    return NULL;
}

static void sink_close(void *sink) { mem_free(sink); }

static const sl_sink_ops sink_ops = {
    .name = "replay",
    .open = sink_open,
    .begin = sink_begin,
    .write = sink_write,
    .flush = sink_flush,
    .close = sink_close,
};

static const sl_sink_ops *find_sink(const sl_string *name) {
    (void)name;
    return &sink_ops;
}

/* -- where it begins */

static char *copy_text(arena *memory, const char *text, size_t len) {
    char *copy = arena_take(memory, len + 1, 1);
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

static progress_source *source_of(progress *begin, const recorded *r, uint32_t number) {
    if (!begin->sources) {
        size_t bytes = (r->source_count + 1u) * sizeof *begin->sources;
        arena_init(&begin->memory, MEMORY_BYTES);
        begin->sources = arena_take(&begin->memory, bytes, sizeof(int64_t));
    }
    while (begin->source_count <= number) {
        const sl_string *name = &r->sources[begin->source_count].name;
        progress_source *s = &begin->sources[begin->source_count++];
        *s = (progress_source){ .time = WATERMARK_NONE,
                                .all_idle_ms = WATERMARK_NONE,
                                .all_idle_time = WATERMARK_NONE };
        s->name = (sl_string){ .data = copy_text(&begin->memory, name->data, name->len),
                               .len = name->len };
    }
    return &begin->sources[number];
}

static void note_range(progress *begin, progress_source *s, const recorded_range *range) {
    if (progress_find_partition(s, range->topic, range->number)) return;
    progress_partition *more =
        arena_take(&begin->memory, (s->count + 1) * sizeof *more, sizeof(int64_t));
    if (s->count) memcpy(more, s->partitions, s->count * sizeof *more);
    more[s->count++] = (progress_partition){
        .topic = copy_text(&begin->memory, range->topic, strlen(range->topic)),
        .number = range->number,
        .position = range->from,
        .high = WATERMARK_NONE,
    };
    s->partitions = more;
}

void replay_note_begin(progress *begin, const recorded *r) {
    for (uint32_t i = 0; i < r->source_count; i++) {
        progress_source *s = source_of(begin, r, i);
        for (uint32_t n = 0; n < r->sources[i].range_count; n++)
            note_range(begin, s, &r->sources[i].ranges[n]);
    }
}

void replay_tell_begin(replay *r, keeper *k) {
    if (k->current.kind != POINTER_GENESIS) return;
    progress_done(&k->loaded);
    k->loaded = r->begin;
    r->begin = (progress){ 0 };
}

/* -- life */

static void make_plan(replay *r, const sl_plan *plan) {
    r->plan = plan->checkpoint;
    r->plan.ledger = (sl_string){ .data = "replay", .len = 6 };
    r->plan.topic = (sl_string){ 0 };
    r->plan.plans_ahead = 0;
    if (!r->plan.url.data) r->plan.url = (sl_string){ .data = "memory", .len = 6 };
    r->from.partitions = 1;
    pointer_write(&r->from, r->mark.pointer);
    r->mark.mark = (sl_mark){ .topic = "", .offset = (int64_t)r->from.batch };
}

err *replay_open(replay *r, worker **workers, const sl_system *system, find_source_ops find) {
    sl_system own = *system;
    own.ledger = r;
    make_plan(r, script_plan(workers[0]->script));
    pipeline_options options = {
        .system = own,
        .stop_now = system->stop,
        .find_source = find,
        .find_sink = find_sink,
        .find_ledger = find_ledger,
        .checkpoint = &r->plan,
        .keeps_in_line = true,
        .replay = r,
        .workers = workers,
        .worker_count = 1,
        .by_hand = true,
    };
    r->is_open = true;
    return pipeline_open(&r->pipeline, &options);
}

uint64_t replay_next(const replay *r) { return r->pipeline.batch; }

/* The state is the one that the batch found. */
static err *check_begin(const replay *r, const recorded *planned) {
    const pipeline *p = &r->pipeline;
    if (planned->batch != p->batch)
        return err_new(ERR_REFUSED, "the record is that of batch %" PRIu64, planned->batch);
    if (planned->has_refill && !p->fills && !r->is_other_script)
        return err_new(ERR_REFUSED, "records were read again before it, for what was new in the "
                                    "script (`backfill`), and here nothing is new: begin at an "
                                    "earlier batch, or behind it");
    for (uint32_t i = 0; !r->is_other_script && i < p->input_count; i++) {
        if (i >= planned->source_count) break;
        int64_t was = planned->sources[i].watermark, is = p->inputs[i].watermark.time;
        if (was != is)
            return err_new(ERR_REFUSED,
                           "source `%.*s`: the watermark is %" PRId64 ", it was %" PRId64 ": the "
                           "batches before did not go as they went, so nothing here can be relied "
                           "on (is a file, or a topic, another one than it was?)",
                           (int)planned->sources[i].name.len, planned->sources[i].name.data, is,
                           was);
    }
    return NULL;
}

err *replay_do(replay *r, const char *record, size_t len) {
    keeper *k = r->pipeline.keeper;
    bool ran;
    err *e = record_read(record, len, &k->planned);
    if (!e) e = check_begin(r, &k->planned);
    if (e) {
        recorded_done(&k->planned);
        return e;
    }
    k->has_planned = true;
    for (uint32_t i = 0; !e && i < r->pipeline.input_count; i++)
        e = input_look(&r->pipeline.inputs[i]);
    if (!e) e = batch_run(&r->pipeline, k->planned.is_flush, &ran);
    return e ? e : commit_settle(&r->pipeline);
}

err *replay_batch(replay *r, const char *record, size_t len) {
    uint64_t number = r->pipeline.batch;
    return err_wrap(replay_do(r, record, len), "doing batch %" PRIu64 " again", number);
}

err *replay_keep(replay *r) {
    if (local_has_spilled(&r->pipeline))
        return err_new(ERR_REFUSED,
                       "the state is larger than `memory`, so that it cannot be handed from the "
                       "script that did the batches up to %" PRIu64
                       " to the one behind it: begin behind that batch",
                       r->pipeline.batch);
    r->kept->is_on = true;
    r->pipeline.keeper->has_other_shape = true; /* then its object is a full one */
    return NULL;
}

pointer replay_kept(const replay *r) {
    pointer p = r->pipeline.keeper->current;
    r->kept->is_on = false;
    return p;
}

void replay_close(replay *r) {
    if (r->is_open) pipeline_close(&r->pipeline);
    progress_done(&r->begin);
    *r = (replay){ 0 };
}
