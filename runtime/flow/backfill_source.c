/* Where rows come from that are read again: connections of their own beside the run's, which stays
 * where it is. Kafka is asked where to begin by its own time; what has no such index is read from
 * its beginning. */
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/backfill_inside.h"
#include "runtime/flow/header.h"
#include "runtime/flow/held.h"

enum { HELD_BYTES = 8 << 10 };

static bool is_kafka(const sl_source *s) {
    return s->connector.len == 5 && !memcmp(s->connector.data, "kafka", 5);
}

/* -- where the run stands */

static backfill_spot *find_spot(const backfill_source *s, const char *topic, int32_t number) {
    for (uint32_t i = 0; i < s->count; i++)
        if (s->spots[i].number == number && !strcmp(s->spots[i].topic, topic)) return &s->spots[i];
    return NULL;
}

/* The spots stand by rank: topics as the run has them, then numbers. */
static backfill_spot *add_spot(backfill_source *s, const sl_partition *of, double rank) {
    if (s->count == s->room) {
        s->room = s->room ? 2 * s->room : 8;
        s->spots = mem_realloc(s->spots, s->room * sizeof *s->spots);
    }
    uint32_t at = s->count++;
    for (; at > 0 && s->spots[at - 1].rank > rank; at--) s->spots[at] = s->spots[at - 1];
    s->spots[at] = (backfill_spot){ .topic = mem_copy_text(of->topic, strlen(of->topic)),
                                    .number = of->number,
                                    .rank = rank,
                                    .from = -1 };
    return &s->spots[at];
}

static void copy_header(const input *in, uint32_t p, backfill_spot *spot) {
    if (p >= in->header_count || !in->headers[p].text.data || spot->header.data) return;
    const sl_string *text = &in->headers[p].text;
    spot->header =
        (sl_string){ .data = mem_copy_text(text->data, text->len), .len = text->len };
    spot->header_offset = in->headers[p].offset;
}

static void aim_source(backfill_source *s, const input *in) {
    for (uint32_t p = 0; p < in->watermark.count; p++) {
        const sl_partition *of = &in->partitions[p];
        backfill_spot *spot = find_spot(s, of->topic, of->number);
        if (!spot) spot = add_spot(s, of, in->ranks[p]);
        spot->to = in->reached[p];
        copy_header(in, p, spot);
    }
}

/* Of a batch that is done again: as it was. The first range of a partition says where it begins. */
static void aim_again(backfill_source *s, const recorded *planned, uint32_t number) {
    for (uint32_t i = 0; i < planned->refill_count; i++) {
        const recorded_refill *r = &planned->refills[i];
        if (r->source != number) continue;
        backfill_spot *spot = find_spot(s, r->range.topic, r->range.number);
        if (spot && spot->from < 0) spot->from = r->range.from;
    }
}

void backfill_aim(backfill *b) {
    for (uint32_t i = 0; i < b->p->input_count; i++) {
        backfill_source *s = &b->sources[i];
        if (!s->is_read) continue;
        aim_source(s, &b->p->inputs[i]);
        if (b->planned) aim_again(s, b->planned, i);
    }
}

static uint64_t left_of(const backfill_source *s) {
    uint64_t left = 0;
    for (uint32_t n = 0; n < s->count; n++)
        if (s->spots[n].from >= 0 && s->spots[n].to > s->spots[n].from)
            left += (uint64_t)(s->spots[n].to - s->spots[n].from);
    return left;
}

uint64_t backfill_left(const backfill *b) {
    uint64_t left = 0;
    for (uint32_t i = 0; i < b->p->input_count; i++) left += left_of(&b->sources[i]);
    return left;
}

/* -- open */

/* sl_resume. Kafka says itself where its time begins. */
static int32_t resume(void *arg, const char *topic, int32_t number, int64_t *offset) {
    const backfill_source *s = arg;
    const backfill_spot *spot = find_spot(s, topic, number);
    bool is_by_time = is_kafka(s->input.plan) && !s->of->planned;
    if (is_by_time) return SL_FIRST_RUN;
    if (!spot) return is_kafka(s->input.plan) ? SL_APPEARED : SL_FIRST_RUN;
    *offset = s->of->planned && spot->from >= 0 ? spot->from : 0;
    if (s->of->planned && spot->from < 0) *offset = spot->to;
    return SL_KNOWN;
}

static sl_string text_of(const char *text) {
    return (sl_string){ .data = text, .len = (uint32_t)strlen(text) };
}

/* The options with another `start`. */
static const sl_value *start_at(backfill_source *s, const sl_value *options, int64_t time_ms) {
    sl_value *copy = arena_take(&s->held, sizeof *copy, _Alignof(sl_value));
    sl_value *items = arena_take(&s->held, (options->item_count + 1) * sizeof *items,
                                 _Alignof(sl_value));
    sl_value *time = arena_take(&s->held, sizeof *time, _Alignof(sl_value));
    *copy = *options;
    copy->item_count = 0;
    for (uint32_t i = 0; i < options->item_count; i++) {
        const sl_string *name = &options->items[i].name;
        if (name->len == 5 && !memcmp(name->data, "start", 5)) continue;
        items[copy->item_count++] = options->items[i];
    }
    *time = (sl_value){ .name = text_of("timestamp"),
                        .kind = SL_NUMBER,
                        .number = (double)(time_ms > 0 ? time_ms : 0) };
    items[copy->item_count++] = (sl_value){
        .name = text_of("start"), .kind = SL_TABLE, .item_count = 1, .items = time
    };
    copy->items = items;
    return copy;
}

/* Where the rows may begin by the broker's time: a row is at most so far ahead of it. */
static int64_t lookup_ms(const backfill *b, const sl_source *plan) {
    return b->lookup_ms == INT64_MIN ? 0 : saturate_sub(b->lookup_ms, plan->time.max_skew_ms);
}

/* Places in the order of the run, so that ties of event time are decided alike. */
static void note_partitions(backfill_source *s) {
    const input *in = &s->input;
    s->places = mem_realloc(s->places, (in->partition_count + 1) * sizeof *s->places);
    for (uint32_t p = 0; p < in->partition_count; p++) {
        const sl_partition *of = &in->partitions[p];
        backfill_spot *spot = find_spot(s, of->topic, of->number);
        s->places[p] = spot ? spot->rank : in->ranks[p];
        if (!spot) continue;
        if (spot->from < 0) spot->from = of->position < spot->to ? of->position : spot->to;
        if (spot->header.data && (p >= in->header_count || !in->headers[p].text.data))
            header_restore(&s->input, p, &spot->header, spot->header_offset);
    }
}

static err *open_source(backfill *b, uint32_t number) {
    backfill_source *s = &b->sources[number];
    const input *run = &b->p->inputs[number];
    const sl_source *plan = &b->plan->sources[number];
    sl_source *held = arena_take(&s->held, sizeof *held, _Alignof(sl_source));
    *held = *b->p->opened[number];
    if (is_kafka(plan) && !b->planned)
        held->options = start_at(s, held->options, lookup_ms(b, plan));
    s->system = b->p->system;
    if (b->is_beside) s->system.stop = &b->stop; /* set, too, when the run ends */
    s->system.outages = NULL;
    s->system.ledger = NULL;
    s->system.resume = resume;
    s->system.resume_arg = s;
    s->input.plan = plan;
    s->is_open = true;
    s->ops = run->ops;
    err *e = input_open(&s->input, plan, held, s->ops, &s->system, number, false);
    if (!e) note_partitions(s);
    return e;
}

err *backfill_open(backfill *b) {
    for (uint32_t i = 0; i < b->p->input_count; i++) {
        backfill_source *s = &b->sources[i];
        if (!s->is_read) continue;
        err *e = s->is_open ? input_look(&s->input) : open_source(b, i);
        if (e) return err_wrap(e, "reading again what `backfill` wants");
        note_partitions(s);
    }
    return NULL;
}

bool backfill_is_replaced(const backfill_source *s, const backfill_spot *spot) {
    bool has_newer = false;
    for (uint32_t p = 0; p < s->input.partition_count && !is_kafka(s->input.plan); p++) {
        const sl_partition *of = &s->input.partitions[p];
        if (strcmp(of->topic, spot->topic) != 0) continue;
        if (of->number == spot->number) return false;
        has_newer |= of->number > spot->number;
    }
    return has_newer;
}

void backfill_close(backfill *b) {
    for (uint32_t i = 0; i < b->plan->source_count; i++) {
        backfill_source *s = &b->sources[i];
        if (s->is_open) input_close(&s->input);
        for (uint32_t n = 0; n < s->count; n++) {
            mem_free(s->spots[n].topic);
            mem_free((char *)(uintptr_t)s->spots[n].header.data);
        }
        mem_free(s->spots);
        mem_free(s->places);
        arena_done(&s->held);
    }
    mem_free(b->sources);
}
