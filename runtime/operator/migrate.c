#include "runtime/operator/migrate.h"

#include <inttypes.h>
#include <stdio.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/event/window.h"
#include "runtime/operator/key.h"
#include "runtime/script/migrate.h"

/* `why` with the group that it was about; taken. */
static err *blame(const migrating *m, const pane *p, const saved_entry *at, err *why) {
    const sl_aggregate *plan = &m->plan->aggregates[m->aggregate];
    sl_row *row = mem_zalloc(1, plan->row_size);
    char window[80] = "";
    buf group;
    buf_init(&group);
    for (uint32_t i = 0; i < plan->null_words; i++) row->nulls[i] = UINT64_MAX;
    key_read(at->key, at->key_len, plan->group, plan->group_count, row);
    encode_value(m->w->group_encoders[m->aggregate], &group, row, &(uint64_t){ 0 });
    if (window_has_bounds(&plan->window))
        snprintf(window, sizeof window, ", pane from %" PRId64, pane_start(p));
    err *e = err_new(ERR_REFUSED, "%s\nin `%.*s`, group %s%s", why->message, (int)plan->name.len,
                     plan->name.data, buf_text(&group), window);
    err_free(why);
    buf_done(&group);
    mem_free(row);
    return e;
}

err *migrate_fill(void *arg, const pane *p, uint32_t count, const saved_entry *entries,
                  void *const *states) {
    migrating *m = arg;
    const void **old = mem_alloc(count * sizeof *old);
    for (uint32_t i = 0; i < count; i++) old[i] = entries[i].value;
    sl_migration all = { .count = count, .old = old, .states = states };
    err *e = script_migrate(m->w->script, m->section, &all);
    if (e) e = blame(m, p, &entries[all.at], e);
    mem_free(old);
    return e;
}
