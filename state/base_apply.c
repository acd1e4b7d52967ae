/* DESIGN. Objects are gathered until it pays to write a run, or somebody waits; then where the base
 * stands and everything that changed are written by one run. A full object, which may be larger
 * than what may be held, is written in several: the first empties the base, and until the last one
 * it stands nowhere. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/crash.h"
#include "runtime/base/mem.h"
#include "state/base_inside.h"

/* A section that is no table, to be written. */
typedef struct plain_section {
    char *key; /* owned */
    size_t key_len;
    rocks_bytes bytes;
} plain_section;

static int compare_plain(const void *x, const void *y) {
    const plain_section *a = x, *b = y;
    size_t len = a->key_len < b->key_len ? a->key_len : b->key_len;
    int difference = memcmp(a->key, b->key, len);
    return difference ? difference : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

/* The sections of an object that are no tables; of several with one key the first. */
static plain_section *list_plain(image_reader *object, uint32_t *count) {
    plain_section *list = NULL;
    image_view view;
    *count = 0;
    image_rewind(object);
    while (image_next(object, &view)) {
        if (view.kind == IMAGE_TABLE) continue;
        size_t name = strlen(view.name);
        list = mem_realloc(list, (*count + 1) * sizeof *list);
        plain_section *it = &list[(*count)++];
        *it = (plain_section){ .key = mem_alloc(BASE_SECTION_BYTES + name),
                               .key_len = BASE_SECTION_BYTES + name,
                               .bytes = { view.bytes, view.len } };
        memcpy(it->key, base_sections_from().data, base_sections_from().len);
        base_key_put(it->key + base_sections_from().len, (uint32_t)view.kind, 4);
        memcpy(it->key + BASE_SECTION_BYTES, view.name, name);
    }
    if (*count) qsort(list, *count, sizeof *list, compare_plain);
    return list;
}

static void put_plain(image_reader *object, rocks_run *run) {
    uint32_t count;
    plain_section *list = list_plain(object, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (!i || compare_plain(&list[i - 1], &list[i]))
            rocks_run_put(run, (rocks_bytes){ list[i].key, list[i].key_len }, list[i].bytes);
    }
    for (uint32_t i = 0; i < count; i++) mem_free(list[i].key);
    mem_free(list);
}

void base_drop_gathered(base *b) {
    gather_reset(b->gather);
    for (uint32_t i = 0; i < b->held_count && !b->is_borrowed; i++) image_reader_free(b->held[i]);
    atomic_fetch_sub(&b->waiting_bytes, b->held_bytes);
    b->held_count = 0;
    b->held_bytes = 0;
    b->clears = false;
}

static void put_meta(const base *b, rocks_run *run) {
    buf bytes = { 0 };
    base_meta_write(&b->next, &bytes);
    rocks_run_put(run, base_meta_key(), (rocks_bytes){ bytes.data, bytes.len });
    buf_done(&bytes);
}

static void write_pane(const gather_view *v, rocks_run *run) {
    buf text = { 0 };
    char begin[BASE_KEY_BYTES], end[BASE_KEY_BYTES];
    if (v->is_dropped) {
        base_key_begin(begin, v->number, v->start, 0, 0);
        base_key_begin(end, v->number, v->start, UINT32_MAX, UINT64_MAX);
        rocks_run_delete_range(run, (rocks_bytes){ begin, BASE_PANE_BYTES },
                               (rocks_bytes){ end, BASE_GENERATION_BYTES });
    }
    for (uint32_t i = 0; i < v->count; i++) {
        const ordered *item = &v->items[i];
        entry_head head = ordered_head(item);
        char *at = buf_need(&text, BASE_KEY_BYTES + head.key_len);
        base_key_begin(at, v->number, v->start, v->generation, item->order);
        memcpy(at + BASE_KEY_BYTES, ordered_key(item, &head), head.key_len);
        rocks_bytes key = { at, BASE_KEY_BYTES + head.key_len };
        if (head.value_words == VALUE_REMOVED)
            rocks_run_delete(run, key);
        else
            rocks_run_put(run, key,
                          (rocks_bytes){ item->at + sizeof head, stored_value_len(&head) });
    }
    buf_done(&text);
}

/* Write what is gathered. `object`: the last one gathered, if it is gathered whole; else the base
 * stands nowhere behind this. */
static err *write_run(base *b, image_reader *object) {
    static const char LAST[BASE_KEY_BYTES + 1] = "\xff\xff\xff\xff\xff\xff\xff\xff";
    rocks_run *run;
    gather_view view;
    err *e = base_write_files(b);
    if (!e) e = rocks_run_begin(b->rocks, &run);
    if (e) return e;
    b->next.is_placed = object != NULL;
    if (b->clears)
        rocks_run_delete_range(run, (rocks_bytes){ "\0", 1 }, (rocks_bytes){ LAST, sizeof LAST });
    else
        rocks_run_delete_range(run, base_sections_from(), base_sections_to());
    put_meta(b, run);
    if (object) put_plain(object, run);
    for (uint32_t at = 0; gather_next(b->gather, false, &at, &view);) write_pane(&view, run);
    gather_reset(b->gather);
    b->clears = false;
    crash_point("base_run_made");
    e = rocks_run_apply(run);
    crash_point("base_run_applied");
    return e;
}

/* The base knows by now what was written. */
static void publish(base *b) {
    buf bytes = { 0 };
    base_meta read = { 0 };
    base_meta_write(&b->next, &bytes);
    err_free(base_meta_read(bytes.data, bytes.len, &read));
    buf_done(&bytes);
    pthread_mutex_lock(&b->lock);
    base_meta_done(&b->meta);
    b->meta = read;
    base_drop_readers(b);
    base_remove_files(b);
    pthread_mutex_unlock(&b->lock);
    atomic_store(&b->applied, read.is_placed ? read.at.batch : 0);
}

err *base_write_meta(base *b) {
    rocks_run *run;
    err *e = rocks_run_begin(b->rocks, &run);
    if (e) return e;
    put_meta(b, run);
    e = rocks_run_apply(run);
    if (!e) publish(b);
    return e;
}

err *base_write(base *b) {
    if (!b->held_count) return NULL;
    err *e = write_run(b, b->held[b->held_count - 1]);
    base_drop_gathered(b);
    if (e) return e;
    publish(b);
    bool merged = false;
    e = base_merge_files(b, &merged);
    return merged ? base_write_meta(b) : e;
}

static void hold(base *b, image_reader *object, size_t bytes) {
    if (b->held_count == b->held_room) {
        b->held_room = b->held_room ? 2 * b->held_room : 16;
        b->held = mem_realloc(b->held, b->held_room * sizeof *b->held);
    }
    b->held[b->held_count++] = object;
    b->held_bytes += bytes;
}

/* Whether the object is the next one; a full one always is. */
static bool follows(const base *b, const image_head *head) {
    pointer parent;
    if (head->is_full) return true;
    if (!b->next.is_placed || b->is_lost) return false;
    if (pointer_read(head->parent, &parent) != POINTER_OK) return false;
    return parent.batch == b->next.at.batch && !strcmp(parent.id, b->next.at.id);
}

/* Begin to take a full object in: whatever is there goes. */
static void begin_full(base *b) {
    base_drop_gathered(b);
    base_meta_clear(&b->next);
    b->clears = true;
    b->is_lost = false;
}

/* Gather a table's section; of a full object write what is too much to be held. */
static err *gather_section(base *b, const image_view *view, bool is_full) {
    saved_table section;
    err *e = saved_table_open(view, &section);
    if (e) return e;
    bool in_files = base_is_in_files(b, view->name);
    uint32_t number = base_meta_number(&b->next, view->name, &section, in_files);
    if (!number)
        return err_new(ERR_REFUSED, "stored state of `%s`: its states changed their layout",
                       view->name);
    gather_add(b->gather, number, in_files, &section);
    size_t held = gather_held_bytes(b->gather);
    return is_full && held > b->config.memory_bytes / 4 ? write_run(b, NULL) : NULL;
}

err *base_gather(base *b, const pointer *p, image_reader *object, size_t bytes) {
    const image_head *head = image_head_of(object);
    image_view view;
    err *e = NULL;
    if (!follows(b, head)) {
        bool is_news = b->next.is_placed && !b->is_lost;
        b->is_lost = true;
        if (!b->is_borrowed) image_reader_free(object);
        atomic_fetch_sub(&b->waiting_bytes, bytes);
        return is_news ? err_new(ERR_REFUSED, "the object of batch %" PRIu64 " does not follow",
                                 p->batch)
                       : NULL;
    }
    if (head->is_full) begin_full(b);
    hold(b, object, bytes);
    image_rewind(object);
    while (!e && image_next(object, &view))
        if (view.kind == IMAGE_TABLE) e = gather_section(b, &view, head->is_full);
    if (!e) {
        base_meta_place(&b->next, p, head);
        return NULL;
    }
    b->is_lost = true;
    base_drop_gathered(b);
    return e;
}
