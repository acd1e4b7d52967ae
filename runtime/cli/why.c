/* `sluice why`: what became of one record. Its batch is done again, and those behind it until its
 * windows are closed; nothing is guessed. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/cli/checkpoint_show.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/past.h"
#include "runtime/cli/stop.h"
#include "runtime/cli/why_find.h"
#include "runtime/cli/why_show.h"
#include "runtime/cli/why_there.h"

enum { MOST_BATCHES = 100000 }; /* that are done again behind the record's */

typedef struct why {
    past past;
    why_record record;
    why_found found;
    probe probe;
    why_facts facts;
    uint64_t running; /* batch that is done now */
    err *cut;         /* why it was not followed over a change of the text; owned */
} why;

static void on_row(void *arg, const sl_sink *sink, const sl_message *m) {
    why *w = arg;
    why_facts_row(&w->facts, &w->probe, &w->past.replay.pipeline, w->running, sink, m);
}

static err *follow_until(why *w, uint64_t end) {
    pipeline *p = &w->past.replay.pipeline;
    uint64_t batch = w->found.batch;
    if (end > batch + MOST_BATCHES) end = batch + MOST_BATCHES;
    w->probe = (probe){ .topic = w->record.topic,
                        .number = w->record.number,
                        .offset = w->record.offset,
                        .look = why_facts_look,
                        .results = why_facts_results,
                        .arg = &w->facts };
    w->past.probe = &w->probe;
    err *e = past_begin(&w->past, batch, end, NULL);
    if (e) return e;
    w->past.replay.on_row = on_row;
    w->past.replay.on_row_arg = w;
    do {
        w->running = replay_next(&w->past.replay);
        e = past_step(&w->past);
        if (!e) why_facts_step(&w->facts, p);
    } while (!e && w->facts.is_seen && replay_next(&w->past.replay) < end && !*stop_asked() &&
             !why_facts_settled(&w->facts, p));
    return e;
}

/* Over changes of the text; where one cannot be taken over, what its own text tells. */
static err *follow(why *w) {
    err *e = follow_until(w, w->found.until);
    if (!e || e->code == ERR_STOPPED || w->found.same_until == w->found.until) return e;
    why_facts_done(&w->facts);
    why_facts_init(&w->facts);
    w->cut = e;
    return follow_until(w, w->found.same_until);
}

static err *explain(why *w, const args *a, buf *out) {
    err *e = why_parse(a->more[0], &w->record);
    if (!e) e = past_open(a, &w->past);
    if (!e) e = why_find(&w->past, &w->record, &w->found);
    bool is_unread = !e && (w->found.place == WHY_UNKNOWN || w->found.place == WHY_NOT_YET);
    if (is_unread) e = why_check_there(&w->past, &w->record);
    if (!e && w->found.place == WHY_READ) e = follow(w);
    if (e) return e;
    const pipeline *p = w->past.replay.is_open ? &w->past.replay.pipeline : NULL;
    why_shown shown = {
        .pipeline = w->past.stored.name,
        .what = a->more[0],
        .found = &w->found,
        .facts = &w->facts,
        .p = p,
        .cut = w->cut ? w->cut->message : NULL,
        .done = w->past.stored.pointer.batch,
    };
    (a->json ? why_put_json : why_put_text)(&shown, out);
    return NULL;
}

int command_why(const args *a) {
    why w = { 0 };
    buf out;
    buf_init(&out);
    why_facts_init(&w.facts);
    err *e = explain(&w, a, &out);
    show_text(&out);
    past_close(&w.past);
    why_facts_done(&w.facts);
    err_free(w.cut);
    mem_free(w.record.topic);
    return e ? command_failed(e) : 0;
}
