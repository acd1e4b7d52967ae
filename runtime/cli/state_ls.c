/* `sluice state ls` and `get`: what is kept, by operator, and of one group. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/cli/columns.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/state_view.h"

static err *open_current(const args *a, stored *s, state_view *v) {
    err *e = stored_open(a, NULL, s);
    if (!e) e = stored_need_pointer(s);
    return e ? e : state_view_open(s, &s->pointer, v);
}

/* -- ls */

typedef struct totals {
    uint32_t pane_count;
    uint64_t group_count, bytes;
    int64_t first_start, last_start; /* of panes; used if there are any */
} totals;

static totals count_up(const state_table *t) {
    totals all = { 0 };
    pane *const *panes = table_panes(t->table, &all.pane_count);
    for (uint32_t i = 0; i < all.pane_count; i++) {
        table_cursor at = { 0 };
        for (entry *e; (e = table_scan(panes[i], &at));) all.bytes += state_entry_bytes(t, e);
        all.group_count += pane_count(panes[i]);
    }
    if (!all.pane_count) return all;
    all.first_start = pane_start(panes[0]);
    all.last_start = pane_start(panes[all.pane_count - 1]);
    return all;
}

static void put_start(columns *c, const totals *all, int64_t start) {
    if (all->pane_count && show_has_time(start))
        columns_put_time(c, start);
    else
        columns_put(c, "-");
}

static void put_tables(buf *out, const stored *s, const state_view *v) {
    buf title;
    columns c;
    buf_printf(out, "state of %s before batch %" PRIu64 "\n", stored_title(s, &title), v->batch);
    buf_done(&title);
    columns_begin(&c, "operator|>panes|>groups|>bytes|oldest pane (UTC)|newest pane (UTC)");
    for (uint32_t i = 0; i < v->count; i++) {
        totals all = count_up(&v->tables[i]);
        columns_put(&c, "%s", v->tables[i].section);
        columns_put_count(&c, all.pane_count);
        columns_put_count(&c, all.group_count);
        columns_put_bytes(&c, all.bytes);
        put_start(&c, &all, all.first_start);
        put_start(&c, &all, all.last_start);
    }
    columns_end(&c, out);
}

static void put_panes_json(buf *out, const state_table *t) {
    uint32_t count;
    pane *const *panes = table_panes(t->table, &count);
    buf_put_text(out, ",\"panes\":[");
    for (uint32_t i = 0; i < count; i++) {
        buf_put_text(out, i ? ",{" : "{");
        show_json_start(out, "start_ms", pane_start(panes[i]));
        show_json_number(out, "groups", pane_count(panes[i]));
        buf_put_char(out, '}');
    }
    buf_put_char(out, ']');
}

static void put_tables_json(buf *out, const stored *s, const state_view *v) {
    buf_put_char(out, '{');
    show_json_text(out, "pipeline", s->name);
    show_json_number(out, "next_batch", (int64_t)v->batch);
    buf_put_text(out, ",\"operators\":[");
    for (uint32_t i = 0; i < v->count; i++) {
        const state_table *t = &v->tables[i];
        totals all = count_up(t);
        buf_put_text(out, i ? ",{" : "{");
        show_json_text(out, "operator", t->section);
        show_json_number(out, "groups", (int64_t)all.group_count);
        show_json_number(out, "bytes", (int64_t)all.bytes);
        show_json_number(out, "state_bytes", t->state_size);
        put_panes_json(out, t);
        buf_put_char(out, '}');
    }
    buf_put_text(out, "]}\n");
}

int command_state_ls(const args *a) {
    stored s;
    state_view v = { 0 };
    buf out;
    buf_init(&out);
    err *e = open_current(a, &s, &v);
    if (!e && a->json) put_tables_json(&out, &s, &v);
    if (!e && !a->json) put_tables(&out, &s, &v);
    show_text(&out);
    state_view_done(&v);
    stored_close(&s);
    return e ? command_failed(e) : 0;
}

/* -- get */

typedef struct found {
    const state_table *table;
    const char *written;
    bool as_json;
    uint64_t count;
} found;

static void put_members_json(buf *out, const state_table *t, const entry *e) {
    buf_put_text(out, ",\"members\":{");
    for (uint32_t m = 0; m < t->member_count; m++) {
        show_json_name(out, t->members[m].name);
        state_put_member(t, &t->members[m], e, out);
    }
    buf_put_char(out, '}');
}

static void put_members(buf *out, const state_table *t, const entry *e) {
    columns c;
    columns_begin(&c, "member|value");
    for (uint32_t m = 0; m < t->member_count; m++) {
        buf value;
        buf_init(&value);
        state_put_member(t, &t->members[m], e, &value);
        columns_put(&c, "%s", t->members[m].name);
        columns_put(&c, "%s", buf_text(&value));
        buf_done(&value);
    }
    columns_end(&c, out);
}

static void put_found(buf *out, found *f, const pane *p, const entry *e) {
    if (f->as_json) {
        buf_put_text(out, f->count ? ",{" : "{");
        show_json_start(out, "start_ms", pane_start(p));
        put_members_json(out, f->table, e);
        buf_put_char(out, '}');
    } else {
        state_put_key(f->table, e, out);
        if (show_has_time(pane_start(p)))
            buf_printf(out, " in the pane of %" PRId64, pane_start(p));
        buf_put_char(out, '\n');
        put_members(out, f->table, e);
    }
    f->count++;
}

static void search(buf *out, found *f) {
    uint32_t count;
    pane *const *panes = table_panes(f->table->table, &count);
    for (uint32_t i = 0; i < count; i++) {
        table_cursor at = { 0 };
        for (entry *e; (e = table_scan(panes[i], &at));) {
            int64_t start;
            if (!state_has_key(f->table, e, f->written, &start)) continue;
            if (start == INT64_MIN || start == pane_start(panes[i])) put_found(out, f, panes[i], e);
        }
    }
}

static err *get(const args *a, const stored *s, const state_view *v, buf *out) {
    buf names;
    buf_init(&names);
    found f = { .written = a->more[1], .as_json = a->json };
    f.table = state_view_find(v, a->more[0], &names);
    err *e = NULL;
    if (!f.table)
        e = err_new(ERR_USAGE,
                    "state get: `%s` is no operator, or several are called so: write one "
                    "of\n%s",
                    a->more[0], buf_text(&names));
    buf_done(&names);
    if (e) return e;
    if (a->json) {
        buf_put_char(out, '{');
        show_json_text(out, "pipeline", s->name);
        show_json_text(out, "operator", f.table->section);
        show_json_number(out, "next_batch", (int64_t)v->batch);
        buf_put_text(out, ",\"panes\":[");
    }
    search(out, &f);
    if (a->json) buf_put_text(out, "]}\n");
    if (f.count) return NULL;
    return err_new(ERR_STATE, "`%s` has no group %s in batch %" PRIu64, f.table->section,
                   f.written, v->batch);
}

int command_state_get(const args *a) {
    stored s;
    state_view v = { 0 };
    buf out;
    buf_init(&out);
    err *e = open_current(a, &s, &v);
    if (!e) e = get(a, &s, &v, &out);
    show_text(&out);
    state_view_done(&v);
    stored_close(&s);
    return e ? command_failed(e) : 0;
}
