#include "runtime/flow/shape.h"

#include <string.h>

#include "runtime/base/mem.h"

static const sl_table_change *find_change(const sl_compat *compat, const char *kind,
                                          const sl_string *name) {
    size_t kind_len = strlen(kind);
    for (uint32_t i = 0; i < compat->change_count; i++) {
        const sl_string *section = &compat->changes[i].section;
        if (section->len == kind_len + name->len && !memcmp(section->data, kind, kind_len) &&
            !memcmp(section->data + kind_len, name->data, name->len))
            return &compat->changes[i];
    }
    return NULL;
}

/* NULL: as it is. */
static const layout_map *map_of(const sl_compat *compat, const char *kind, const sl_string *name,
                                layout_map *map) {
    const sl_table_change *change = find_change(compat, kind, name);
    if (!change || change->fate != SL_FATE_MAPPED) return NULL;
    *map = (layout_map){
        .count = change->run_count,
        .from = change->from,
        .to = change->to,
        .sizes = change->sizes,
        .part_count = change->part_count,
        .parts = change->parts,
    };
    return map;
}

static bool migrates(const sl_compat *compat) {
    for (uint32_t i = 0; i < compat->change_count; i++)
        if (compat->changes[i].migrates) return true;
    return false;
}

err *shape_prepare(worker *w, const sl_string *shape, const sl_compat *compat) {
    const sl_compat *own;
    if (!migrates(compat)) return NULL;
    char *text = mem_copy_text(shape->data, shape->len);
    err *e = script_compat(w->script, text, &own);
    mem_free(text);
    return e;
}

void shape_maps_init(shape_maps *m, const sl_plan *plan, const sl_compat *compat) {
    uint32_t count = plan->aggregate_count;
    m->layouts = mem_zalloc(2 * count, sizeof *m->layouts);
    m->lists = mem_zalloc(2 * count, sizeof *m->lists);
    m->migrates = mem_zalloc(count + 1, sizeof *m->migrates);
    for (uint32_t a = 0; a < count; a++) {
        const sl_string *name = &plan->aggregates[a].name;
        const sl_table_change *change = find_change(compat, "aggregate ", name);
        m->migrates[a] = change && change->migrates;
        m->lists[a] = map_of(compat, "aggregate ", name, &m->layouts[a]);
        m->lists[count + a] = map_of(compat, "sent ", name, &m->layouts[count + a]);
    }
    m->by = (stored_maps){
        .aggregates = m->lists,
        .sent = m->lists + count,
        .migrates = m->migrates,
        .drops_unknown = true,
    };
}

void shape_maps_done(shape_maps *m) {
    mem_free(m->layouts);
    mem_free(m->lists);
    mem_free(m->migrates);
    *m = (shape_maps){ 0 };
}
