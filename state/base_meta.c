#include "state/base_meta.h"

#include <string.h>

#include "runtime/base/mem.h"

static void clear_head(image_head *head) {
    mem_free((char *)head->parent);
    mem_free((char *)head->shape);
    mem_free((char *)head->pipeline);
    mem_free((char *)head->cluster);
    *head = (image_head){ 0 };
}

void base_meta_clear(base_meta *m) {
    for (uint32_t i = 0; i < m->count; i++) {
        mem_free(m->tables[i].name);
        mem_free(m->tables[i].part_offsets);
    }
    mem_free(m->tables);
    m->tables = NULL;
    m->count = 0;
    mem_free(m->segments);
    m->segments = NULL;
    m->segment_count = m->segment_room = 0;
    m->is_placed = false;
    clear_head(&m->head);
}

void base_meta_done(base_meta *m) {
    base_meta_clear(m);
    mem_free(m->pipeline);
    mem_free(m->store_id);
    *m = (base_meta){ 0 };
}

static char *copy(const char *text) {
    return mem_copy_text(text, strlen(text));
}

void base_meta_place(base_meta *m, const pointer *at, const image_head *head) {
    image_head kept = *head;
    kept.parent = copy(head->parent);
    kept.shape = copy(head->shape);
    kept.pipeline = copy(head->pipeline);
    kept.cluster = copy(head->cluster);
    clear_head(&m->head);
    m->head = kept;
    m->at = *at;
    m->is_placed = true;
}

static base_table *add_table(base_meta *m, const char *name, size_t name_len) {
    m->tables = mem_realloc(m->tables, (m->count + 1) * sizeof *m->tables);
    m->tables[m->count] = (base_table){ .name = mem_copy_text(name, name_len) };
    return &m->tables[m->count++];
}

uint32_t base_meta_find(const base_meta *m, const char *name) {
    for (uint32_t i = 0; i < m->count; i++)
        if (!strcmp(m->tables[i].name, name)) return i + 1;
    return 0;
}

uint32_t base_meta_number(base_meta *m, const char *name, const saved_table *layout,
                          base_way way) {
    uint32_t number = base_meta_find(m, name);
    size_t offsets = layout->part_count * sizeof *layout->part_offsets;
    if (number) {
        const base_table *t = &m->tables[number - 1];
        bool is_same = t->state_size == layout->state_size && t->part_count == layout->part_count &&
                       (!offsets || !memcmp(t->part_offsets, layout->part_offsets, offsets));
        return is_same ? number : 0;
    }
    base_table *t = add_table(m, name, strlen(name));
    t->way = way;
    t->state_size = layout->state_size;
    t->part_count = layout->part_count;
    t->part_offsets = mem_alloc(offsets);
    if (offsets) memcpy(t->part_offsets, layout->part_offsets, offsets);
    return m->count;
}

static uint32_t place_of(const base_meta *m, const pane_id *id) {
    return pane_id_place(m->segments, m->segment_count, sizeof *m->segments, id);
}

static bool is_of(const base_meta *m, uint32_t i, uint32_t number, int64_t start) {
    return i < m->segment_count && m->segments[i].pane.number == number &&
           m->segments[i].pane.start == start;
}

void base_meta_segments(const base_meta *m, const pane_id *of, uint32_t *first, uint32_t *end) {
    *first = *end = place_of(m, of);
    while (*end < m->segment_count && !pane_id_compare(&m->segments[*end].pane, of)) ++*end;
}

void base_meta_segments_from(const base_meta *m, uint32_t number, int64_t start, uint32_t *first,
                             uint32_t *end) {
    *first = *end = place_of(m, &(pane_id){ .number = number, .start = start });
    while (is_of(m, *end, number, start)) ++*end;
}

void base_meta_replace(base_meta *m, uint32_t first, uint32_t end, const run_segment *s) {
    uint32_t behind = m->segment_count - end, some = s ? 1 : 0;
    if (m->segment_count == m->segment_room) {
        m->segment_room = m->segment_room ? 2 * m->segment_room : 16;
        m->segments = mem_realloc(m->segments, m->segment_room * sizeof *m->segments);
    }
    memmove(&m->segments[first + some], &m->segments[end], behind * sizeof *m->segments);
    if (s) m->segments[first] = *s;
    m->segment_count = first + some + behind;
}

static void put_number(buf *out, uint64_t number) {
    buf_put(out, &number, sizeof number);
}

static void put_text(buf *out, const char *text) {
    put_number(out, strlen(text));
    buf_put_text(out, text);
}

void base_meta_write(const base_meta *m, buf *out) {
    char at[SL_POINTER_BYTES] = "";
    put_number(out, BASE_VERSION);
    put_text(out, m->pipeline);
    put_text(out, m->store_id);
    put_number(out, m->shards);
    if (m->is_placed) pointer_write(&m->at, at);
    put_text(out, at);
    put_number(out, m->head.is_full);
    put_number(out, m->head.batch);
    put_number(out, (uint64_t)m->head.created_ms);
    put_number(out, m->head.script_hash);
    put_text(out, m->is_placed ? m->head.parent : "");
    put_text(out, m->is_placed ? m->head.shape : "");
    put_text(out, m->is_placed ? m->head.pipeline : "");
    put_text(out, m->is_placed ? m->head.cluster : "");
    put_number(out, m->count);
    for (uint32_t i = 0; i < m->count; i++) {
        const base_table *t = &m->tables[i];
        put_text(out, t->name);
        put_number(out, t->state_size);
        put_number(out, t->part_count);
        put_number(out, (uint64_t)t->way);
        buf_put(out, t->part_offsets, t->part_count * sizeof *t->part_offsets);
    }
    put_number(out, m->next_file);
    put_number(out, m->segment_count);
    buf_put(out, m->segments, m->segment_count * sizeof *m->segments);
}

/* Bytes being read. Behind the first that do not fit everything is 0. */
typedef struct meta_reader {
    const char *at;
    size_t left;
    bool is_bad;
} meta_reader;

static const char *take(meta_reader *r, size_t len) {
    if (r->is_bad || len > r->left) {
        r->is_bad = true;
        return NULL;
    }
    const char *at = r->at;
    r->at += len;
    r->left -= len;
    return at;
}

static uint64_t take_number(meta_reader *r) {
    uint64_t number = 0;
    const char *at = take(r, sizeof number);
    if (at) memcpy(&number, at, sizeof number);
    return number;
}

static char *take_text(meta_reader *r) {
    size_t len = take_number(r);
    const char *at = take(r, len);
    return mem_copy_text(at ? at : "", at ? len : 0);
}

static void read_tables(meta_reader *r, base_meta *m) {
    for (uint64_t left = take_number(r); left && !r->is_bad; left--) {
        char *name = take_text(r);
        base_table *t = add_table(m, name, strlen(name));
        mem_free(name);
        t->state_size = (uint32_t)take_number(r);
        t->part_count = (uint32_t)take_number(r);
        t->way = (base_way)take_number(r);
        size_t len = t->part_count * sizeof *t->part_offsets;
        const char *offsets = take(r, len);
        if (!offsets) t->part_count = 0;
        t->part_offsets = mem_alloc(offsets ? len : 0);
        if (offsets && len) memcpy(t->part_offsets, offsets, len);
    }
}

static void read_segments(meta_reader *r, base_meta *m) {
    m->next_file = take_number(r);
    uint64_t count = take_number(r);
    if (count > r->left / sizeof *m->segments) r->is_bad = true;
    const char *at = take(r, r->is_bad ? 0 : count * sizeof *m->segments);
    if (!at || !count) return;
    m->segments = mem_alloc(count * sizeof *m->segments);
    memcpy(m->segments, at, count * sizeof *m->segments);
    m->segment_count = m->segment_room = (uint32_t)count;
}

err *base_meta_read(const char *bytes, size_t len, base_meta *m) {
    meta_reader r = { .at = bytes, .left = len };
    uint64_t version = take_number(&r);
    if (version != BASE_VERSION)
        return err_new(ERR_REFUSED, "the base is of version %llu, this program reads %d",
                       (unsigned long long)version, BASE_VERSION);
    m->pipeline = take_text(&r);
    m->store_id = take_text(&r);
    m->shards = (uint32_t)take_number(&r);
    char *at = take_text(&r);
    m->is_placed = *at && pointer_read(at, &m->at) == POINTER_OK;
    mem_free(at);
    m->head.is_full = take_number(&r);
    m->head.batch = take_number(&r);
    m->head.created_ms = (int64_t)take_number(&r);
    m->head.script_hash = take_number(&r);
    m->head.parent = take_text(&r);
    m->head.shape = take_text(&r);
    m->head.pipeline = take_text(&r);
    m->head.cluster = take_text(&r);
    read_tables(&r, m);
    read_segments(&r, m);
    return r.is_bad || r.left ? err_new(ERR_REFUSED, "what the base says of itself is cut short")
                              : NULL;
}
