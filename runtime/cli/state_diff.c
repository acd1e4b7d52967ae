/* `sluice state diff`: what changed between two batches, group by group. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/cli/commands.h"
#include "runtime/cli/state_view.h"

enum { MOST_SHOWN = 100 }; /* for people; JSON has all */

typedef struct diff {
    const args *a;
    stored s;
    survey survey;
    state_view before, after;
    buf out;
    uint64_t count;
} diff;

typedef enum change_kind { CHANGE_NEW,
                           CHANGE_GONE,
                           CHANGE_CHANGED } change_kind;

static void put_change(diff *d, const state_table *t, const pane *p, change_kind kind,
                       const entry *before, const entry *after) {
    static const char *const WORDS[] = { "new", "gone", "changed" };
    const entry *one = after ? after : before;
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

static void put_value(diff *d, const state_table *t, const state_member *m, const entry *e) {
    if (e)
        state_put_member(t, m, e, &d->out);
    else
        buf_put_text(&d->out, "null");
}

/* What differs; of one that is new or gone, all. */
static void put_members(diff *d, const state_table *t, const entry *before, const entry *after) {
    bool is_shown = d->a->json || d->count <= MOST_SHOWN;
    for (uint32_t i = 0; is_shown && i < t->member_count; i++) {
        const state_member *m = &t->members[i];
        if (before && after && state_same_member(t, m, before, after)) continue;
        if (d->a->json) {
            show_json_name(&d->out, m->name);
            buf_put_char(&d->out, '[');
        } else {
            buf_printf(&d->out, "\n    %s: ", m->name);
        }
        put_value(d, t, m, before);
        buf_put_text(&d->out, d->a->json ? "," : " -> ");
        put_value(d, t, m, after);
        if (d->a->json) buf_put_char(&d->out, ']');
    }
    if (is_shown) buf_put_text(&d->out, d->a->json ? "}}" : "\n");
}

static void compare_entry(diff *d, const state_table *t, const pane *p, const pane *other,
                          const entry *after) {
    const entry *before =
        other ? table_find(other, after->hash, entry_key(after), entry_key_len(after)) : NULL;
    bool is_same = before != NULL;
    for (uint32_t i = 0; is_same && i < t->member_count; i++)
        is_same = state_same_member(t, &t->members[i], before, after);
    if (is_same) return;
    put_change(d, t, p, before ? CHANGE_CHANGED : CHANGE_NEW, before, after);
    put_members(d, t, before, after);
}

static void find_gone(diff *d, const state_table *t, const pane *p, const pane *other,
                      const entry *before) {
    if (other && table_find(other, before->hash, entry_key(before), entry_key_len(before))) return;
    put_change(d, t, p, CHANGE_GONE, before, NULL);
    put_members(d, t, before, NULL);
}

static const state_table *same_table(const state_view *v, const state_table *t) {
    for (uint32_t i = 0; i < v->count; i++)
        if (!strcmp(v->tables[i].section, t->section)) return &v->tables[i];
    return NULL;
}

typedef void visit_entry(diff *d, const state_table *t, const pane *p, const pane *other,
                         const entry *e);

/* Each entry of `view`, with the pane of the same start in `others`. */
static void each_entry(diff *d, const state_view *view, const state_view *others,
                       visit_entry *visit) {
    for (uint32_t i = 0; i < view->count; i++) {
        const state_table *t = &view->tables[i], *other = same_table(others, t);
        uint32_t count;
        pane *const *panes = table_panes(t->table, &count);
        for (uint32_t n = 0; n < count; n++) {
            int64_t start = pane_start(panes[n]);
            const pane *there = other ? table_find_pane(other->table, start) : NULL;
            table_cursor at = { 0 };
            for (entry *e; (e = table_scan(panes[n], &at));) visit(d, t, panes[n], there, e);
        }
    }
}

static err *refuse_other_layout(const diff *d) {
    for (uint32_t i = 0; i < d->after.count; i++) {
        const state_table *t = &d->after.tables[i], *before = same_table(&d->before, t);
        if (!before) continue;
        if (before->state_size != t->state_size || strcmp(before->text, t->text))
            return err_new(ERR_USAGE,
                           "state diff: the states of `%s` were laid out anew between the "
                           "two batches: they cannot be compared",
                           t->section);
    }
    return NULL;
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
    return e ? e : refuse_other_layout(d);
}

static void run(diff *d) {
    if (d->a->json) {
        buf_put_char(&d->out, '{');
        show_json_text(&d->out, "pipeline", d->s.name);
        show_json_number(&d->out, "from", (int64_t)d->before.batch);
        show_json_number(&d->out, "to", (int64_t)d->after.batch);
        buf_put_text(&d->out, ",\"changes\":[");
    }
    each_entry(d, &d->after, &d->before, compare_entry);
    each_entry(d, &d->before, &d->after, find_gone);
    if (d->a->json)
        buf_put_text(&d->out, "]}\n");
    else if (d->count > MOST_SHOWN)
        buf_printf(&d->out, "and %" PRIu64 " more (--json has all)\n", d->count - MOST_SHOWN);
    else if (!d->count)
        buf_put_text(&d->out, "the same\n");
}

int command_state_diff(const args *a) {
    diff d = { .a = a };
    buf_init(&d.out);
    err *e = open_both(&d);
    if (!e) run(&d);
    show_text(&d.out);
    state_view_done(&d.before);
    state_view_done(&d.after);
    survey_done(&d.survey);
    stored_close(&d.s);
    return e ? command_failed(e) : 0;
}
