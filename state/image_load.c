/* DESIGN. A section is walked once to see that it holds what it says (its checksum only tells that
 * nobody changed it), so that reading it needs no look at lengths; then it goes into the table by
 * vectors, since table_touch_many fetches ahead. */
#include <string.h>

#include "runtime/base/mem.h"
#include "state/image.h"
#include "state/image_format.h"
#include "state/table_inside.h"

enum { VECTOR = 256 };

/* -- reading a section */

static err *wrong(const image_view *view, const char *what) {
    return err_new(ERR_REFUSED, "stored state of `%s`: %s", view->name, what);
}

/* The value of an entry ends with its last part. */
static bool check_value(const saved_table *s, const char *value, size_t len) {
    if (len < s->state_size) return false;
    if (!s->part_count) return len == s->state_size;
    size_t lens_len = image_round(s->part_count * sizeof(uint32_t)), bytes = 0;
    if (len - s->state_size < lens_len) return false;
    for (uint32_t i = 0; i < s->part_count; i++) {
        uint32_t part;
        memcpy(&part, value + s->state_size + i * sizeof part, sizeof part);
        if (part != PART_NONE) bytes += part;
    }
    return len == s->state_size + lens_len + image_round(bytes);
}

/* Bytes of the entry at `at`, or 0: it does not fit. */
static size_t entry_len(const saved_table *s, const char *at) {
    entry_head head;
    size_t left = (size_t)(s->end - at);
    if (left < sizeof head) return 0;
    memcpy(&head, at, sizeof head);
    left -= sizeof head;
    size_t value = head.value_words == VALUE_REMOVED ? 0 : (size_t)head.value_words * 8;
    size_t key = image_round(head.key_len);
    if (value > left || key > left - value) return 0;
    if (head.value_words != VALUE_REMOVED && !check_value(s, at + sizeof head, value)) return 0;
    return sizeof head + value + key;
}

static bool check_panes(const saved_table *s) {
    const char *at = s->at;
    while (at < s->end) {
        pane_head head;
        if ((size_t)(s->end - at) < sizeof head) return false;
        memcpy(&head, at, sizeof head);
        at += sizeof head;
        if (head.generation == UINT32_MAX || head.flags > PANE_IS_DROPPED) return false;
        for (uint32_t i = 0; i < head.entry_count; i++) {
            size_t len = entry_len(s, at);
            if (!len) return false;
            at += len;
        }
    }
    return true;
}

static bool check_layout(const saved_table *s) {
    if (!s->state_size || s->state_size % 8) return false;
    for (uint32_t i = 0; i < s->part_count; i++) {
        uint32_t offset = s->part_offsets[i];
        if (offset % 8 || s->state_size < sizeof(sl_part)) return false;
        if (offset > s->state_size - sizeof(sl_part)) return false;
    }
    return true;
}

err *saved_table_open(const image_view *view, saved_table *s) {
    table_head head;
    if (view->kind != IMAGE_TABLE || view->len < sizeof head)
        return wrong(view, "it is no table");
    memcpy(&head, view->bytes, sizeof head);
    size_t offsets = image_round((size_t)head.part_count * sizeof(uint32_t));
    if (view->len % 8 || offsets > view->len - sizeof head)
        return wrong(view, "its layout is damaged");
    const void *first = view->bytes + sizeof head;
    *s = (saved_table){ .at = view->bytes + sizeof head + offsets,
                        .end = view->bytes + view->len,
                        .state_size = head.state_size,
                        .part_count = head.part_count,
                        .part_offsets = first };
    if (!check_layout(s)) return wrong(view, "its layout is damaged");
    if (!check_panes(s)) return wrong(view, "its entries do not fit into it");
    return NULL;
}

bool saved_table_pane(saved_table *s, saved_pane *saved) {
    saved_entry passed;
    while (s->left) saved_table_entry(s, &passed);
    if (s->at == s->end) return false;
    pane_head head;
    memcpy(&head, s->at, sizeof head);
    s->at += sizeof head;
    s->left = head.entry_count;
    *saved = (saved_pane){ .start = head.start,
                           .generation = head.generation,
                           .is_dropped = head.flags & PANE_IS_DROPPED,
                           .entry_count = head.entry_count };
    return true;
}

bool saved_table_entry(saved_table *s, saved_entry *saved) {
    if (!s->left) return false;
    entry_head head;
    memcpy(&head, s->at, sizeof head);
    const char *value = s->at + sizeof head;
    bool is_removed = head.value_words == VALUE_REMOVED;
    size_t len = is_removed ? 0 : (size_t)head.value_words * 8;
    *saved = (saved_entry){ .hash = head.hash,
                            .key = value + len,
                            .key_len = head.key_len,
                            .is_removed = is_removed,
                            .value = is_removed ? NULL : value,
                            .value_len = len };
    s->at = value + len + image_round(head.key_len);
    s->left--;
    return true;
}

void saved_entry_part(const saved_table *s, const saved_entry *saved, uint32_t i, const char **data,
                      uint32_t *len) {
    const uint32_t *lens = (const uint32_t *)(const void *)(saved->value + s->state_size);
    const char *at = (const char *)lens + image_round(s->part_count * sizeof *lens);
    for (uint32_t k = 0; k < i; k++) at += lens[k] == PART_NONE ? 0 : lens[k];
    *data = lens[i] == PART_NONE ? NULL : at;
    *len = lens[i] == PART_NONE ? 0 : lens[i];
}

/* -- into a table */

typedef struct loader {
    table *t;
    table_config layout;
    const saved_table *from;
    const layout_map *map; /* NULL: states lie alike */
    err *e;                /* of what the map leaves to a function; nothing is put behind it */
    pane *pane;
    uint32_t count; /* entries that wait */
    saved_entry entries[VECTOR];
    pane *panes[VECTOR];
    uint64_t hashes[VECTOR];
    const char *keys[VECTOR];
    uint32_t key_lens[VECTOR];
    void *states[VECTOR];
} loader;

static sl_part *part_of(const loader *l, void *state, uint32_t i) {
    return (sl_part *)(void *)((char *)state + l->layout.part_offsets[i]);
}

static void fill_in_mapped(const loader *l, const saved_entry *saved, char *state) {
    const layout_map *map = l->map;
    memcpy(state, l->layout.state_init, l->layout.state_size);
    for (uint32_t i = 0; i < map->count; i++)
        memcpy(state + map->to[i], saved->value + map->from[i], map->sizes[i]);
}

/* The state of an entry becomes what is stored; what its parts held goes. */
static void fill_in(const loader *l, const saved_entry *saved, void *state) {
    for (uint32_t i = 0; i < l->layout.part_count; i++)
        sl_part_set(l->t, part_of(l, state, i), NULL, 0);
    if (l->map)
        fill_in_mapped(l, saved, state);
    else
        memcpy(state, saved->value, l->layout.state_size);
    for (uint32_t i = 0; i < l->layout.part_count; i++)
        *part_of(l, state, i) = (sl_part){ 0 }; /* whatever is stored there */
    for (uint32_t i = 0; i < l->from->part_count; i++) {
        const char *data;
        uint32_t len;
        int64_t to = l->map ? l->map->parts[i] : (int64_t)i;
        if (to < 0) continue;
        saved_entry_part(l->from, saved, i, &data, &len);
        sl_part_set(l->t, part_of(l, state, (uint32_t)to), data, len);
    }
}

/* Entries wait for a vector; those that go are looked for at once (they come first in a pane). */
static void put_waiting(loader *l) {
    table_touch_many(l->t, l->count, l->panes, l->hashes, l->keys, l->key_lens, l->states);
    for (uint32_t i = 0; i < l->count; i++) fill_in(l, &l->entries[i], l->states[i]);
    if (l->map && l->map->fill && l->count && !l->e)
        l->e = l->map->fill(l->map->fill_arg, l->pane, l->count, l->entries, l->states);
    l->count = 0;
}

static void remove_entry(loader *l, const saved_entry *saved) {
    entry_head next; /* most are of one kind in a row: ask for the slot of the one behind */
    if ((size_t)(l->from->end - l->from->at) >= sizeof next && l->from->left) {
        memcpy(&next, l->from->at, sizeof next);
        table_prefetch(l->pane, next.hash);
    }
    if (l->count) put_waiting(l);
    entry *e = table_find(l->pane, saved->hash, saved->key, saved->key_len);
    if (e) table_remove(l->t, l->pane, e);
}

static void put_entry(loader *l, const saved_entry *saved) {
    uint32_t i = l->count++;
    l->entries[i] = *saved;
    l->panes[i] = l->pane;
    l->hashes[i] = saved->hash;
    l->keys[i] = saved->key;
    l->key_lens[i] = saved->key_len;
    if (l->count == VECTOR) put_waiting(l);
}

/* All generations of a pane go. */
static void drop_panes(table *t, int64_t start) {
    for (pane *p; (p = table_find_pane(t, start));) table_drop_pane(t, p);
}

static err *check_map(const image_view *view, const saved_table *s, const table_config *layout,
                      const layout_map *map) {
    if (!map) {
        size_t offsets = s->part_count * sizeof *s->part_offsets;
        if (s->state_size == layout->state_size && s->part_count == layout->part_count &&
            (!offsets || memcmp(s->part_offsets, layout->part_offsets, offsets) == 0))
            return NULL;
        return err_new(ERR_REFUSED,
                       "stored state of `%s`: its states have %u bytes and %u parts, the script's "
                       "have %u and %u",
                       view->name, s->state_size, s->part_count, layout->state_size,
                       layout->part_count);
    }
    if (map->part_count != s->part_count)
        return wrong(view, "its states have other parts than those of its script");
    for (uint32_t i = 0; i < map->count; i++) {
        bool fits = map->from[i] <= s->state_size && map->sizes[i] <= s->state_size - map->from[i];
        if (!fits) return wrong(view, "its states are shorter than those of its script");
    }
    return NULL;
}

err *image_load_table(const image_view *view, table *t, const layout_map *map,
                      const image_share *share) {
    saved_table s;
    saved_pane run;
    saved_entry one;
    err *e = saved_table_open(view, &s);
    table_config layout = table_layout(t);
    if (!e) e = check_map(view, &s, &layout, map);
    if (e) return e;
    loader *l = mem_alloc(sizeof *l);
    l->t = t;
    l->layout = layout;
    l->from = &s;
    l->map = map;
    l->count = 0;
    l->e = NULL;
    while (!l->e && saved_table_pane(&s, &run)) {
        if (run.is_dropped) drop_panes(t, run.start);
        if (!run.entry_count) continue;
        l->pane = table_pane_of(t, run.start, run.generation);
        table_reserve(t, l->pane, run.entry_count / share->workers);
        while (!l->e && saved_table_entry(&s, &one)) {
            if ((one.hash & share->shard_mask) % share->workers != share->worker) continue;
            if (one.is_removed)
                remove_entry(l, &one);
            else
                put_entry(l, &one);
        }
        put_waiting(l);
    }
    e = l->e;
    mem_free(l);
    return e;
}
