/* `sluice checkpoint recover` and `rollback`: the pointer is committed anew. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/cli/checkpoint_target.h"
#include "runtime/cli/columns.h"
#include "runtime/cli/commands.h"
#include "state/names.h"

enum { MOST_CANDIDATES = 5 }; /* of one look: each is read whole */

typedef struct move {
    const args *a;
    stored s;
    survey survey;
    target now; /* what is committed, if has_now */
    bool has_now;
    err *trouble; /* why there is none; owned */
} move;

static err *move_open(const args *a, move *m) {
    *m = (move){ .a = a };
    err *e = stored_open(a, NULL, &m->s);
    if (!e) e = survey_open(&m->s.store, m->s.name, &m->survey);
    if (e) return e;
    m->trouble = stored_need_pointer(&m->s);
    if (m->trouble && m->trouble->code != ERR_REFUSED) {
        e = m->trouble;
        m->trouble = NULL;
        return e;
    }
    if (!m->trouble) m->trouble = target_open(&m->s, &m->s.pointer, &m->now);
    m->has_now = !m->trouble;
    if (m->has_now) survey_mark(&m->survey, &m->now.chain, &m->s.pointer);
    return NULL;
}

static void move_done(move *m) {
    target_done(&m->now);
    err_free(m->trouble);
    survey_done(&m->survey);
    stored_close(&m->s);
}

/* The pointer of the head's copy; false: there is none. */
static bool head_pointer(const move *m, pointer *p) {
    return m->survey.has_head && pointer_read(m->survey.head.pointer, p) == POINTER_OK;
}

/* The last batch that is known to have been committed. */
static uint64_t last_known(const move *m) {
    pointer head = { 0 };
    uint64_t batch = head_pointer(m, &head) ? head.batch : 0;
    if (m->s.count && !m->s.trouble && m->s.pointer.batch > batch) batch = m->s.pointer.batch;
    return batch;
}

static err *refuse_grown(const move *m, const target *t) {
    if (!m->s.count || m->s.count == t->count) return NULL;
    return err_new(ERR_REFUSED,
                   "batch %" PRIu64 " was committed for %u partitions, and %u have offsets now: "
                   "the topics have grown since, or somebody else committed for others. Delete "
                   "the offsets of those first (kafka-consumer-groups.sh --delete-offsets)",
                   t->p.batch, t->count, m->s.count);
}

/* Whoever goes back mostly does so to run another script, which a plan of the old one would keep
 * from it: sinks give up what those batches wrote, so they may be cut anew. */
static err *forget_plan(const move *m, const target *t) {
    char name[OBJECT_NAME_BYTES];
    if (t->p.batch >= last_known(m)) return NULL;
    names_plan(name, m->s.name, &t->p);
    return m->s.store.ops->remove(m->s.store.handle, name);
}

static err *commit_target(move *m, const target *t) {
    err *e = refuse_grown(m, t);
    if (!e) e = stored_refuse_running(&m->s);
    if (!e) e = forget_plan(m, t);
    if (!e) e = stored_commit(&m->s, &t->p, t->marks, t->count);
    if (e) return e;
    if (m->a->json)
        printf("{\"pipeline\":\"%s\",\"committed_batch\":%" PRIu64 "}\n", m->s.name, t->p.batch);
    else
        printf("`%s` goes on from batch %" PRIu64 "\n", m->s.name, t->p.batch);
    return NULL;
}

/* Going back repeats output: that must be said. */
static err *refuse_repeats(const move *m, const target *from, const target *to) {
    if (m->a->repeats || to->p.batch >= last_known(m)) return NULL;
    buf out;
    buf_init(&out);
    if (from) target_put_distance(&out, &m->s, from, to);
    err *e = err_new(ERR_USAGE, "%s: goes back over %" PRIu64 " committed batches, whose output "
                                "comes again:\n%swrite --repeat-output to do it",
                     m->a->to, last_known(m) - to->p.batch, buf_text(&out));
    buf_done(&out);
    return e;
}

/* -- recover: what could be gone on from */

static const char *word_of(const move *m, const pointer *p) {
    pointer head;
    bool has_head = head_pointer(m, &head);
    if (has_head && !strcmp(head.id, p->id)) return "committed: the copy of the pointer says so";
    if (p->batch < last_known(m)) return "older: output since then would come again";
    if (has_head) return "not known to be committed: its output may be missing";
    return "not known to be committed";
}

/* States that are whole, newest first; further ones cost reading. */
static uint32_t find_candidates(const move *m, survey_object *found) {
    uint32_t count = 0;
    for (uint32_t i = m->survey.count; i > 0 && count < MOST_CANDIDATES; i--) {
        const survey_object *o = &m->survey.objects[i - 1];
        target t;
        if (!o->has_first) continue;
        err *e = target_open(&m->s, &o->p, &t);
        if (!e) found[count++] = *o;
        err_free(e);
        target_done(&t);
    }
    return count;
}

static void put_candidates(buf *out, const move *m, const survey_object *found, uint32_t count) {
    columns c;
    columns_begin(&c, "--to|written (UTC)|is");
    for (uint32_t i = 0; i < count; i++) {
        columns_put(&c, "%" PRIu64 "-%.8s", found[i].p.batch, found[i].p.id);
        columns_put_time(&c, found[i].changed_ms);
        columns_put(&c, "%s", word_of(m, &found[i].p));
    }
    columns_end(&c, out);
}

static void put_candidates_json(buf *out, const move *m, const survey_object *found,
                                uint32_t count) {
    buf_put_char(out, '{');
    show_json_text(out, "pipeline", m->s.name);
    if (m->trouble) show_json_text(out, "trouble", m->trouble->message);
    buf_put_text(out, ",\"candidates\":[");
    for (uint32_t i = 0; i < count; i++) {
        char to[64];
        snprintf(to, sizeof to, "%" PRIu64 "-%s", found[i].p.batch, found[i].p.id);
        buf_put_text(out, i ? ",{" : "{");
        show_json_text(out, "to", to);
        show_json_number(out, "batch", (int64_t)found[i].p.batch);
        show_json_number(out, "written_ms", found[i].changed_ms);
        show_json_text(out, "is", word_of(m, &found[i].p));
        buf_put_char(out, '}');
    }
    buf_put_text(out, "]}\n");
}

static err *show_candidates(const move *m) {
    survey_object found[MOST_CANDIDATES];
    uint32_t count = find_candidates(m, found);
    buf out, title;
    buf_init(&out);
    const char *name = stored_title(&m->s, &title);
    if (m->a->json) {
        put_candidates_json(&out, m, found, count);
    } else if (!m->trouble) {
        buf_printf(&out, "%s: nothing is to be recovered; `sluice checkpoint rollback` goes back\n",
                   name);
    } else {
        buf_printf(&out, "%s\n", m->trouble->message);
        buf_printf(&out, count ? "whole are:\n" : "no state that is whole is stored\n");
        put_candidates(&out, m, found, count);
        if (count)
            buf_printf(&out, "`sluice checkpoint recover %s --to %" PRIu64 "-%.8s` commits the "
                             "pointer to one, with the offsets that belong to it\n",
                       m->a->operand, found[0].p.batch, found[0].p.id);
    }
    buf_done(&title);
    show_text(&out);
    return NULL;
}

/* A run that committed its start and nothing more has no object: its copy has the offsets. */
static err *recover_genesis(move *m, const pointer *head) {
    target t = { .p = *head, .count = m->survey.head.count };
    t.marks = mem_alloc((t.count + 1) * sizeof *t.marks);
    for (uint32_t i = 0; i < t.count; i++) t.marks[i] = m->survey.head.items[i].mark;
    err *e = commit_target(m, &t);
    target_done(&t);
    return e;
}

static err *recover(move *m) {
    pointer head;
    if (!m->a->to) return show_candidates(m);
    if (head_pointer(m, &head) && head.kind == POINTER_GENESIS && !strcmp(m->a->to, "0"))
        return recover_genesis(m, &head);
    if (m->has_now)
        return err_new(ERR_USAGE, "`%s` has a pointer, and its state is whole: nothing is to be "
                                  "recovered; `sluice checkpoint rollback` goes back",
                       m->s.name);
    target t;
    err *e = target_find(&m->s, &m->survey, m->a->to, &t);
    if (!e) e = refuse_repeats(m, NULL, &t);
    if (!e) e = commit_target(m, &t);
    target_done(&t);
    return e;
}

int command_checkpoint_recover(const args *a) {
    move m;
    err *e = move_open(a, &m);
    if (!e) e = recover(&m);
    move_done(&m);
    return e ? command_failed(e) : 0;
}

/* -- rollback */

static err *rollback(move *m) {
    if (!m->a->to)
        return err_new(ERR_USAGE,
                       "checkpoint rollback: wanted --to BATCH; `sluice checkpoint ls %s` "
                       "shows which are stored",
                       m->a->operand);
    if (!m->has_now)
        return err_new(m->trouble->code, "%s. `sluice checkpoint recover %s` is for that",
                       m->trouble->message, m->a->operand);
    target to;
    err *e = target_find(&m->s, &m->survey, m->a->to, &to);
    if (!e && to.p.batch >= m->now.p.batch)
        e = err_new(ERR_USAGE, "%s: `%s` has done %" PRIu64 " batches: wanted fewer", m->a->to,
                    m->s.name, m->now.p.batch);
    if (!e) e = refuse_repeats(m, &m->now, &to);
    if (!e && !m->a->json) {
        buf out;
        buf_init(&out);
        target_put_distance(&out, &m->s, &m->now, &to);
        show_text(&out);
    }
    if (!e) e = commit_target(m, &to);
    target_done(&to);
    return e;
}

int command_checkpoint_rollback(const args *a) {
    move m;
    err *e = move_open(a, &m);
    if (!e) e = rollback(&m);
    move_done(&m);
    return e ? command_failed(e) : 0;
}
