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
struct base_plain {
    char *key; /* owned */
    size_t key_len;
    buf bytes;
};

static int compare_plain(const void *x, const void *y) {
    const base_plain *a = x, *b = y;
    size_t len = a->key_len < b->key_len ? a->key_len : b->key_len;
    int difference = memcmp(a->key, b->key, len);
    return difference ? difference : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

/* Of several with one key the first counts. */
static void keep_plain(base *b, const image_view *view) {
    size_t name = strlen(view->name);
    base_plain it = { .key = mem_alloc(BASE_SECTION_BYTES + name),
                      .key_len = BASE_SECTION_BYTES + name };
    memcpy(it.key, base_sections_from().data, base_sections_from().len);
    base_key_put(it.key + base_sections_from().len, (uint32_t)view->kind, 4);
    memcpy(it.key + BASE_SECTION_BYTES, view->name, name);
    for (uint32_t i = 0; i < b->plain_count; i++) {
        if (compare_plain(&b->plain[i], &it)) continue;
        mem_free(it.key);
        return;
    }
    buf_put(&it.bytes, view->bytes, view->len);
    b->plain = mem_realloc(b->plain, (b->plain_count + 1) * sizeof *b->plain);
    b->plain[b->plain_count++] = it;
}

void base_drop_plain(base *b) {
    for (uint32_t i = 0; i < b->plain_count; i++) {
        mem_free(b->plain[i].key);
        buf_done(&b->plain[i].bytes);
    }
    mem_free(b->plain);
    b->plain = NULL;
    b->plain_count = 0;
}

static void put_plain(base *b, rocks_run *run) {
    if (b->plain_count) qsort(b->plain, b->plain_count, sizeof *b->plain, compare_plain);
    for (uint32_t i = 0; i < b->plain_count; i++) {
        const base_plain *it = &b->plain[i];
        rocks_run_put(run, (rocks_bytes){ it->key, it->key_len },
                      (rocks_bytes){ it->bytes.data, it->bytes.len });
    }
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
    const pane_id *of = &v->pane;
    buf text = { 0 };
    char begin[BASE_KEY_BYTES], end[BASE_KEY_BYTES];
    if (v->is_dropped) {
        base_key_begin(begin, of->number, of->start, 0, 0);
        base_key_begin(end, of->number, of->start, UINT32_MAX, UINT64_MAX);
        rocks_run_delete_range(run, (rocks_bytes){ begin, BASE_PANE_BYTES },
                               (rocks_bytes){ end, BASE_GENERATION_BYTES });
    }
    for (uint32_t i = 0; i < v->count; i++) {
        const ordered *item = &v->items[i];
        entry_head head = ordered_head(item);
        char *at = buf_need(&text, BASE_KEY_BYTES + head.key_len);
        base_key_begin(at, of->number, of->start, of->generation, item->order);
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

/* Write what is gathered. `is_whole`: the last object is gathered whole; else the base stands
 * nowhere behind this. */
static err *write_run(base *b, bool is_whole) {
    static const char LAST[BASE_KEY_BYTES + 1] = "\xff\xff\xff\xff\xff\xff\xff\xff";
    rocks_run *run;
    gather_view view;
    err *e = base_write_files(b);
    if (!e) e = rocks_run_begin(b->rocks, &run);
    if (e) return e;
    b->next.is_placed = is_whole;
    if (b->clears)
        rocks_run_delete_range(run, (rocks_bytes){ "\0", 1 }, (rocks_bytes){ LAST, sizeof LAST });
    else
        rocks_run_delete_range(run, base_sections_from(), base_sections_to());
    put_meta(b, run);
    if (is_whole) put_plain(b, run);
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
    base_drop_lookers(b, false);
    base_remove_files(b);
    pthread_mutex_unlock(&b->lock);
    atomic_store(&b->applied, read.is_placed ? read.at.batch : 0);
}

err *base_write(base *b) {
    if (!b->held_count) return NULL;
    err *e = write_run(b, true);
    base_drop_gathered(b);
    if (!e) publish(b);
    return e;
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
    base_merge_forget(b);
    base_meta_clear(&b->next);
    b->clears = true;
    b->is_lost = false;
}

/* Gather a table's section; of a full object write what is too much to be held. */
static err *gather_section(base *b, const image_view *view, bool is_full) {
    saved_table section;
    err *e = saved_table_open(view, &section);
    if (e) return e;
    base_way way = base_way_in(b, view->name);
    uint32_t number = base_meta_number(&b->next, view->name, &section, way);
    if (!number)
        return err_new(ERR_REFUSED, "stored state of `%s`: its states changed their layout",
                       view->name);
    gather_add(b->gather, number, way != BASE_IN_ROCKS, &section);
    size_t held = gather_held_bytes(b->gather);
    return is_full && held > b->config.memory_bytes / 2 ? write_run(b, false) : NULL;
}

/* A part that does not stay is written before the next one comes. */
static err *gather_parts(base *b, image_reader *object) {
    bool is_full = image_head_of(object)->is_full;
    image_view view;
    base_drop_plain(b);
    image_rewind(object);
    for (;;) {
        err *e = NULL;
        while (!e && image_next_here(object, &view)) {
            if (view.kind == IMAGE_TABLE)
                e = gather_section(b, &view, is_full);
            else
                keep_plain(b, &view);
        }
        if (!e && !image_is_last(object) && !image_keeps(object)) e = write_run(b, false);
        if (e || !image_turn(object)) return e;
    }
}

/* What came of an object is of no use. */
static err *miss(base *b, err *e) {
    b->is_lost = true;
    base_drop_gathered(b);
    return e;
}

err *base_gather(base *b, const pointer *p, image_reader *object, size_t bytes) {
    const image_head *head = image_head_of(object);
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
    e = gather_parts(b, object);
    if (e || !image_is_last(object)) return miss(b, e); /* a part could not be read */
    base_meta_place(&b->next, p, head);
    return NULL;
}
