/* `sluice state diff`: what changed between two batches, group by group. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/json_text.h"
#include "runtime/base/mem.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/state_view.h"

enum { MOST_SHOWN = 100 }; /* for people; JSON has all */

/* An operator's tables before and after. */
typedef struct pair {
    const state_table *before, *after; /* NULL: it has none */
    const state_member **partners;     /* by member of `after`: that of `before`, or NULL; owned */
    bool is_anew;                      /* its states are laid out in another way */
} pair;

typedef struct diff {
    const args *a;
    stored s;
    survey survey;
    state_view before, after;
    pair *pairs; /* by section, those of `after` first; owned */
    uint32_t pair_count;
    bool is_anew; /* one is */
    buf out;
    uint64_t count;
} diff;

typedef enum change_kind { CHANGE_NEW,
                           CHANGE_GONE,
                           CHANGE_CHANGED } change_kind;

/* -- which members are compared */

static const state_table *same_table(const state_view *v, const state_table *t) {
    for (uint32_t i = 0; t && i < v->count; i++)
        if (!strcmp(v->tables[i].section, t->section)) return &v->tables[i];
    return NULL;
}

static const state_member *same_name(const state_table *t, const state_member *m) {
    for (uint32_t i = 0; i < t->member_count; i++)
        if (!strcmp(t->members[i].name, m->name)) return &t->members[i];
    return NULL;
}

static bool is_same_layout(const state_table *a, const state_table *b) {
    bool is_same = a->state_size == b->state_size && a->member_count == b->member_count;
    for (uint32_t i = 0; is_same && i < a->member_count; i++) {
        const state_member *x = &a->members[i], *y = &b->members[i];
        is_same = x->offset == y->offset && x->part == y->part && !strcmp(x->name, y->name) &&
                  !strcmp(x->type, y->type);
    }
    return is_same;
}

/* Members go by name. */
static void match_members(pair *p) {
    const state_table *before = p->before, *after = p->after;
    p->is_anew = !is_same_layout(before, after);
    for (uint32_t i = 0; i < after->member_count; i++) {
        const state_member *was = same_name(before, &after->members[i]);
        if (was && state_may_compare(was, &after->members[i])) p->partners[i] = was;
    }
}

static void add_pair(diff *d, const state_table *before, const state_table *after) {
    pair *p = &d->pairs[d->pair_count++];
    uint32_t count = after ? after->member_count : 0;
    *p = (pair){ .before = before, .after = after };
    p->partners = mem_zalloc(count + 1u, sizeof *p->partners);
    if (before && after) match_members(p);
    d->is_anew |= p->is_anew;
}

static void find_pairs(diff *d) {
    d->pairs = mem_zalloc(d->before.count + d->after.count + 1u, sizeof *d->pairs);
    for (uint32_t i = 0; i < d->after.count; i++)
        add_pair(d, same_table(&d->before, &d->after.tables[i]), &d->after.tables[i]);
    for (uint32_t i = 0; i < d->before.count; i++)
        if (!same_table(&d->after, &d->before.tables[i])) add_pair(d, &d->before.tables[i], NULL);
}

static void free_pairs(diff *d) {
    for (uint32_t i = 0; i < d->pair_count; i++) mem_free(d->pairs[i].partners);
    mem_free(d->pairs);
}

/* Whether member `m` of one of them has none in the other that it is compared with. */
static bool is_alone(const pair *p, const state_member *m, bool is_of_before) {
    for (uint32_t i = 0; i < p->after->member_count; i++) {
        const state_member *one = is_of_before ? p->partners[i] : &p->after->members[i];
        if (one == m) return !p->partners[i];
    }
    return true;
}

/* The names of those that are not compared. */
static void put_alone(diff *d, const pair *p, bool is_of_before) {
    const state_table *t = is_of_before ? p->before : p->after;
    uint32_t count = 0;
    for (uint32_t i = 0; i < t->member_count; i++) {
        if (!is_alone(p, &t->members[i], is_of_before)) continue;
        buf_put_text(&d->out, count++ ? (d->a->json ? "," : ", ") : "");
        if (d->a->json)
            json_text_put(&d->out, t->members[i].name, strlen(t->members[i].name));
        else
            buf_printf(&d->out, "`%s`", t->members[i].name);
    }
    if (!count && !d->a->json) buf_put_text(&d->out, "nothing");
}

/* A script with other aggregates, or other members, went on with the state: what that leaves. */
static void put_layouts(diff *d) {
    bool is_first = true;
    for (uint32_t i = 0; i < d->pair_count; i++) {
        const pair *p = &d->pairs[i];
        if (!p->is_anew) continue;
        if (d->a->json) {
            buf_put_text(&d->out, is_first ? "{" : ",{");
            show_json_text(&d->out, "operator", p->after->section);
            buf_put_text(&d->out, ",\"only_from\":[");
            put_alone(d, p, true);
            buf_put_text(&d->out, "],\"only_to\":[");
            put_alone(d, p, false);
            buf_put_text(&d->out, "]}");
        } else {
            buf_printf(&d->out, "%s: laid out anew between the two; not compared: of the first ",
                       p->after->section);
            put_alone(d, p, true);
            buf_put_text(&d->out, ", of the second ");
            put_alone(d, p, false);
            buf_put_char(&d->out, '\n');
        }
        is_first = false;
    }
}

/* -- what differs */

static void put_change(diff *d, const state_table *t, const pane *p, change_kind kind,
                       const entry *one) {
    static const char *const WORDS[] = { "new", "gone", "changed" };
    if (d->a->json) {
        buf_put_text(&d->out, d->count ? ",{" : "{");
        show_json_text(&d->out, "operator", t->section);
        show_json_start(&d->out, "start_ms", pane_start(p));
        show_json_text(&d->out, "is", WORDS[kind]);
        buf_put_text(&d->out, ",\"key\":");
        state_put_key(t, one, &d->out);
        buf_put_text(&d->out, ",\"members\":{");
    } else if (d->count < MOST_SHOWN) {
        buf_printf(&d->out, "%s, ", t->section);
        if (show_has_time(pane_start(p)))
            buf_printf(&d->out, "pane %" PRId64 ", ", pane_start(p));
        state_put_key(t, one, &d->out);
        buf_printf(&d->out, ": %s", WORDS[kind]);
    }
    d->count++;
}

static void put_value(diff *d, const state_value *v) {
    if (v)
        state_put_member(v->table, v->member, v->entry, &d->out);
    else
        buf_put_text(&d->out, "null");
}

static bool is_shown(const diff *d) { return d->a->json || d->count <= MOST_SHOWN; }

static void put_member(diff *d, const char *name, const state_value *before,
                       const state_value *after) {
    if (d->a->json) {
        show_json_name(&d->out, name);
        buf_put_char(&d->out, '[');
    } else {
        buf_printf(&d->out, "\n    %s: ", name);
    }
    put_value(d, before);
    buf_put_text(&d->out, d->a->json ? "," : " -> ");
    put_value(d, after);
    if (d->a->json) buf_put_char(&d->out, ']');
}

/* All members of an entry that is new or gone. */
static void put_members(diff *d, const state_table *t, const entry *e, bool is_new) {
    for (uint32_t i = 0; is_shown(d) && i < t->member_count; i++) {
        state_value v = { t, &t->members[i], e };
        put_member(d, v.member->name, is_new ? NULL : &v, is_new ? &v : NULL);
    }
    if (is_shown(d)) buf_put_text(&d->out, d->a->json ? "}}" : "\n");
}

/* Member `i` of both; false: it is not compared, or the same. */
static bool find_difference(const pair *p, uint32_t i, const entry *before, const entry *after,
                            state_value values[2]) {
    if (!p->partners[i]) return false;
    values[0] = (state_value){ p->before, p->partners[i], before };
    values[1] = (state_value){ p->after, &p->after->members[i], after };
    return !state_same_value(&values[0], &values[1]);
}

static void compare_entry(diff *d, const pair *pr, const pane *p, const pane *other,
                          const entry *after) {
    const entry *before =
        other ? table_find(other, after->hash, entry_key(after), entry_key_len(after)) : NULL;
    state_value values[2];
    bool differs = false;
    if (!before) {
        put_change(d, pr->after, p, CHANGE_NEW, after);
        put_members(d, pr->after, after, true);
        return;
    }
    for (uint32_t i = 0; i < pr->after->member_count; i++) {
        if (!find_difference(pr, i, before, after, values)) continue;
        if (!differs) put_change(d, pr->after, p, CHANGE_CHANGED, after);
        differs = true;
        if (is_shown(d)) put_member(d, values[1].member->name, &values[0], &values[1]);
    }
    if (differs && is_shown(d)) buf_put_text(&d->out, d->a->json ? "}}" : "\n");
}

static void find_gone(diff *d, const pair *pr, const pane *p, const pane *other,
                      const entry *before) {
    if (other && table_find(other, before->hash, entry_key(before), entry_key_len(before))) return;
    put_change(d, pr->before, p, CHANGE_GONE, before);
    put_members(d, pr->before, before, false);
}

typedef void visit_entry(diff *d, const pair *pr, const pane *p, const pane *other,
                         const entry *e);

/* Each entry of one of the tables, with the pane of the same start in the other. */
static void each_entry(diff *d, const pair *pr, const state_table *t, const state_table *other,
                       visit_entry *visit) {
    uint32_t count = 0;
    pane *const *panes = t ? table_panes(t->table, &count) : NULL;
    for (uint32_t n = 0; n < count; n++) {
        const pane *there = other ? table_find_pane(other->table, pane_start(panes[n])) : NULL;
        table_cursor at = { 0 };
        for (entry *e; (e = table_scan(panes[n], &at));) visit(d, pr, panes[n], there, e);
    }
}

static err *load(diff *d, const char *text, state_view *v) {
    target t;
    err *e = target_find(&d->s, &d->survey, text, &t);
    if (!e) e = state_view_open(&d->s, &t.p, v);
    target_done(&t);
    return e;
}

static err *open_both(diff *d) {
    target now = { 0 };
    err *e = stored_open(d->a, NULL, &d->s);
    if (!e) e = stored_need_pointer(&d->s);
    if (!e) e = survey_open(&d->s.store, d->s.name, &d->survey);
    if (!e) e = target_open(&d->s, &d->s.pointer, &now);
    if (!e) survey_mark(&d->survey, &now.chain, &d->s.pointer);
    target_done(&now);
    if (!e) e = load(d, d->a->more[0], &d->before);
    if (!e) e = load(d, d->a->more[1], &d->after);
    if (!e) find_pairs(d);
    return e;
}

static void run(diff *d) {
    if (d->a->json) {
        buf_put_char(&d->out, '{');
        show_json_text(&d->out, "pipeline", d->s.name);
        show_json_number(&d->out, "from", (int64_t)d->before.batch);
        show_json_number(&d->out, "to", (int64_t)d->after.batch);
        buf_put_text(&d->out, ",\"layouts\":[");
        put_layouts(d);
        buf_put_text(&d->out, "],\"changes\":[");
    } else {
        put_layouts(d);
    }
    for (uint32_t i = 0; i < d->pair_count; i++)
        each_entry(d, &d->pairs[i], d->pairs[i].after, d->pairs[i].before, compare_entry);
    for (uint32_t i = 0; i < d->pair_count; i++)
        each_entry(d, &d->pairs[i], d->pairs[i].before, d->pairs[i].after, find_gone);
    if (d->a->json)
        buf_put_text(&d->out, "]}\n");
    else if (d->count > MOST_SHOWN)
        buf_printf(&d->out, "and %" PRIu64 " more (--json has all)\n", d->count - MOST_SHOWN);
    else if (!d->count)
        buf_put_text(&d->out, d->is_anew ? "what is compared is the same\n" : "the same\n");
}

int command_state_diff(const args *a) {
    diff d = { .a = a };
    buf_init(&d.out);
    err *e = open_both(&d);
    if (!e) run(&d);
    show_text(&d.out);
    free_pairs(&d);
    state_view_done(&d.before);
    state_view_done(&d.after);
    survey_done(&d.survey);
    stored_close(&d.s);
    return e ? command_failed(e) : 0;
}
