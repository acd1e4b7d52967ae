/* Objects into tables. Each is checked whole before a byte of it counts (state/image.h); whether
 * the state in it fits the script is asked here. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/crash.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/backfill.h"
#include "runtime/flow/keeper_inside.h"
#include "runtime/flow/local.h"
#include "runtime/flow/shape.h"
#include "runtime/operator/distinct.h"
#include "runtime/operator/stored.h"

/* An object while it is loaded. */
typedef struct loading {
    pipeline *p;
    shape_maps maps; /* of an older layout; used if has_maps */
    bool has_maps;
    image_view *tables; /* its sections of keyed state: the reader's; list owned */
    uint32_t count, room;
} loading;

err *keeper_refuse(const pipeline *p, const char *way_out, const char *format, ...) {
    va_list arguments;
    char why[512];
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    return err_new(ERR_REFUSED, "%s: %s; nothing was read or changed. %s", p->keeper->place, why,
                   way_out);
}

/* -- state of another text of the script */

static void tell_changes(const pipeline *p, const sl_compat *compat) {
    char *text = mem_copy_text(compat->message.data, compat->message.len);
    if (compat->loses)
        log_warn(p->system.log, "the script has changed, part of its stored state is lost",
                 log_text("changes", text));
    else
        log_info(p->system.log, "the stored state is of another text of the script",
                 log_text("changes", text));
    mem_free(text);
}

/* What can be done is compat.lua's to say, but for what another command does. */
static err *refuse_shape(const keeper *k, const sl_compat *compat) {
    buf fork;
    buf_init(&fork);
    if (keeper_marks_sources(k))
        buf_printf(&fork, "; or, to begin with empty state where this one stands in Kafka: "
                          "`sluice checkpoint fork %s NEW --offsets-only`, then `sluice run %s "
                          "--set name=NEW`",
                   k->operands, k->operands);
    err *e = err_new(ERR_REFUSED,
                     "%s does not fit this script; nothing was read or changed\n%.*s\n%.*s%s",
                     k->place, (int)compat->message.len, compat->message.data,
                     (int)compat->ways_out.len, compat->ways_out.data, buf_text(&fork));
    buf_done(&fork);
    return e;
}

/* Whether state of another plan can go on under this one, and how. */
static err *check_shape(loading *l, const char *shape) {
    keeper *k = l->p->keeper;
    const sl_compat *compat;
    k->has_other_shape = strcmp(shape, k->shape) != 0;
    if (!k->has_other_shape) return NULL;
    err *e = script_compat(crew_worker(l->p->crew, 0)->script, shape, &compat);
    if (e) return e;
    if (compat->verdict == SL_COMPAT_REFUSED) return refuse_shape(k, compat);
    if (compat->verdict != SL_COMPAT_ACCEPTED) return NULL;
    sl_string stored = { .data = shape, .len = (uint32_t)strlen(shape) };
    for (uint32_t i = 1; !e && i < crew_count(l->p->crew); i++)
        e = shape_prepare(crew_worker(l->p->crew, i), &stored, compat);
    if (e) return e;
    if (compat->message.len && !k->has_told) tell_changes(l->p, compat);
    k->has_told = true;
    shape_maps_init(&l->maps, l->p->plan, compat);
    l->has_maps = true;
    backfill_forget(l->p->fills);
    l->p->fills = backfill_keep(compat);
    return NULL;
}

/* The object is this pipeline's, of this cluster, and its state fits the script. */
static err *check_head(loading *l, const image_head *head) {
    const pipeline *p = l->p;
    const keeper *k = p->keeper;
    const char *cluster = k->ops->cluster ? k->ops->cluster(k->ledger) : "";
    if (strcmp(head->pipeline, k->name))
        return keeper_refuse(p, "Give this one another name, or another place to keep its state",
                             "the state is of the pipeline `%s`", head->pipeline);
    if (*head->cluster && *cluster && strcmp(head->cluster, cluster))
        return keeper_refuse(p,
                             "Offsets of one cluster mean nothing in another: give the pipeline "
                             "another name",
                             "the state belongs to the Kafka cluster %s, and this is %s",
                             head->cluster, cluster);
    return check_shape(l, head->shape);
}

static void keep_position(keeper *k, const image_view *view) {
    keeper_position *at = NULL;
    for (uint32_t i = 0; i < k->position_count; i++)
        if (!strcmp(k->positions[i].name, view->name)) at = &k->positions[i];
    if (!at) {
        k->positions = mem_realloc(k->positions, (k->position_count + 1) * sizeof *at);
        at = &k->positions[k->position_count++];
        at->name = mem_copy_text(view->name, strlen(view->name));
        buf_init(&at->bytes);
    }
    buf_reset(&at->bytes);
    buf_put(&at->bytes, view->bytes, view->len);
}

static err *take_section(loading *l, const image_view *view) {
    keeper *k = l->p->keeper;
    if (view->kind == IMAGE_SINK) keep_position(k, view);
    if (view->kind == IMAGE_PROGRESS) {
        progress_done(&k->loaded);
        return progress_read(view->bytes, view->len, &k->loaded);
    }
    if (view->kind != IMAGE_TABLE) return NULL;
    if (l->count == l->room) {
        l->room = l->room ? 2 * l->room : 16;
        l->tables = mem_realloc(l->tables, l->room * sizeof *l->tables);
    }
    l->tables[l->count++] = *view;
    return NULL;
}

static err *load_phase(worker *w, void *arg) {
    const loading *l = arg;
    err *e = NULL;
    for (uint32_t i = 0; i < l->count && !e; i++)
        e = worker_load(w, l->p->plan, &l->tables[i], l->has_maps ? &l->maps.by : NULL);
    return e;
}

static void loading_done(loading *l) {
    mem_free(l->tables);
    shape_maps_done(&l->maps);
}

/* Functions are not compared: what windows that are open mean may have changed with them. */
static void tell_other_text(const pipeline *p, const pointer *at, const image_head *head) {
    keeper *k = p->keeper;
    bool is_last = at->batch == k->current.batch && !strcmp(at->id, k->current.id);
    if (!is_last || head->script_hash == p->plan->script_hash || k->has_told) return;
    k->has_told = true;
    log_info(p->system.log, "the script has changed, its stored state goes on under the new text",
             log_number("batch", at->batch));
}

/* Part by part: the next one is on its way meanwhile. */
static err *load_parts(loading *l, image_reader *object) {
    image_view view;
    err *e = NULL;
    do {
        l->count = 0;
        while (!e && image_next_here(object, &view)) e = take_section(l, &view);
        if (!e && l->count) e = crew_run(l->p->crew, load_phase, l, true);
        if (!e && *l->p->sink_system.stop)
            e = err_new(ERR_STOPPED, "asked to stop while state was being loaded");
    } while (!e && image_turn(object));
    return e;
}

static err *load_object(void *arg, const pointer *at, image_reader *object) {
    loading l = { .p = arg };
    bool is_taken = false;
    err *e = check_head(&l, image_head_of(object));
    if (!e) tell_other_text(l.p, at, image_head_of(object));
    if (!e) e = local_take(l.p, at, object, &is_taken);
    if (!e && !is_taken) e = load_parts(&l, object);
    loading_done(&l);
    return e;
}

static err *take_plain(void *arg, const image_view *view) { return take_section(arg, view); }

/* The base has all that the chain says: fill the tables from there. */
static err *load_base(pipeline *p) {
    loading l = { .p = p };
    err *e = check_head(&l, base_head(p->local->base));
    if (!e && p->keeper->has_other_shape)
        e = local_check_whole(p, "give it more of that (`--set memory=SIZE`), for this one start");
    if (!e)
        e = local_fill(p, l.has_maps ? &l.maps.by : NULL, p->keeper->has_other_shape, take_plain,
                       &l);
    loading_done(&l);
    return e;
}

/* Objects into the tables, or through the base. */
static err *load_once(pipeline *p) {
    keeper *k = p->keeper;
    pointer from, now;
    bool has_base = local_stands_at(p, &from);
    err *e = checkpoint_load(k->checkpoint, &k->current, has_base ? &from : NULL, load_object, p);
    if (e || !local_stands_at(p, &now)) return e;
    bool is_current = now.batch == k->current.batch && !strcmp(now.id, k->current.id);
    return is_current ? load_base(p) : base_reset(p->local->base);
}

static err *forget_phase(worker *w, void *arg) {
    worker_forget(w, ((pipeline *)arg)->plan);
    return NULL;
}

/* A base that cannot be read is filled anew; it is never the only place where state is. Nor is an
 * object that it made. */
static err *load_chain(pipeline *p) {
    pointer from;
    bool has_base = local_stands_at(p, &from);
    err *e = load_once(p);
    if (!e || e->code == ERR_STOPPED) return e;
    const char *what = NULL;
    if (has_base && e->code == ERR_IO) what = "local state cannot be read, it is filled anew";
    if (checkpoint_can_load_again(p->keeper->checkpoint))
        what = "an object that stands in for many is damaged, they are read instead";
    if (!what) return e;
    log_warn(p->system.log, what, log_text("why", e->message));
    err_free(e);
    e = crew_run(p->crew, forget_phase, p, false);
    if (!e && p->local->base) e = base_reset(p->local->base);
    return e ? e : load_once(p);
}

/* The offset that the object says is committed for a partition: of several sources that read it the
 * lowest; false: none does. */
static bool find_offset(const progress *loaded, const sl_mark *mark, int64_t *offset) {
    bool found = false;
    for (uint32_t s = 0; s < loaded->source_count; s++) {
        const progress_source *source = &loaded->sources[s];
        if (!source->is_marked) continue;
        const progress_partition *p = progress_find_partition(source, mark->topic, mark->partition);
        if (p && (!found || p->position < *offset)) *offset = p->position;
        found |= p != NULL;
    }
    return found;
}

/* What is committed and what the object says must be the same positions. */
static err *compare_offsets(const pipeline *p) {
    const keeper *k = p->keeper;
    for (uint32_t i = 0; i < k->found_count; i++) {
        const sl_mark *mark = &k->found[i].mark;
        int64_t offset = (int64_t)k->loaded.batch;
        if (keeper_marks_sources(k) && !find_offset(&k->loaded, mark, &offset))
            return keeper_refuse(p, k->recover,
                                 "%s/%" PRId32 " is committed, and the state does not know it",
                                 mark->topic, mark->partition);
        if (offset != mark->offset && !fault_is("newest_is_current"))
            return keeper_refuse(p, k->recover,
                                 "%s/%" PRId32 " is committed at offset %" PRId64
                                 ", and the state is that of offset %" PRId64
                                 ": somebody else moved it",
                                 mark->topic, mark->partition, mark->offset, offset);
    }
    return NULL;
}

static err *loaded_phase(worker *w, void *arg) {
    worker_loaded(w, ((pipeline *)arg)->plan);
    return NULL;
}

static void loaded_by_all(const pipeline *p) {
    uint32_t count = crew_count(p->crew);
    seen_keys **seen = mem_alloc(count * sizeof *seen);
    for (uint32_t d = 0; d < p->plan->distinct_count; d++) {
        for (uint32_t n = 0; n < count; n++) seen[n] = crew_worker(p->crew, n)->seen[d];
        seen_keys_agree(seen, count);
    }
    mem_free(seen);
}

/* Whether rows of closed windows are still to come out. */
static bool is_closing(const progress *loaded) {
    for (uint32_t i = 0; i < loaded->stage_count; i++)
        if (loaded->stages[i].closing.is_open) return true;
    return false;
}

err *keeper_load(pipeline *p) {
    keeper *k = p->keeper;
    if (k->current.kind == POINTER_GENESIS) return NULL;
    err *e = load_chain(p);
    if (!e) e = crew_run(p->crew, loaded_phase, p, true);
    if (e) return e;
    loaded_by_all(p);
    if (k->loaded.batch != k->current.batch)
        return keeper_refuse(p, k->recover,
                             "the pointer is that of batch %" PRIu64
                             ", and the state that of %" PRIu64,
                             k->current.batch, k->loaded.batch);
    bool goes_on = !k->loaded.is_flushed || is_closing(&k->loaded);
    if (!goes_on && !p->plan->flush) return keeper_refuse_more(p);
    return compare_offsets(p);
}
