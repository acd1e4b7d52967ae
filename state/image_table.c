/* DESIGN. What a batch changed stands in the table already: dirty lists, ids of removed entries,
 * dropped panes. They are written in that order's reverse: panes that went, then in each pane the
 * entries that went, then those that are there, so that a key or a pane that came again in the same
 * batch is read as it is now. An entry that was touched and is as before is not written: most of
 * what `distinct` touches. Entries of a dirty list lie anywhere, so they are fetched ahead. */
#include <assert.h>
#include <string.h>

#include "state/image.h"
#include "state/image_format.h"
#include "state/pane.h"
#include "state/spill.h"
#include "state/table_inside.h"

enum { AHEAD = 16,
       LINE = 64,
       KEY_GUESS = 24 };

/* A table on its way into sections. */
typedef struct table_writer {
    image *m;
    const char *name;
    table_config layout;
    buf *b;          /* of the open section; NULL: none is open */
    size_t began_at; /* its bytes in `b` */
    size_t pane_at;  /* head of the pane being written in `b`; 0: not yet in this section */
    uint32_t count;  /* entries written behind that head */
} table_writer;

static void end_pane(table_writer *w) {
    if (!w->pane_at) return;
    memcpy(w->b->data + w->pane_at + offsetof(pane_head, entry_count), &w->count, sizeof w->count);
    w->pane_at = 0;
}

static void end_section(table_writer *w) {
    end_pane(w);
    if (w->b) image_end(w->m);
    w->b = NULL;
}

static void begin_section(table_writer *w) {
    w->b = image_begin(w->m, IMAGE_TABLE, w->name, strlen(w->name));
    w->began_at = w->b->len;
    table_head head = { .state_size = w->layout.state_size, .part_count = w->layout.part_count };
    buf_put(w->b, &head, sizeof head);
    size_t len = w->layout.part_count * sizeof(uint32_t);
    char *at = buf_need(w->b, image_round(len));
    memset(at, 0, image_round(len));
    if (len) memcpy(at, w->layout.part_offsets, len);
    w->b->len += image_round(len);
}

static void put_pane_head(table_writer *w, const pane *p, uint32_t flags) {
    if (w->b && w->b->len - w->began_at >= IMAGE_TABLE_BYTES) end_section(w);
    if (!w->b) begin_section(w);
    pane_head head = { .start = p->start, .generation = p->generation, .flags = flags };
    w->pane_at = w->b->len;
    w->count = 0;
    buf_put(w->b, &head, sizeof head);
}

/* Room for an entry of the pane. */
static inline char *need_entry(table_writer *w, const pane *p, size_t len) {
    if (w->pane_at && w->b->len - w->began_at >= IMAGE_TABLE_BYTES) end_section(w);
    if (!w->pane_at) put_pane_head(w, p, 0);
    w->count++;
    return buf_need(w->b, len);
}

static const sl_part *part_of(const table_writer *w, const entry *e, uint32_t i) {
    return (const sl_part *)((const char *)entry_state(e) + w->layout.part_offsets[i]);
}

static size_t value_len(const table_writer *w, const entry *e) {
    size_t len = w->layout.state_size;
    if (!w->layout.part_count) return len;
    len += image_round(w->layout.part_count * sizeof(uint32_t));
    size_t bytes = 0;
    for (uint32_t i = 0; i < w->layout.part_count; i++) bytes += part_of(w, e, i)->len;
    return len + image_round(bytes);
}

/* What lies behind the state in a value; `at` points behind the copied state. */
static void put_parts(const table_writer *w, const entry *e, char *at, char *end) {
    char *state = at - w->layout.state_size;
    memset(end - 8, 0, 8);
    uint32_t *lens = (uint32_t *)(void *)at;
    at += image_round(w->layout.part_count * sizeof *lens);
    if (w->layout.part_count % 2) lens[w->layout.part_count] = 0;
    for (uint32_t i = 0; i < w->layout.part_count; i++) {
        const sl_part *part = part_of(w, e, i);
        memset(state + w->layout.part_offsets[i], 0, sizeof *part);
        lens[i] = part->data ? part->len : PART_NONE;
        if (part->len) memcpy(at, part->data, part->len);
        at += part->len;
    }
}

static inline void put_entry(table_writer *w, const pane *p, const entry *e, bool is_removed) {
    size_t len = is_removed ? 0 : value_len(w, e), key_room = image_round(entry_key_len(e));
    char *at = need_entry(w, p, sizeof(entry_head) + len + key_room);
    assert(len / 8 < VALUE_REMOVED);
    uint32_t words = is_removed ? VALUE_REMOVED : (uint32_t)(len / 8);
    entry_head head = { .hash = e->hash, .key_len = entry_key_len(e), .value_words = words };
    memcpy(at, &head, sizeof head);
    at += sizeof head;
    if (!is_removed) {
        memcpy(at, entry_state(e), w->layout.state_size);
        if (w->layout.part_count) put_parts(w, e, at + w->layout.state_size, at + len);
    }
    memcpy(at + len, entry_key(e), key_room); /* zero-padded there, too */
    w->b->len += sizeof head + len + key_room;
}

static bool is_same(const void *a, const void *b, uint32_t len) {
    const char *x = a, *y = b;
    for (uint32_t i = 0; i < len; i += 8)
        if (pane_load(x + i) != pane_load(y + i)) return false;
    return true;
}

/* Of a cached pane, what was brought back and removed stands among what the batch made. */
static void put_settled(table_writer *w, const pane *p, const id_list *deleted) {
    for (uint32_t i = 0; i < deleted->count; i++)
        put_entry(w, p, pane_entry(p, deleted->items[i]), true);
}

static void put_changes(table_writer *w, const table *t, const pane *p) {
    const id_list *removed = p->removals ? &p->removals->removed : NULL;
    for (uint32_t i = 0; removed && i < removed->count; i++)
        put_entry(w, p, pane_entry(p, removed->items[i]), true);
    if (p->is_cached && p->removals) put_settled(w, p, &p->removals->deleted);
    for (uint32_t i = 0; i < p->dirty_count; i++) {
        const char *ahead = (const char *)p->dirty[i + AHEAD < p->dirty_count ? i + AHEAD : i];
        __builtin_prefetch(ahead);
        __builtin_prefetch(ahead + LINE);
        const entry *e = p->dirty[i];
        if (entry_is_removed(e)) continue;
        const void *old = table_state_before(t, e);
        if (old && is_same(old, entry_state(e), w->layout.state_size)) continue;
        put_entry(w, p, e, false);
    }
    end_pane(w);
}

static void put_all(table_writer *w, const pane *p) {
    table_cursor at = { 0 };
    for (entry *e; (e = table_scan(p, &at));) put_entry(w, p, e, false);
    end_pane(w);
}

/* Ask for the memory at once: growing by doubling would copy all of it once more. */
static void reserve(table_writer *w, uint64_t count) {
    uint64_t each = sizeof(entry_head) + w->layout.state_size + KEY_GUESS;
    uint64_t bytes = count * each;
    if (!count) return;
    begin_section(w);
    size_t room = IMAGE_PART_BYTES + IMAGE_SPARE_BYTES - w->b->len % IMAGE_PART_BYTES;
    image_room(w->m, bytes < room ? (size_t)bytes : room);
}

/* A pane that went with its entries went on every worker; one that went because its own had been
 * removed one by one may live on elsewhere, under the same start. */
static void put_dropped(table_writer *w, const table *t) {
    uint32_t count;
    pane *const *panes = table_dropped_panes(t, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (pane_is_empty(panes[i])) {
            put_changes(w, t, panes[i]);
            continue;
        }
        if (table_has_made(t, panes[i]) && !panes[i]->generation) continue;
        put_pane_head(w, panes[i], PANE_IS_DROPPED);
        end_pane(w);
    }
}

void image_put_table(image *m, const char *name, const table *t, bool all) {
    table_writer w = { .m = m, .name = name, .layout = table_layout(t) };
    uint32_t count;
    uint64_t entries = 0;
    pane *const *panes = all ? table_panes(t, &count) : table_dirty_panes(t, &count);
    for (uint32_t i = 0; i < count; i++) entries += all ? panes[i]->count : panes[i]->dirty_count;
    reserve(&w, entries);
    if (!all) put_dropped(&w, t);
    for (uint32_t i = 0; i < count; i++) {
        if (panes[i]->dropped) continue;
        if (all)
            put_all(&w, panes[i]);
        else
            put_changes(&w, t, panes[i]);
    }
    end_section(&w);
}
