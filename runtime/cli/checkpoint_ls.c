/* `sluice checkpoint ls` and `verify`: what is stored, and whether it is whole. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/cli/checkpoint_show.h"
#include "runtime/cli/columns.h"
#include "runtime/cli/commands.h"
#include "runtime/event/watermark.h"

/* What a look found. */
typedef struct look {
    stored s;
    survey survey;
    chain chain;
    show_facts facts; /* of the current object */
    bool has_pointer;
    err *trouble; /* of the ledger or the chain: why it cannot be gone on from; owned */
} look;

static err *take_facts(void *arg, const chain_link *link) {
    look *l = arg;
    if (l->facts.has_progress) progress_done(&l->facts.progress);
    return show_facts_of(link->read, &l->facts);
}

/* A ledger that does not answer, or says nothing that can be used, is told; the store is shown all
 * the same. */
static err *look_at(const args *a, look *l) {
    *l = (look){ 0 };
    err *e = stored_open(a, NULL, &l->s);
    if (!e) e = survey_open(&l->s.store, l->s.name, &l->survey);
    if (e) return e;
    err *trouble = stored_need_pointer(&l->s);
    if (trouble && !l->s.count && trouble->code == ERR_REFUSED && !l->survey.count) {
        err_free(trouble); /* it never ran: nothing is wrong */
        return NULL;
    }
    l->has_pointer = !trouble;
    if (!trouble)
        trouble = chain_open(&l->s.store, l->s.name, &l->s.pointer, NULL, &l->chain);
    if (!trouble) survey_mark(&l->survey, &l->chain, &l->s.pointer);
    if (!trouble) trouble = chain_hand_out(&l->chain, take_facts, l);
    l->trouble = trouble;
    return NULL;
}

static void look_done(look *l) {
    if (l->facts.has_progress) progress_done(&l->facts.progress);
    err_free(l->trouble);
    chain_done(&l->chain);
    survey_done(&l->survey);
    stored_close(&l->s);
}

/* -- JSON */

static void put_offsets_json(buf *out, const look *l) {
    buf_put_text(out, ",\"offsets\":[");
    for (uint32_t i = 0; i < l->s.count; i++) {
        const sl_mark *mark = &l->s.committed[i].mark;
        buf_put_text(out, i ? ",{" : "{");
        show_json_text(out, "topic", mark->topic);
        show_json_number(out, "partition", mark->partition);
        show_json_number(out, "offset", mark->offset);
        buf_put_char(out, '}');
    }
    buf_put_char(out, ']');
}

static void put_time_json(buf *out, const char *name, int64_t time_ms) {
    if (time_ms == WATERMARK_NONE)
        buf_printf(out, ",\"%s\":null", name);
    else
        show_json_number(out, name, time_ms);
}

static void put_progress_json(buf *out, const progress *p) {
    buf_put_text(out, ",\"sources\":[");
    for (uint32_t i = 0; i < p->source_count; i++) {
        const progress_source *source = &p->sources[i];
        char *name = mem_copy_text(source->name.data, source->name.len);
        buf_put_text(out, i ? ",{" : "{");
        show_json_text(out, "name", name);
        put_time_json(out, "watermark_ms", source->time);
        buf_put_text(out, ",\"partitions\":[");
        for (uint32_t n = 0; n < source->count; n++) {
            buf_put_text(out, n ? ",{" : "{");
            show_json_text(out, "topic", source->partitions[n].topic);
            show_json_number(out, "partition", source->partitions[n].number);
            show_json_number(out, "position", source->partitions[n].position);
            put_time_json(out, "highest_ms", source->partitions[n].high);
            buf_put_char(out, '}');
        }
        buf_put_text(out, "]}");
        mem_free(name);
    }
    buf_put_char(out, ']');
}

static void put_folders_json(buf *out, const survey *v) {
    const struct {
        const char *name;
        const survey_folder *folder;
    } FOLDERS[] = { { "plans", &v->plans },
                    { "journals", &v->journals },
                    { "scripts", &v->scripts },
                    { "commits", &v->commits } };
    for (size_t i = 0; i < sizeof FOLDERS / sizeof *FOLDERS; i++)
        buf_printf(out, ",\"%s\":{\"count\":%" PRIu64 ",\"bytes\":%" PRId64 "}", FOLDERS[i].name,
                   FOLDERS[i].folder->count, FOLDERS[i].folder->bytes);
}

static void put_json(buf *out, const look *l, const char *verdict) {
    const stored *s = &l->s;
    char *ledger = mem_copy_text(s->plan->checkpoint.ledger.data, s->plan->checkpoint.ledger.len);
    buf_put_char(out, '{');
    show_json_text(out, "pipeline", s->name);
    show_json_text(out, "store", s->store.url);
    show_json_text(out, "store_id", l->survey.store_id);
    show_json_text(out, "ledger", ledger);
    if (verdict) show_json_text(out, "verdict", verdict);
    if (l->trouble) show_json_text(out, "trouble", l->trouble->message);
    if (l->has_pointer) {
        show_json_text(out, "pointer", s->committed[0].pointer);
        show_json_number(out, "next_batch", (int64_t)s->pointer.batch);
    }
    if (s->count) put_offsets_json(out, l);
    if (l->facts.has_progress) {
        show_json_number(out, "processing_time_ms", l->facts.created_ms);
        buf_printf(out, ",\"script\":\"%016" PRIx64 "\"", l->facts.script_hash);
        put_progress_json(out, &l->facts.progress);
    }
    show_objects_json(out, &l->survey);
    put_folders_json(out, &l->survey);
    buf_put_text(out, "}\n");
    mem_free(ledger);
}

/* -- for people */

static void put_pointer(buf *out, const look *l) {
    const stored *s = &l->s;
    if (!l->has_pointer) {
        if (!l->trouble) buf_put_text(out, "nothing is stored, and nothing committed\n");
        return;
    }
    char name[96];
    pointer_object(&s->pointer, name);
    buf_put_text(out, "committed: ");
    if (s->pointer.batch)
        buf_printf(out, "batches 0 to %" PRIu64, s->pointer.batch - 1);
    else
        buf_put_text(out, "no batch");
    buf_printf(out, ", %u partition%s, %s\n", s->count, s->count == 1 ? "" : "s",
               name[0] ? name : "nothing processed yet");
}

static void put_progress(buf *out, const look *l) {
    const progress *p = &l->facts.progress;
    if (!l->facts.has_progress) return;
    columns c;
    columns_begin(&c, "read|>partition|>next offset|highest event time (UTC)");
    for (uint32_t i = 0; i < p->source_count; i++) {
        for (uint32_t n = 0; n < p->sources[i].count; n++) {
            const progress_partition *at = &p->sources[i].partitions[n];
            columns_put(&c, "%s", at->topic);
            columns_put(&c, "%" PRId32, at->number);
            columns_put_count(&c, (uint64_t)at->position);
            if (at->high == WATERMARK_NONE)
                columns_put(&c, "-");
            else
                columns_put_time(&c, at->high);
        }
    }
    buf_put_char(out, '\n');
    columns_end(&c, out);
}

static void put_folder(buf *out, const char *name, const survey_folder *f) {
    if (!f->count) return;
    buf_printf(out, ", %" PRIu64 " %s%s", f->count, name, f->count == 1 ? "" : "s");
}

static void put_all(buf *out, const look *l) {
    buf title;
    buf_printf(out, "checkpoint of %s", stored_title(&l->s, &title));
    if (l->survey.store_id[0]) buf_printf(out, " (store %.8s)", l->survey.store_id);
    buf_put_char(out, '\n');
    buf_done(&title);
    put_pointer(out, l);
    put_progress(out, l);
    if (!l->survey.count) return;
    buf_put_char(out, '\n');
    show_objects(out, &l->survey);
    buf_printf(out, "  %u object%s", l->survey.count, l->survey.count == 1 ? "" : "s");
    put_folder(out, "plan", &l->survey.plans);
    put_folder(out, "journal", &l->survey.journals);
    put_folder(out, "script", &l->survey.scripts);
    put_folder(out, "commit", &l->survey.commits);
    buf_put_char(out, '\n');
}

int command_checkpoint_ls(const args *a) {
    look l;
    buf out;
    buf_init(&out);
    err *e = look_at(a, &l);
    if (!e && a->json) put_json(&out, &l, NULL);
    if (!e && !a->json) put_all(&out, &l);
    show_text(&out);
    if (!e && l.trouble) e = err_new(l.trouble->code, "%s", l.trouble->message);
    look_done(&l);
    return e ? command_failed(e) : 0;
}

/* -- verify */

static uint32_t count_role(const survey *v, survey_role role) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < v->count; i++) count += v->objects[i].role == role;
    return count;
}

static void put_verdict(buf *out, const look *l) {
    buf title;
    const char *name = stored_title(&l->s, &title);
    if (!l->has_pointer && !l->trouble)
        buf_printf(out, "%s: nothing is stored, and nothing committed\n", name);
    else if (!l->trouble)
        buf_printf(out, "%s: whole: %u object%s read, each of them undamaged and following the one "
                        "before\n",
                   name, l->chain.count, l->chain.count == 1 ? "" : "s");
    buf_done(&title);
    uint32_t orphans = count_role(&l->survey, SURVEY_ORPHAN);
    uint32_t older = count_role(&l->survey, SURVEY_OLDER);
    if (older)
        buf_printf(out, "%u older object%s: kept for history, or not yet removed\n", older,
                   older == 1 ? "" : "s");
    if (!orphans) return;
    buf_printf(out, "%u object%s of batches that were not committed; a later run removes them:\n",
               orphans, orphans == 1 ? "" : "s");
    for (uint32_t i = 0; i < l->survey.count; i++) {
        char object[96];
        if (l->survey.objects[i].role != SURVEY_ORPHAN) continue;
        pointer_object(&l->survey.objects[i].p, object);
        buf_printf(out, "  %s\n", object);
    }
}

int command_checkpoint_verify(const args *a) {
    look l;
    buf out;
    buf_init(&out);
    err *e = look_at(a, &l);
    if (!e && a->json) put_json(&out, &l, l.trouble ? "broken" : "whole");
    if (!e && !a->json) put_verdict(&out, &l);
    show_text(&out);
    if (!e && l.trouble && (l.trouble->code != ERR_REFUSED || l.trouble->fatal))
        e = err_new(l.trouble->code, "%s", l.trouble->message);
    if (!e && l.trouble)
        e = err_new(ERR_REFUSED, "%s\n`sluice checkpoint recover %s` shows which states are whole, "
                                 "and goes back to one",
                    l.trouble->message, l.s.operands);
    look_done(&l);
    return e ? command_failed(e) : 0;
}
