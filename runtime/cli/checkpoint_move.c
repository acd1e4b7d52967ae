/* `sluice checkpoint recover` and `rollback`: the pointer is committed anew. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/cli/checkpoint_target.h"
#include "runtime/cli/checkpoint_ways.h"
#include "runtime/cli/columns.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/text.h"
#include "state/names.h"

enum { MOST_CANDIDATES = 5 }; /* of one look: each is read whole */

/* What is known of a state; the better ones come first. */
typedef enum standing {
    WAS_COMMITTED, /* or is older than one that was, and the only one of its batch */
    IS_UNSURE,
    NOT_COMMITTED, /* another one was, at that batch or before it */
} standing;

typedef struct candidate {
    survey_object object;
    standing is;
} candidate;

typedef struct move {
    const args *a;
    stored s;
    survey survey;
    target now; /* what is committed, if has_now */
    bool has_now;
    err *trouble; /* why there is none; owned */
    /* " BATCH-ID" of each state that a later object follows: it was current then; the last batch */
    buf followed;
    uint64_t followed_batch;
    candidate found[MOST_CANDIDATES];
    uint32_t found_count;
} move;

static err *move_open(const args *a, move *m) {
    *m = (move){ .a = a };
    buf_init(&m->followed);
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
    buf_done(&m->followed);
    err_free(m->trouble);
    survey_done(&m->survey);
    stored_close(&m->s);
}

/* The pointer of the head's copy; false: there is none. */
static bool head_pointer(const move *m, pointer *p) {
    return m->survey.has_head && pointer_read(m->survey.head.pointer, p) == POINTER_OK;
}

/* The ledger's pointer can be read, whatever has become of its objects. */
static bool knows_pointer(const move *m) { return m->s.count && !m->s.trouble; }

/* The last batch that is known to have been committed. */
static uint64_t last_known(const move *m) {
    pointer head = { 0 };
    uint64_t batch = head_pointer(m, &head) ? head.batch : 0;
    if (knows_pointer(m)) return m->s.pointer.batch > batch ? m->s.pointer.batch : batch;
    return m->followed_batch > batch ? m->followed_batch : batch;
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
        printf("{\"pipeline\":\"%s\",\"next_batch\":%" PRIu64 "}\n", m->s.name, t->p.batch);
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
    uint64_t count = last_known(m) - to->p.batch;
    err *e = err_new(ERR_USAGE, "%s: goes back over %" PRIu64 " committed batch%s, whose output "
                                "comes again:%s%swrite --repeat-output to do it",
                     m->a->to, count, count == 1 ? "" : "es", out.len ? "\n" : " ", buf_text(&out));
    buf_done(&out);
    return e;
}

/* -- recover: what is known of the states */

/* How many states of that batch are followed; or whether `id` is. */
static uint32_t count_followed(const move *m, uint64_t batch, const char *id) {
    char text[64];
    uint32_t count = 0;
    snprintf(text, sizeof text, " %" PRIu64 "-%s", batch, id);
    const char *at = m->followed.data, *end = at + m->followed.len;
    while (at && (at = memmem(at, (size_t)(end - at), text, strlen(text)))) {
        count++;
        at++;
    }
    return count;
}

static void add_followed(move *m, const pointer *p) {
    if (p->kind == POINTER_GENESIS || count_followed(m, p->batch, p->id)) return;
    buf_printf(&m->followed, " %" PRIu64 "-%s", p->batch, p->id);
    if (p->batch > m->followed_batch) m->followed_batch = p->batch;
}

/* A batch begins when the one before is committed: whoever has a successor was current. That holds
 * of what could be read of a broken chain, too. */
static void learn(move *m, const chain *ch) {
    if (!ch->count) return;
    for (uint32_t i = 1; i < ch->count; i++) add_followed(m, &ch->links[i].p);
    /* of a stand-in that is its own delta */
    if (strcmp(ch->behind.id, ch->links[ch->count - 1].p.id)) add_followed(m, &ch->behind);
}

static bool is_only_one(const move *m, const pointer *p) {
    for (uint32_t i = 0; i < m->survey.count; i++) {
        const pointer *other = &m->survey.objects[i].p;
        if (other->batch == p->batch && strcmp(other->id, p->id)) return false;
    }
    return true;
}

/* What is known to be committed of a partition; -1: nothing. */
static int64_t known_offset(const move *m, const sl_mark *mark) {
    uint32_t count = knows_pointer(m) ? m->s.count : m->survey.head.count;
    const sl_committed *items = knows_pointer(m) ? m->s.committed : m->survey.head.items;
    for (uint32_t i = 0; i < count; i++)
        if (items[i].mark.partition == mark->partition && !strcmp(items[i].mark.topic, mark->topic))
            return items[i].mark.offset;
    return -1;
}

/* Of a batch that died, and was cut otherwise when it was done again, the state may be left alone:
 * it has read what nothing has come out of. Offsets tell; without Kafka's there are none. */
static bool reads_beyond(const move *m, const target *t) {
    for (uint32_t i = 0; i < t->count; i++)
        if (t->marks[i].offset > known_offset(m, &t->marks[i])) return true;
    return false;
}

/* The chain passes by the state that was committed: it was gone back behind, or never was. */
static bool passes_by(const chain *ch, const pointer *known) {
    for (uint32_t i = 0; i < ch->count; i++) {
        const pointer *p = &ch->links[i].p;
        if (p->batch == known->batch && strcmp(p->id, known->id)) return true;
    }
    return false;
}

static bool is_ruled_out(const move *m, const pointer *p, const chain *ch) {
    pointer head;
    if (knows_pointer(m))
        return p->batch > m->s.pointer.batch || passes_by(ch, &m->s.pointer);
    return head_pointer(m, &head) && passes_by(ch, &head);
}

/* Once all objects of later batches were read. */
static standing standing_of(const move *m, const target *t) {
    const pointer *p = &t->p;
    const chain *ch = &t->chain;
    pointer head;
    if (head_pointer(m, &head) && !strcmp(head.id, p->id)) return WAS_COMMITTED;
    if (knows_pointer(m) && !strcmp(m->s.pointer.id, p->id)) return WAS_COMMITTED;
    if (is_ruled_out(m, p, ch)) return NOT_COMMITTED;
    /* where two of one batch are followed, one was gone back behind */
    uint32_t count = count_followed(m, p->batch, "");
    if (count_followed(m, p->batch, p->id)) return count == 1 ? WAS_COMMITTED : IS_UNSURE;
    if (count) return NOT_COMMITTED;
    bool is_older = p->batch < last_known(m) && is_only_one(m, p);
    return is_older && !reads_beyond(m, t) ? WAS_COMMITTED : IS_UNSURE;
}

static const char *word_of(const move *m, const candidate *c) {
    const pointer *p = &c->object.p;
    pointer head;
    if (c->is == NOT_COMMITTED) return "not committed: another state was";
    if (c->is == IS_UNSURE) return "not known to be committed: its output may be missing";
    if (p->batch < last_known(m)) return "older: output since then would come again";
    if (head_pointer(m, &head) && !strcmp(head.id, p->id))
        return "committed: the copy of the pointer says so";
    return "committed: a later object follows it";
}

/* Behind those that are as good or better; the last one falls out of a full list. */
static void add_candidate(move *m, const survey_object *o, standing is) {
    candidate c = { *o, is };
    uint32_t at = m->found_count;
    while (at > 0 && m->found[at - 1].is > c.is) at--;
    if (at == MOST_CANDIDATES) return;
    if (m->found_count < MOST_CANDIDATES) m->found_count++;
    for (uint32_t i = m->found_count - 1; i > at; i--) m->found[i] = m->found[i - 1];
    m->found[at] = c;
}

/* States that are whole, newest first, until there are enough that were committed. */
static void find_candidates(move *m) {
    const survey *v = &m->survey;
    for (uint32_t i = v->count; i > 0; i--) {
        const survey_object *o = &v->objects[i - 1];
        bool is_full = m->found_count == MOST_CANDIDATES;
        if (is_full && m->found[MOST_CANDIDATES - 1].is == WAS_COMMITTED) return;
        /* a full object that stands for a delta has its id, and is of the same state */
        if (!o->has_first || (i < v->count && !strcmp(v->objects[i].p.id, o->p.id))) continue;
        target t;
        err *e = target_open(&m->s, &o->p, &t);
        standing is = standing_of(m, &t);
        if (!is_ruled_out(m, &o->p, &t.chain)) learn(m, &t.chain);
        if (!e) add_candidate(m, o, is);
        err_free(e);
        target_done(&t);
    }
}

/* -- recover: what could be gone on from */

static void put_candidates(buf *out, const move *m) {
    columns c;
    columns_begin(&c, "--to|written (UTC)|is");
    for (uint32_t i = 0; i < m->found_count; i++) {
        const survey_object *o = &m->found[i].object;
        columns_put(&c, "%" PRIu64 "-%.8s", o->p.batch, o->p.id);
        columns_put_time(&c, o->changed_ms);
        columns_put(&c, "%s", word_of(m, &m->found[i]));
    }
    columns_end(&c, out);
}

/* Its start was committed, and nothing after it is known to have been. */
static bool starts_anew(const move *m) {
    pointer head;
    if (!head_pointer(m, &head) || head.kind != POINTER_GENESIS) return false;
    return !last_known(m) && (!m->found_count || m->found[0].is != WAS_COMMITTED);
}

/* With the flags that it would be asked for. */
static void put_suggestion(buf *out, const move *m) {
    if (starts_anew(m)) {
        buf_printf(out, "`sluice checkpoint recover %s --to 0` commits its start anew, which is "
                        "all that is known to be committed\n",
                   m->s.operands);
        return;
    }
    if (!m->found_count) return;
    const candidate *best = &m->found[0];
    const pointer *p = &best->object.p;
    buf_printf(out, "`sluice checkpoint recover %s --to %" PRIu64 "-%.8s%s%s` commits the pointer "
                    "to %s, with the offsets that belong to it\n",
               m->s.operands, p->batch, p->id, p->batch < last_known(m) ? " --repeat-output" : "",
               best->is == WAS_COMMITTED ? "" : " --may-lose-output",
               m->found_count > 1 ? "the first" : "it");
}

static void put_candidates_json(buf *out, const move *m) {
    buf_put_char(out, '{');
    show_json_text(out, "pipeline", m->s.name);
    if (m->trouble) show_json_text(out, "trouble", m->trouble->message);
    buf_put_text(out, ",\"candidates\":[");
    for (uint32_t i = 0; i < m->found_count; i++) {
        const survey_object *o = &m->found[i].object;
        char to[64];
        snprintf(to, sizeof to, "%" PRIu64 "-%s", o->p.batch, o->p.id);
        buf_put_text(out, i ? ",{" : "{");
        show_json_text(out, "to", to);
        show_json_number(out, "next_batch", (int64_t)o->p.batch);
        show_json_number(out, "written_ms", o->changed_ms);
        show_json_text(out, "is", word_of(m, &m->found[i]));
        buf_put_char(out, '}');
    }
    buf_put_text(out, "]}\n");
}

static err *refuse_empty(const move *m) {
    buf title;
    err *e = err_new(ERR_REFUSED, "%s: nothing is stored, and nothing committed: is this the "
                                  "folder or bucket that it ran with, and the name? With a file "
                                  "of `sluice checkpoint export`: `sluice checkpoint import %s "
                                  "FILE`",
                     stored_title(&m->s, &title), m->s.operands);
    buf_done(&title);
    return e;
}

/* Nothing here can be gone on from: what else there is. */
static bool is_lost(const move *m) {
    return m->trouble && !m->found_count && !starts_anew(m);
}

static err *refuse_lost(const move *m) {
    buf ways;
    buf_init(&ways);
    ways_put(&ways, &m->s, &m->survey);
    err *e = err_new(ERR_REFUSED, "%s\nno state that is whole is stored; %s", m->trouble->message,
                     buf_text(&ways));
    buf_done(&ways);
    return e;
}

/* Which batches were committed that this place knows nothing of; or that it cannot tell. */
static void put_doubts(buf *out, const move *m) {
    pointer head;
    if (!head_pointer(m, &head)) return;
    if (knows_pointer(m) && m->s.pointer.batch > head.batch)
        buf_printf(out, "%" PRIu64 " batches are committed, and here the last commit is of batch "
                        "%" PRIu64 ": if this is an older copy of the folder, give the one that it "
                        "ran with\n",
                   m->s.pointer.batch, head.batch);
    if (knows_pointer(m)) return;
    buf_put_text(out, "the copy of the pointer is of ");
    text_put_time(out, m->survey.head.written_ms, INT64_MIN);
    buf_put_text(out, " UTC: whether more was committed since cannot be told here; if this is an "
                      "older copy of the folder, give the one that it ran with\n");
}

static void show_candidates(const move *m) {
    buf out, title;
    buf_init(&out);
    const char *name = stored_title(&m->s, &title);
    if (m->a->json) {
        put_candidates_json(&out, m);
    } else if (!m->trouble) {
        buf_printf(&out, "%s: nothing is to be recovered; `sluice checkpoint rollback` goes back\n",
                   name);
    } else {
        buf_printf(&out, "%s\n", m->trouble->message);
        if (m->found_count) buf_put_text(&out, "whole are:\n");
        if (m->found_count) put_candidates(&out, m);
        put_doubts(&out, m);
        put_suggestion(&out, m);
    }
    buf_done(&title);
    show_text(&out);
}

/* Going forward onto what may never have been: that must be said, too. */
static err *refuse_loss(const move *m, const target *to) {
    standing is = standing_of(m, to);
    if (m->a->loses || is == WAS_COMMITTED) return NULL;
    const char *what = is == IS_UNSURE ? "is not known to be committed" : "was not committed";
    return err_new(ERR_USAGE, "%s: that state %s: what its last batch gave the sinks may be "
                              "missing there, and would not come again. Write --may-lose-output "
                              "to go on from it",
                   m->a->to, what);
}

/* A run that committed its start and nothing more has no object: its copy has the offsets. */
static err *recover_genesis(move *m, const pointer *head) {
    target t = { .p = *head, .count = m->survey.head.count };
    t.marks = mem_alloc((t.count + 1) * sizeof *t.marks);
    for (uint32_t i = 0; i < t.count; i++) t.marks[i] = m->survey.head.items[i].mark;
    err *e = refuse_repeats(m, NULL, &t);
    if (!e) e = commit_target(m, &t);
    target_done(&t);
    return e;
}

static err *recover(move *m) {
    pointer head;
    bool is_empty = !m->s.count && !m->survey.count && !m->survey.has_head;
    if (is_empty) return refuse_empty(m);
    if (m->trouble) find_candidates(m);
    if (!m->a->to && (m->a->json || !is_lost(m))) show_candidates(m);
    if (is_lost(m)) return refuse_lost(m);
    if (!m->a->to) return NULL;
    if (m->has_now)
        return err_new(ERR_USAGE, "`%s` has a pointer, and its state is whole: nothing is to be "
                                  "recovered; `sluice checkpoint rollback` goes back",
                       m->s.name);
    if (head_pointer(m, &head) && head.kind == POINTER_GENESIS && !strcmp(m->a->to, "0"))
        return recover_genesis(m, &head);
    target t;
    err *e = target_find(&m->s, &m->survey, m->a->to, &t);
    if (!e) e = refuse_repeats(m, NULL, &t);
    if (!e) e = refuse_loss(m, &t);
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
                       m->s.operands);
    if (!m->has_now)
        return err_new(m->trouble->code, "%s. `sluice checkpoint recover %s` is for that",
                       m->trouble->message, m->s.operands);
    target to;
    err *e = target_find(&m->s, &m->survey, m->a->to, &to);
    if (!e && to.p.batch >= m->now.p.batch)
        e = err_new(ERR_USAGE, "%s: `%s` has done %" PRIu64 " batches: wanted fewer", m->a->to,
                    m->s.name, m->now.p.batch);
    if (!e) target_look_behind(&m->s, &m->now, &to);
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
