#include "runtime/cli/checkpoint_target.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/cli/text.h"

/* -- the marks that belong to a state: as flow commits them */

static void add_mark(target *t, uint32_t before, const sl_mark *mark) {
    for (uint32_t i = 0; i < before; i++) {
        sl_mark *known = &t->marks[i];
        if (known->partition != mark->partition || strcmp(known->topic, mark->topic)) continue;
        if (mark->offset < known->offset) known->offset = mark->offset;
        return;
    }
    t->marks[t->count++] = *mark;
}

static void make_marks(const stored *s, target *t) {
    const progress *p = &t->facts.progress;
    uint32_t most = 1;
    for (uint32_t i = 0; i < p->source_count; i++) most += p->sources[i].count;
    t->marks = mem_zalloc(most, sizeof *t->marks);
    for (uint32_t i = 0; i < p->source_count; i++) {
        const progress_source *source = &p->sources[i];
        uint32_t before = t->count;
        for (uint32_t n = 0; source->is_marked && n < source->count; n++) {
            const progress_partition *at = &source->partitions[n];
            sl_mark mark = { .topic = at->topic, .partition = at->number, .offset = at->position };
            add_mark(t, before, &mark);
        }
    }
    if (t->count) return;
    t->marks[t->count++] = (sl_mark){ .topic = s->topic, .offset = (int64_t)t->p.batch };
}

/* -- finding it */

static void take_rows(target *t, uint64_t batch, const image_view *view) {
    const char *at = view->bytes, *end = at + view->len;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (!line_end) return;
        char *name;
        target_rows rows = { .batch = batch, .count = strtoull(at, &name, 10) };
        if (*name == ' ') name++;
        if (name > line_end) return;
        rows.sink = mem_copy_text(name, (size_t)(line_end - name));
        t->rows = mem_realloc(t->rows, (t->row_count + 1) * sizeof rows);
        t->rows[t->row_count++] = rows;
        at = line_end + 1;
    }
}

/* They stand in the first part. */
static void take_rows_of(target *t, image_reader *object, uint64_t batch) {
    image_view view;
    image_rewind(object);
    while (image_next_here(object, &view)) {
        if (view.kind != IMAGE_ROWS) continue;
        take_rows(t, batch, &view);
        t->told = mem_realloc(t->told, (t->told_count + 1) * sizeof *t->told);
        t->told[t->told_count++] = batch;
    }
}

static err *take_facts(void *arg, const chain_link *link) {
    target *t = arg;
    if (t->facts.has_progress) progress_done(&t->facts.progress);
    take_rows_of(t, link->read, link->p.batch);
    return show_facts_of(link->read, &t->facts);
}

err *target_open(const stored *s, const pointer *p, target *t) {
    *t = (target){ .p = *p };
    store its_store = s->store;
    err *e = chain_open(&its_store, s->name, p, NULL, &t->chain);
    if (!e) e = chain_hand_out(&t->chain, take_facts, t);
    t->behind = t->chain.behind;
    if (e || p->kind == POINTER_GENESIS) return e;
    if (!t->facts.has_progress)
        return err_new(ERR_REFUSED, "the object of batch %" PRIu64 " says nothing of progress",
                       p->batch);
    make_marks(s, t);
    t->p.partitions = t->count;
    return NULL;
}

void target_done(target *t) {
    if (t->facts.has_progress) progress_done(&t->facts.progress);
    chain_done(&t->chain);
    for (uint32_t i = 0; i < t->row_count; i++) mem_free(t->rows[i].sink);
    mem_free(t->rows);
    mem_free(t->told);
    mem_free(t->marks);
    *t = (target){ 0 };
}

static bool is_needed(const survey_object *o) {
    return o->role == SURVEY_CURRENT || o->role == SURVEY_CHAIN;
}

/* Objects of one id are one state: the first of them is what the pointer names. */
static err *choose(const stored *s, const survey *v, const char *text, uint64_t batch,
                   const char *id, const survey_object **chosen) {
    uint32_t at = 0, count = 0;
    buf ids;
    buf_init(&ids);
    *chosen = NULL;
    for (const survey_object *o; (o = survey_find(v, batch, id, &at));) {
        if (*chosen && !strcmp((*chosen)->p.id, o->p.id)) continue;
        buf_printf(&ids, " %" PRIu64 "-%.8s", batch, o->p.id);
        count += !*chosen || is_needed(*chosen) == is_needed(o);
        if (!*chosen || (is_needed(o) && !is_needed(*chosen))) *chosen = o;
    }
    err *e = NULL;
    if (!*chosen)
        e = err_new(ERR_USAGE,
                    "%s: no object of that batch is stored; `sluice checkpoint ls %s` shows "
                    "which are",
                    text, s->operands);
    else if (count > 1 && !is_needed(*chosen))
        e = err_new(ERR_USAGE, "%s: several objects are of that batch: write one of%s", text,
                    buf_text(&ids));
    buf_done(&ids);
    return e;
}

err *target_find(const stored *s, const survey *v, const char *text, target *t) {
    *t = (target){ 0 };
    char *end;
    uint64_t batch = strtoull(text, &end, 10);
    if (end == text || (*end && *end != '-'))
        return err_new(ERR_USAGE,
                       "%s: wanted a batch as `sluice checkpoint ls %s` shows it, as in 42 or "
                       "42-9f0c1a2b",
                       text, s->operands);
    const survey_object *o;
    err *e = choose(s, v, text, batch, *end ? end + 1 : "", &o);
    return e ? e : target_open(s, &o->p, t);
}

/* -- how far it is */

static int64_t records_between(const progress_source *from, const progress_source *to) {
    int64_t count = 0;
    for (uint32_t i = 0; i < from->count; i++) {
        const progress_partition *now = &from->partitions[i];
        const progress_partition *then = progress_find_partition(to, now->topic, now->number);
        if (then && now->position > then->position) count += now->position - then->position;
    }
    return count;
}

/* One object; false: it is not there any more, or not whole, so nothing is known before it. */
static bool look_at(store *its_store, const char *pipeline, target *t) {
    image_reader *object = NULL;
    object_parts *later = NULL;
    pointer at = t->behind;
    err *e = object_open(its_store, pipeline, &at, NULL, &object, &later);
    if (!e) take_rows_of(t, object, at.batch);
    if (!e) e = object_parent(object, pipeline, &at, &t->behind);
    bool is_there = !e;
    image_reader_free(object);
    object_parts_close(later);
    err_free(e);
    return is_there;
}

void target_look_behind(const stored *s, target *from, const target *to) {
    store its_store = s->store;
    while (from->behind.kind != POINTER_GENESIS && from->behind.batch > to->p.batch)
        if (!look_at(&its_store, s->name, from)) return;
}

/* Batches behind `to` whose rows are known. */
static uint64_t told_between(const target *from, const target *to) {
    uint64_t count = 0;
    for (uint32_t i = 0; i < from->told_count; i++) count += from->told[i] > to->p.batch;
    return count;
}

/* Rows that the batches behind `to` gave a sink, as far as it is known. */
static uint64_t rows_between(const target *from, const target *to, const sl_string *sink) {
    uint64_t rows = 0;
    for (uint32_t i = 0; i < from->row_count; i++) {
        const target_rows *one = &from->rows[i];
        bool is_it = strlen(one->sink) == sink->len && !memcmp(one->sink, sink->data, sink->len);
        if (is_it && one->batch > to->p.batch) rows += one->count;
    }
    return rows;
}

static void put_sink(buf *out, const sl_sink *sink, const target *from, const target *to) {
    uint64_t batches = from->p.batch - to->p.batch, told = told_between(from, to);
    buf_printf(out, "  %.*s: ", (int)sink->name.len, sink->name.data);
    if (sink->kind == SL_SINK_BY_BATCH) {
        buf_put_text(out, "what those batches wrote is written anew, nothing is doubled\n");
        return;
    }
    buf_put_text(out, told == batches ? "gets " : "gets at least ");
    text_put_count(out, rows_between(from, to, &sink->name));
    buf_printf(out, " rows of %" PRIu64 " batches again", batches);
    if (told < batches)
        buf_printf(out, ": so many are known of %" PRIu64 " of them, the objects of the others "
                        "are removed",
                   told);
    buf_put_char(out, '\n');
}

void target_put_distance(buf *out, const stored *s, const target *from, const target *to) {
    for (uint32_t i = 0; i < from->facts.progress.source_count; i++) {
        const progress_source *now = &from->facts.progress.sources[i];
        const progress_source *then = progress_find_source(&to->facts.progress, &now->name, 0);
        if (!then) continue;
        buf_printf(out, "  %.*s: ", (int)now->name.len, now->name.data);
        text_put_count(out, (uint64_t)records_between(now, then));
        buf_put_text(out, " records are read again\n");
    }
    for (uint32_t i = 0; i < s->plan->sink_count; i++) put_sink(out, &s->plan->sinks[i], from, to);
}
