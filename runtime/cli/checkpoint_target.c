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

static err *take_facts(void *arg, const chain_link *link) {
    target *t = arg;
    image_view view;
    if (t->facts.has_progress) progress_done(&t->facts.progress);
    image_rewind(link->read);
    while (image_next(link->read, &view))
        if (view.kind == IMAGE_ROWS) take_rows(t, link->p.batch, &view);
    return show_facts_of(link->read, &t->facts);
}

err *target_open(const stored *s, const pointer *p, target *t) {
    *t = (target){ .p = *p };
    store its_store = s->store;
    err *e = chain_open(&its_store, s->name, p, NULL, &t->chain);
    if (!e) e = chain_hand_out(&t->chain, take_facts, t);
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
    mem_free(t->marks);
    *t = (target){ 0 };
}

static bool is_needed(const survey_object *o) {
    return o->role == SURVEY_CURRENT || o->role == SURVEY_CHAIN;
}

/* Objects of one id are one state: the first of them is what the pointer names. */
static err *choose(const survey *v, const char *text, uint64_t batch, const char *id,
                   const survey_object **chosen) {
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
                    "%s: no object of that batch is stored; `sluice checkpoint ls` shows "
                    "which are",
                    text);
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
        return err_new(ERR_USAGE, "%s: wanted a batch as `sluice checkpoint ls` shows it, as in 42 "
                                  "or 42-9f0c1a2b",
                       text);
    const survey_object *o;
    err *e = choose(v, text, batch, *end ? end + 1 : "", &o);
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

/* Rows that the batches behind `to` gave a sink, as far as their objects are on the chain. */
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
    const chain *ch = &from->chain;
    bool is_all = ch->count && ch->links[ch->count - 1].p.batch <= to->p.batch + 1;
    buf_printf(out, "  %.*s: ", (int)sink->name.len, sink->name.data);
    if (sink->kind == SL_SINK_BY_BATCH) {
        buf_put_text(out, "what those batches wrote is written anew, nothing is doubled\n");
        return;
    }
    buf_put_text(out, is_all ? "gets " : "gets at least ");
    text_put_count(out, rows_between(from, to, &sink->name));
    buf_printf(out, " rows of %" PRIu64 " batches again\n", from->p.batch - to->p.batch);
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
