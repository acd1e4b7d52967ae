#include "runtime/flow/held.h"

#include <string.h>

static sl_string hold_text(arena *memory, const sl_string *of) {
    sl_string copy = *of;
    if (of->data) copy.data = arena_copy(memory, of->data, of->len);
    return copy;
}

static void hold_value(arena *memory, const sl_value *of, sl_value *copy) {
    *copy = *of;
    copy->name = hold_text(memory, &of->name);
    copy->text = hold_text(memory, &of->text);
    if (!of->item_count) return;
    sl_value *items = arena_take(memory, of->item_count * sizeof *items, _Alignof(sl_value));
    for (uint32_t i = 0; i < of->item_count; i++) hold_value(memory, &of->items[i], &items[i]);
    copy->items = items;
}

static const sl_value *hold_options(arena *memory, const sl_value *of) {
    if (!of) return NULL;
    sl_value *copy = arena_take(memory, sizeof *copy, _Alignof(sl_value));
    hold_value(memory, of, copy);
    return copy;
}

const sl_source *held_source(arena *memory, const sl_source *plan) {
    sl_source *copy = arena_take(memory, sizeof *copy, _Alignof(sl_source));
    *copy = *plan;
    copy->name = hold_text(memory, &plan->name);
    copy->connector = hold_text(memory, &plan->connector);
    copy->format = hold_text(memory, &plan->format);
    copy->options = hold_options(memory, plan->options);
    copy->format_options = NULL;
    copy->fields = NULL;
    copy->checks = NULL;
    copy->field_count = copy->check_count = 0;
    return copy;
}

const sl_sink *held_sink(arena *memory, const sl_sink *plan) {
    sl_sink *copy = arena_take(memory, sizeof *copy, _Alignof(sl_sink));
    *copy = *plan;
    copy->name = hold_text(memory, &plan->name);
    copy->connector = hold_text(memory, &plan->connector);
    copy->options = hold_options(memory, plan->options);
    copy->feeds = NULL;
    copy->feed_count = 0;
    return copy;
}

const sl_checkpoint *held_checkpoint(arena *memory, const sl_checkpoint *plan) {
    sl_checkpoint *copy = arena_take(memory, sizeof *copy, _Alignof(sl_checkpoint));
    *copy = *plan;
    copy->url = hold_text(memory, &plan->url);
    copy->ledger = hold_text(memory, &plan->ledger);
    copy->group = hold_text(memory, &plan->group);
    copy->topic = hold_text(memory, &plan->topic);
    copy->options = hold_options(memory, plan->options);
    copy->store = hold_options(memory, plan->store);
    copy->state_dir = hold_text(memory, &plan->state_dir);
    copy->shape = hold_text(memory, &plan->shape);
    return copy;
}

bool held_is_text(const sl_string *a, const sl_string *b) {
    return a->len == b->len && (!a->len || memcmp(a->data, b->data, a->len) == 0);
}

static bool is_same(const sl_value *a, const sl_value *b) {
    bool is_number = a->kind == SL_NUMBER || a->kind == SL_FLAG;
    if (a->kind != b->kind || a->item_count != b->item_count) return false;
    if (!held_is_text(&a->name, &b->name)) return false;
    if (is_number && memcmp(&a->number, &b->number, sizeof a->number)) return false;
    if (a->kind == SL_TEXT && !held_is_text(&a->text, &b->text)) return false;
    for (uint32_t i = 0; i < a->item_count; i++)
        if (!is_same(&a->items[i], &b->items[i])) return false;
    return true;
}

static const sl_value *find(const sl_value *in, const sl_string *name) {
    for (uint32_t i = 0; in && i < in->item_count; i++)
        if (held_is_text(&in->items[i].name, name)) return &in->items[i];
    return NULL;
}

static bool is_among(const sl_string *name, const char *const *names) {
    for (; names && *names; names++)
        if (name->len == strlen(*names) && !memcmp(name->data, *names, name->len)) return true;
    return false;
}

/* Of `a`: one that `b` lacks, or has otherwise. */
static const sl_string *find_other(const sl_value *a, const sl_value *b,
                                   const char *const *but) {
    for (uint32_t i = 0; a && i < a->item_count; i++) {
        const sl_value *one = &a->items[i], *other = find(b, &one->name);
        if (is_among(&one->name, but)) continue;
        if (!other || !is_same(one, other)) return &one->name;
    }
    return NULL;
}

const sl_string *held_difference(const sl_value *a, const sl_value *b,
                                 const char *const *but) {
    const sl_string *other = find_other(a, b, but);
    return other ? other : find_other(b, a, but);
}
