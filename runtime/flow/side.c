#include "runtime/flow/side.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/event/window.h"

enum { MAX_VERDICT = 10 };

/* Headers being put together behind those of the record. */
typedef struct header_list {
    sl_header *items;
    uint32_t count;
    arena *memory;
} header_list;

static bool is_verdict(const sl_header *h) {
    return h->name.len > 7 && memcmp(h->name.data, "sluice.", 7) == 0;
}

static void list_begin(header_list *list, arena *memory, const sl_record *r) {
    uint32_t given = r ? r->header_count : 0;
    list->memory = memory;
    list->items = arena_take(memory, (given + MAX_VERDICT) * sizeof *list->items, 8);
    list->count = 0;
    /* A record that comes back from a quarantine loses its old verdict. */
    for (uint32_t i = 0; i < given; i++)
        if (!is_verdict(&r->headers[i])) list->items[list->count++] = r->headers[i];
}

static void add_text(header_list *list, const char *name, const char *text) {
    uint32_t len = (uint32_t)strlen(text);
    sl_header *h = &list->items[list->count++];
    *h = (sl_header){ .name = { .data = name, .len = (uint32_t)strlen(name) },
                      .value = { .data = arena_copy(list->memory, text, len), .len = len } };
}

static void add_number(header_list *list, const char *name, int64_t number) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, number);
    add_text(list, name, text);
}

static const char *kind_text(note_kind kind) {
    switch (kind) {
    case NOTE_BAD: return "bad";
    case NOTE_SKEW: return "ahead of time";
    case NOTE_THREW: return "threw";
    case NOTE_LATE: return "late";
    }
    return "";
}

static void add_slowest(header_list *list, const input *in) {
    char text[300];
    int64_t slowest = watermark_slowest(&in->watermark);
    if (slowest < 0) return;
    const sl_partition *p = &in->partitions[slowest];
    snprintf(text, sizeof text, "%s:%d", p->topic, p->number);
    add_text(list, "sluice.slowest", text);
}

static void add_stage(header_list *list, const sl_string *name) {
    char stage[128];
    snprintf(stage, sizeof stage, "%.*s", (int)name->len, name->data);
    add_text(list, "sluice.stage", stage);
}

/* At the close of a window. */
static void add_window(header_list *list, const batch_view *b, const note *n) {
    const sl_aggregate *a = &b->plan->aggregates[n->stage];
    add_stage(list, &a->name);
    if (!window_has_bounds(&a->window)) return;
    add_number(list, "sluice.window_start", n->window_start);
    add_number(list, "sluice.window_end", n->window_end);
}

static void add_lateness(header_list *list, const batch_view *b, const input *in, const note *n) {
    int64_t watermark;
    if (n->is_distinct) {
        add_stage(list, &b->plan->distincts[n->stage].name);
        watermark = b->distincts[n->stage].watermark_before;
    } else {
        const sl_aggregate *a = &b->plan->aggregates[n->stage];
        add_stage(list, &a->name);
        if (window_has_bounds(&a->window)) {
            add_number(list, "sluice.window_start", n->window_start);
            add_number(list, "sluice.window_end", n->window_end);
        }
        watermark = b->aggregates[n->stage].watermark_before;
    }
    add_number(list, "sluice.watermark", watermark);
    add_slowest(list, in);
}

void side_write(outbox *box, arena *memory, const batch_view *b, const input *in, const note *n) {
    const sl_record lost = { .partition = n->partition, .offset = n->offset };
    const sl_record *r = n->record == NO_RECORD ? &lost : &in->load.records.items[n->record];
    const sl_partition *p = &in->partitions[r->partition];
    header_list list;
    list_begin(&list, memory, r);
    add_text(&list, "sluice.topic", p->topic);
    add_number(&list, "sluice.partition", p->number);
    add_number(&list, "sluice.offset", r->offset);
    add_text(&list, "sluice.kind", kind_text(n->kind));
    if (n->reason) add_text(&list, "sluice.reason", n->reason);
    if (*n->path) add_text(&list, "sluice.field", n->path);
    if (n->kind == NOTE_LATE) add_lateness(&list, b, in, n);
    if (n->record == NO_RECORD) add_window(&list, b, n);
    out_message *m = outbox_add(box);
    m->source = n->source;
    m->record = n->record;
    m->key_data = r->key.data;
    m->key_len = r->key.len;
    m->key_null = !r->key.data;
    m->value_data = r->value.data;
    m->value_len = r->value.len;
    m->value_null = !r->value.data;
    m->headers = list.items;
    m->header_count = list.count;
}

void side_write_refused(outbox *box, arena *memory, const outbox *from, const out_message *refused,
                        const char *reason) {
    header_list list;
    list_begin(&list, memory, NULL);
    add_text(&list, "sluice.kind", "refused");
    add_text(&list, "sluice.reason", reason);
    out_message *m = outbox_add(box);
    *m = *refused;
    m->extras = NULL;
    m->key_data = refused->key_null ? NULL : outbox_key(from, refused);
    m->value_data = refused->value_null ? NULL : outbox_value(from, refused);
    m->headers = list.items;
    m->header_count = list.count;
}
