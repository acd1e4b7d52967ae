#include "runtime/cli/shape.h"

#include "runtime/cli/grid.h"
#include "runtime/cli/members.h"
#include "runtime/codec/rfc3339.h"

const sl_output *shape_of_sink(const sl_plan *plan, uint32_t sink, int32_t *mode) {
    const sl_output *found = NULL;
    *mode = 0;
    for (uint32_t s = 0; s < plan->step_count && !found; s++) {
        for (uint32_t k = 0; k < plan->steps[s].output_count && !found; k++) {
            const sl_output *o = &plan->steps[s].outputs[k];
            if (o->kind == SL_TO_SINK && o->target == sink) found = o;
        }
        for (uint32_t a = 0; a < plan->aggregate_count && found && !*mode; a++)
            if (plan->aggregates[a].step == s) *mode = plan->aggregates[a].mode;
    }
    return found;
}

bool shape_names_key(const sl_output *o) {
    for (uint32_t k = 0; o && o->key_kind != SL_KEY_RECORD && k < o->key_count; k++)
        if (!grid_column_type(o, &o->key[k].name)) return false;
    return true;
}

sl_string shape_window(const sl_string *key, const sl_string *value) {
    static const sl_string name = { "window_start", 12, 0 };
    sl_string found = { 0 };
    if (key->data && members_find(key->data, key->len, name, &found)) return found;
    if (value->data && members_find(value->data, value->len, name, &found)) return found;
    return (sl_string){ 0 };
}

int64_t shape_window_ms(const sl_string *window) {
    int64_t start = 0;
    if (!window->len || window->len > 40) return INT64_MIN;
    if (window->data[0] == '"') {
        bool is_time =
            window->len > 2 && rfc3339_parse(window->data + 1, window->len - 2, &start);
        return is_time ? start : INT64_MIN;
    }
    if (window->len > 17) return INT64_MIN;
    for (uint32_t i = window->data[0] == '-'; i < window->len; i++) {
        if (window->data[i] < '0' || window->data[i] > '9') return INT64_MIN;
        start = start * 10 + (window->data[i] - '0');
    }
    return window->data[0] == '-' ? -start : start;
}
