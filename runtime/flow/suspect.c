#include "runtime/flow/suspect.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/child.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/flow/deaths.h"
#include "runtime/flow/poisoned.h"
#include "runtime/flow/rehearse.h"
#include "runtime/flow/walk.h"
#include "runtime/script/trying.h"

enum {
    ENOUGH_DEATHS = 2,
    MOST_RECORDS = 100, /* of a batch; more are the script's fault */
    GRACE_MS = 1000,    /* of the watchdog */
    PATIENCE_MS = 5000,
};

/* What a child walks: records numbered through all sources. */
typedef struct stretch {
    pipeline *p;
    const batch_view *view;
    uint64_t first, end;
    bool one_by_one;
    bool has_results; /* what the batch does behind them, too */
} stretch;

typedef struct place {
    uint32_t source, record;
} place;

static uint64_t count_records(const pipeline *p, const batch_view *view) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < p->input_count; i++) sum += view->sources[i].record_count;
    return sum;
}

static place place_of(const batch_view *view, uint64_t number) {
    place at = { 0 };
    while (number >= view->sources[at.source].record_count)
        number -= view->sources[at.source++].record_count;
    at.record = (uint32_t)number;
    return at;
}

/* How many records a chunk takes that begins at `number`. */
static uint32_t cut_at(const stretch *s, uint64_t number) {
    if (s->one_by_one) return 1;
    place at = place_of(s->view, number);
    uint32_t left = s->view->sources[at.source].record_count - at.record;
    uint32_t most = walk_chunk_records(s->p);
    return left < most ? left : most;
}

/* child_options.run */
static void walk_stretch(void *arg, child_note *told) {
    const stretch *s = arg;
    pipeline *p = s->p;
    log_mute(p->system.log);
    for (uint32_t i = 0; i < crew_count(p->crew); i++)
        script_unwatch(crew_worker(p->crew, i)->script);
    for (uint64_t at = s->first; at < s->end;) {
        place from = place_of(s->view, at);
        chunk *c = p->chunks[0];
        child_step(told, at);
        c->source = from.source;
        c->root = p->plan->sources[from.source].step;
        c->first_record = from.record;
        c->record_count = cut_at(s, at);
        at += c->record_count;
        err_free(walk_alone(p, s->view, c));
    }
    if (s->has_results) rehearse_results(p, s->view);
}

/* child_options.place: chunks that are walked alone are worker 0's. */
static void tell_place(void *arg, char *text, size_t room) {
    script_place(crew_worker(((const stretch *)arg)->p->crew, 0)->script, text, room);
}

static child_end try_stretch(stretch *s, child_result *result) {
    int64_t step_ms = s->p->plan->script_timeout_ms + GRACE_MS;
    child_options options = {
        .run = walk_stretch,
        .place = tell_place,
        .arg = s,
        .step_ms = s->has_results ? 0 : step_ms,  /* there may be many */
        .patience_ms = 4 * step_ms + PATIENCE_MS, /* others want the processor, too */
        .stop = s->p->system.stop,
    };
    child_run(&options, result);
    return result->end;
}

/* What was found. */
typedef enum finding {
    FOUND_NOTHING,  /* no record ends the process, with those before it or without */
    FOUND_RECORD,   /* `at` does, alone */
    FOUND_TOGETHER, /* those of the chunk from `at` on do, with each other or with those before */
    FOUND_LOST,     /* that is not known */
} finding;

static finding find_record(pipeline *p, const batch_view *view, child_result *result) {
    stretch s = { .p = p, .view = view, .end = count_records(p, view) };
    child_result one;
    child_end end = try_stretch(&s, result);
    if (end != CHILD_CRASHED) return end == CHILD_DONE ? FOUND_NOTHING : FOUND_LOST;
    s.first = result->at;
    s.end = s.first + cut_at(&s, s.first);
    s.one_by_one = true;
    end = try_stretch(&s, &one);
    if (end == CHILD_CRASHED) {
        s.first = one.at;
        s.end = s.first + 1;
        end = try_stretch(&s, &one);
    }
    if (end != CHILD_CRASHED) return end == CHILD_DONE ? FOUND_TOGETHER : FOUND_LOST;
    *result = one;
    return FOUND_RECORD;
}

static const sl_partition *partition_of(const batch_view *view, place at, int64_t *offset) {
    const source_view *source = &view->sources[at.source];
    const sl_record *r = &source->records[at.record];
    *offset = r->offset;
    return &source->partitions[r->partition];
}

static void put_why(const child_result *found, char *why, size_t room) {
    const char *name = sigabbrev_np(found->signal);
    const char *in = *found->place ? " in " : "";
    if (found->signal == CHILD_HANGS)
        snprintf(why, room, "it does not return%s%s", in, found->place);
    else
        snprintf(why, room, "crash: SIG%s%s%s", name ? name : "?", in, found->place);
}

/* Leave the record out from now on. False: that does not keep it away from the script. */
static bool leave_out(pipeline *p, batch_view *view, const child_result *found) {
    int64_t offset;
    char why[CHILD_PLACE_BYTES + 64];
    const sl_partition *at = partition_of(view, place_of(view, found->at), &offset);
    if (poison_why(&p->poison, at->topic, at->number, offset)) return false;
    put_why(found, why, sizeof why);
    poisoned_note(&p->poison, at->topic, at->number, offset, why);
    view->poison = &p->poison;
    return true;
}

/* Those behind the first `known` are put aside for good. */
static bool keep_found(pipeline *p, uint32_t known) {
    for (uint32_t i = known; i < p->poison.count; i++) {
        const poison_record *r = &p->poison.items[i];
        const char *why = r->why + strlen(POISONED_BEFORE);
        if (!poisoned_add(p->plan, r->topic, r->number, r->offset, why)) return false;
        log_error(p->system.log, "a record ends the process, it is put aside",
                  log_text("topic", r->topic), log_number("partition", r->number),
                  log_number("offset", r->offset), log_text("why", why));
    }
    return true;
}

static void forget_found(pipeline *p, batch_view *view) {
    poisoned_free(&p->poison);
    poisoned_read(p->plan, &p->poison);
    view->poison = p->poison.count ? &p->poison : NULL;
}

/* Few of many are to blame for what they are; else the script is. */
static bool are_too_many(uint64_t found, uint64_t records) {
    return found > MOST_RECORDS || (found > 1 && found * 2 > records);
}

static void tell_together(pipeline *p, const batch_view *view, const child_result *found) {
    int64_t offset;
    char why[CHILD_PLACE_BYTES + 64];
    stretch s = { .p = p, .view = view, .end = count_records(p, view) };
    const sl_partition *at = partition_of(view, place_of(view, found->at), &offset);
    put_why(found, why, sizeof why);
    log_error(p->system.log, "records of the batch end the process together, none is put aside",
              log_text("topic", at->topic), log_number("partition", at->number),
              log_number("offset", offset), log_number("records", cut_at(&s, found->at)),
              log_text("why", why));
}

/* Records are not to blame: is it what is made of them? False: that does not end the process. */
static bool tell_result(pipeline *p, const batch_view *view) {
    child_result result;
    char why[CHILD_PLACE_BYTES + 64];
    stretch s = { .p = p, .view = view, .end = count_records(p, view), .has_results = true };
    if (!p->plan->aggregate_count || try_stretch(&s, &result) != CHILD_CRASHED) return false;
    put_why(&result, why, sizeof why);
    log_error(p->system.log, "a result of the batch ends the process, no record is put aside",
              log_number("batch", view->batch + 1), log_text("why", why));
    return true;
}

static void look_into(pipeline *p, batch_view *view) {
    uint32_t known = p->poison.count;
    uint64_t records = count_records(p, view);
    child_result result;
    finding end;
    bool goes_on = true;
    while (goes_on && (end = find_record(p, view, &result)) == FOUND_RECORD)
        goes_on = leave_out(p, view, &result) && !are_too_many(p->poison.count - known, records);
    uint32_t found = p->poison.count - known;
    const char *message = NULL;
    if (!goes_on)
        message = "too many records of the batch end the process, none is put aside";
    else if (!keep_found(p, known))
        message = "the list of records that end the process cannot be written: none is put aside";
    else if (!found && end == FOUND_LOST)
        message = "no record of the batch could be found that ends the process";
    if (!message && end == FOUND_TOGETHER) tell_together(p, view, &result);
    bool is_told = message || found || end == FOUND_TOGETHER;
    if (!is_told && !tell_result(p, view))
        message = "no record of the batch ends the process by itself";
    if (!message) return;
    log_warn(p->system.log, message, log_number("batch", view->batch + 1));
    if (found) forget_found(p, view);
}

bool suspect_is(const pipeline *p, const batch_view *view) {
    return deaths_of(p->deaths, view->batch) >= ENOUGH_DEATHS;
}

void suspect_look(pipeline *p, batch_view *view) {
    log_warn(p->system.log,
             "runs have ended in this batch, its records are tried in copies of the process",
             log_number("batch", view->batch + 1),
             log_number("runs", deaths_of(p->deaths, view->batch)));
    look_into(p, view);
}
