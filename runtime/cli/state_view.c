#include "runtime/cli/state_view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"

/* -- keys */

enum { COLUMN_BYTES = 16 }; /* the largest there is: text, decimal */

static void make_key(state_key *key, const sl_column *columns, uint32_t count) {
    uint32_t null_words = (count + 63) / 64 + 1;
    uint32_t at = SL_ROW_HEADER + 8 * null_words;
    key->count = count;
    key->columns = mem_zalloc(count + 1u, sizeof *key->columns);
    for (uint32_t i = 0; i < count; i++) {
        key->columns[i] = columns[i];
        key->columns[i].offset = at;
        key->columns[i].null_bit = (uint16_t)i;
        at += COLUMN_BYTES;
    }
    key->row = mem_zalloc(1, at);
    key->encoder = encoder_new(key->columns, count, SL_TIMES_MS);
}

static void key_done(state_key *key) {
    encoder_free(key->encoder);
    mem_free(key->columns);
    mem_free(key->row);
}

static bool is_name(const sl_string *name, const char *text) {
    return name->len == strlen(text) && !memcmp(name->data, text, name->len);
}

static const sl_output *output_to_distinct(const sl_plan *plan, uint32_t distinct) {
    for (uint32_t s = 0; s < plan->step_count; s++)
        for (uint32_t k = 0; k < plan->steps[s].output_count; k++) {
            const sl_output *output = &plan->steps[s].outputs[k];
            if (output->kind == SL_TO_DISTINCT && output->target == distinct) return output;
        }
    return NULL;
}

/* Of the operator that the script has under the same name. */
static void find_key(state_table *t, const sl_plan *plan) {
    const char *name = strchr(t->section, ' ') + 1;
    if (!strncmp(t->section, "distinct ", 9)) {
        for (uint32_t i = 0; i < plan->distinct_count; i++) {
            const sl_output *output = output_to_distinct(plan, i);
            if (!output || !is_name(&plan->distincts[i].name, name)) continue;
            make_key(&t->key, output->columns, output->column_count);
            return;
        }
        return;
    }
    for (uint32_t i = 0; i < plan->aggregate_count; i++) {
        const sl_aggregate *aggregate = &plan->aggregates[i];
        if (!is_name(&aggregate->name, name)) continue;
        make_key(&t->key, aggregate->group, aggregate->group_count);
        return;
    }
}

/* -- members: "name \t type \t offset \t bytes \t part" a line */

static char *take_field(char **at, char end) {
    char *field = *at, *stop = strchr(field, end);
    if (!stop) return NULL;
    *stop = '\0';
    *at = stop + 1;
    return field;
}

static err *read_members(state_table *t, script *s, const char *shape) {
    const char *text;
    err *e = script_members(s, shape, t->section, &text);
    if (e) return e;
    t->text = mem_copy_text(text, strlen(text));
    for (char *at = t->text; *at;) {
        char *fields[5];
        for (int i = 0; i < 5; i++)
            if (!(fields[i] = take_field(&at, i < 4 ? '\t' : '\n'))) return NULL;
        state_member m = { .name = fields[0],
                           .type = fields[1],
                           .offset = (uint32_t)atoi(fields[2]),
                           .size = (uint32_t)atoi(fields[3]),
                           .part = atoi(fields[4]) };
        if (m.offset + m.size > t->state_size || m.part >= (int32_t)t->part_count) continue;
        t->members = mem_realloc(t->members, (t->member_count + 1) * sizeof m);
        t->members[t->member_count++] = m;
    }
    return NULL;
}

/* -- loading */

typedef struct loading {
    const stored *s;
    state_view *v;
    bool has_readable_keys;
} loading;

static void table_done(state_table *t) {
    table_free(t->table);
    key_done(&t->key);
    mem_free(t->section);
    mem_free(t->part_offsets);
    mem_free(t->text);
    mem_free(t->members);
}

static void forget_tables(state_view *v) {
    for (uint32_t i = 0; i < v->count; i++) table_done(&v->tables[i]);
    v->count = 0;
}

static err *add_table(loading *l, const image_view *view, const char *shape, state_table **added) {
    saved_table saved;
    err *e = saved_table_open(view, &saved);
    if (e) return e;
    state_view *v = l->v;
    v->tables = mem_realloc(v->tables, (v->count + 1) * sizeof *v->tables);
    state_table *t = *added = &v->tables[v->count++];
    *t = (state_table){ .state_size = saved.state_size, .part_count = saved.part_count };
    t->section = mem_copy_text(view->name, strlen(view->name));
    t->part_offsets = mem_zalloc(t->part_count + 1u, sizeof *t->part_offsets);
    memcpy(t->part_offsets, saved.part_offsets, t->part_count * sizeof *t->part_offsets);
    void *init = mem_zalloc(1, t->state_size);
    t->table = table_new(&(table_config){ .state_size = t->state_size,
                                          .part_count = t->part_count,
                                          .state_init = init,
                                          .part_offsets = t->part_offsets });
    mem_free(init);
    if (l->has_readable_keys && strchr(t->section, ' ')) find_key(t, l->s->plan);
    return read_members(t, l->s->script, shape);
}

static err *load_section(loading *l, const image_view *view, const char *shape) {
    state_table *t = NULL;
    for (uint32_t i = 0; !t && i < l->v->count; i++)
        if (!strcmp(l->v->tables[i].section, view->name)) t = &l->v->tables[i];
    err *e = t ? NULL : add_table(l, view, shape, &t);
    if (e) return e;
    table_epoch_begin(t->table);
    e = image_load_table(view, t->table, NULL, &(image_share){ .workers = 1 });
    if (e)
        table_undo(t->table);
    else
        table_commit(t->table);
    return e;
}

/* Keys are read by the script's columns only if the stored state is of the same. */
static err *judge_shape(loading *l, const char *shape) {
    const sl_compat *compat;
    err *e = script_compat(l->s->script, shape, &compat);
    l->has_readable_keys = !e && compat->verdict != SL_COMPAT_REFUSED;
    return e;
}

static err *load_link(void *arg, const chain_link *link) {
    loading *l = arg;
    const image_head *head = image_head_of(link->read);
    image_view view;
    err *e = NULL;
    if (head->is_full) {
        forget_tables(l->v);
        e = judge_shape(l, head->shape);
    }
    l->v->created_ms = head->created_ms;
    while (!e && image_next(link->read, &view))
        if (view.kind == IMAGE_TABLE) e = load_section(l, &view, head->shape);
    return e;
}

static int by_section(const void *a, const void *b) {
    return strcmp(((const state_table *)a)->section, ((const state_table *)b)->section);
}

err *state_view_open(const stored *s, const pointer *p, state_view *v) {
    *v = (state_view){ .batch = p->batch };
    loading l = { .s = s, .v = v };
    store its_store = s->store;
    chain ch;
    err *e = chain_open(&its_store, s->name, p, NULL, &ch);
    if (!e) e = chain_hand_out(&ch, load_link, &l);
    chain_done(&ch);
    if (v->count) qsort(v->tables, v->count, sizeof *v->tables, by_section);
    return e;
}

void state_view_done(state_view *v) {
    forget_tables(v);
    mem_free(v->tables);
    *v = (state_view){ 0 };
}

const state_table *state_view_find(const state_view *v, const char *name, buf *names) {
    const state_table *found = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < v->count; i++) {
        const state_table *t = &v->tables[i];
        const char *own = strchr(t->section, ' ');
        buf_printf(names, "  %s\n", t->section);
        if (!strcmp(t->section, name)) return t;
        if (!own || strcmp(own + 1, name)) continue;
        found = t;
        count++;
    }
    return count == 1 ? found : NULL;
}
