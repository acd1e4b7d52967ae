/* What a leader is asked for: all of its partitions whose queues have room. */
#include "runtime/base/mem.h"
#include "runtime/connect/kafka_fetch_state.h"

enum { FULL_WAIT_MS = 5 }; /* a leader may wait so while queues are full: they will have room */

/* Whether `p` can be asked for now; `*is_later`: soon maybe. */
static bool is_askable(const fetch_leader *l, const kafka_partition *p, int64_t now_ms,
                       bool *is_later) {
    if (p->leader != l->leader || p->topic->missing_ms) return false;
    if (p->fetch.asked || p->fetch.is_paused) return false;
    bool is_free = p->fetch.bytes < kafka_fetch_limit(l->f) && p->fetch.retry_ms <= now_ms &&
                   (!p->fetch.unpacker || p->fetch.unpacker == l->leader + 1);
    if (!is_free) *is_later = true;
    return is_free;
}

static void add_asked(fetch_leader *l, kafka_partition *p) {
    fetch_request *request = &l->next;
    if (request->count == request->room) {
        request->room = request->room ? 2 * request->room : 16;
        request->items = mem_realloc(request->items, request->room * sizeof *request->items);
    }
    if (!++l->f->questions) l->f->questions = 1;
    p->fetch.asked = l->f->questions;
    request->items[request->count++] = (fetch_asked){ .p = p,
                                                      .offset = p->fetch.offset,
                                                      .era = p->fetch.era,
                                                      .number = p->fetch.asked };
}

void kafka_fetch_collect(fetch_leader *l) {
    const kafka_fetch *f = l->f;
    const kafka_source *s = f->s;
    int64_t now_ms = kafka_now_ms();
    bool is_later = false;
    l->next.count = 0;
    l->turn++;
    for (uint32_t i = 0; i < s->count; i++) {
        kafka_partition *p = s->partitions[(l->turn + i) % s->count];
        if (is_askable(l, p, now_ms, &is_later)) add_asked(l, p);
    }
    if (!l->next.count) return;
    l->next.id = ++l->id;
    wire_fetch_writer w = wire_fetch_begin(
        &l->frame, &(wire_fetch){ .id = l->id,
                                  .client = f->dial.client,
                                  .wait_ms = is_later && f->wait_ms > FULL_WAIT_MS ? FULL_WAIT_MS
                                                                                   : f->wait_ms,
                                  .min_bytes = f->min_bytes,
                                  .max_bytes = f->max_bytes,
                                  .is_committed = f->is_committed });
    const kafka_topic *topic = NULL;
    for (uint32_t i = 0; i < l->next.count; i++) {
        const kafka_partition *p = l->next.items[i].p;
        if (p->topic != topic) wire_fetch_topic(&w, p->topic->name);
        topic = p->topic;
        wire_fetch_partition(&w, p->number, l->next.items[i].offset, kafka_fetch_share(f));
    }
    wire_fetch_end(&w);
}
