/* DESIGN. What is read comes out as sections of an object, so that there is one way into tables
 * (image_load_table) and one into full objects. A scan sees RocksDB as it was when it began. */
#include <string.h>

#include "runtime/base/mem.h"
#include "state/base_inside.h"
#include "state/image_format.h"
#include "state/run_merge.h"
#include "state/shard.h"

static void put_zeros(buf *b, size_t len) {
    memset(buf_need(b, len), 0, len);
    b->len += len;
}

static void begin_section(base_section *s) {
    table_head head = { .state_size = s->table->state_size, .part_count = s->table->part_count };
    size_t offsets = s->table->part_count * sizeof *s->table->part_offsets;
    buf_reset(&s->bytes);
    buf_put(&s->bytes, &head, sizeof head);
    buf_put(&s->bytes, s->table->part_offsets, offsets);
    put_zeros(&s->bytes, image_round(offsets) - offsets);
    s->pane_at = 0;
}

static void end_pane(base_section *s) {
    if (!s->pane_at) return;
    memcpy(s->bytes.data + s->pane_at + offsetof(pane_head, entry_count), &s->count,
           sizeof s->count);
    s->pane_at = 0;
}

err *base_section_end(base_section *s) {
    end_pane(s);
    if (!s->bytes.len) return NULL;
    image_view view = { .kind = IMAGE_TABLE,
                        .name = s->name,
                        .bytes = s->bytes.data,
                        .len = s->bytes.len };
    err *e = s->visit(s->arg, &view);
    buf_reset(&s->bytes);
    return e;
}

static void begin_pane(base_section *s, int64_t start, uint32_t generation) {
    pane_head head = { .start = start, .generation = generation };
    end_pane(s);
    s->pane_at = s->bytes.len;
    s->count = 0;
    s->start = start;
    s->generation = generation;
    buf_put(&s->bytes, &head, sizeof head);
}

/* The next entry is of that pane. */
static err *next_entry(base_section *s, int64_t start, uint32_t generation) {
    err *e = s->bytes.len >= IMAGE_TABLE_BYTES ? base_section_end(s) : NULL;
    if (e) return e;
    if (!s->bytes.len) begin_section(s);
    if (!s->pane_at || start != s->start || generation != s->generation)
        begin_pane(s, start, generation);
    s->count++;
    return NULL;
}

static err *put_entry(base_section *s, rocks_bytes key, rocks_bytes value) {
    err *e = next_entry(s, base_key_start(key), base_key_generation(key));
    if (e) return e;
    uint32_t key_len = (uint32_t)(key.len - BASE_KEY_BYTES);
    entry_head head = { .hash = shard_hash(base_key_order(key), s->shards),
                        .key_len = key_len,
                        .value_words = (uint32_t)(value.len / 8) };
    buf_put(&s->bytes, &head, sizeof head);
    buf_put(&s->bytes, value.data, value.len);
    buf_put(&s->bytes, key.data + BASE_KEY_BYTES, key_len);
    put_zeros(&s->bytes, image_round(key_len) - key_len);
    return NULL;
}

err *base_section_put(base_section *s, int64_t start, uint32_t generation, const char *at,
                      size_t len) {
    err *e = next_entry(s, start, generation);
    if (!e) buf_put(&s->bytes, at, len);
    return e;
}

void base_read_begin(base *b, base_meta *copy) {
    buf bytes = { 0 };
    pthread_mutex_lock(&b->lock);
    base_meta_write(&b->meta, &bytes);
    b->reading++;
    pthread_mutex_unlock(&b->lock);
    err_free(base_meta_read(bytes.data, bytes.len, copy));
    buf_done(&bytes);
}

void base_read_end(base *b, base_meta *copy) {
    pthread_mutex_lock(&b->lock);
    b->reading--;
    pthread_mutex_unlock(&b->lock);
    base_meta_done(copy);
}

/* A cursor over everything. */
static rocks_cursor *scan_all(base *b) {
    return rocks_scan(b->rocks, base_meta_key(), base_key_past());
}

err *base_scan_begin(base *b, base_scan *s) {
    rocks_bytes key, value;
    *s = (base_scan){ .b = b };
    pthread_mutex_lock(&b->lock);
    b->reading++;
    s->cursor = scan_all(b);
    pthread_mutex_unlock(&b->lock);
    if (!rocks_next(s->cursor, &key, &value)) return err_new(ERR_REFUSED, "local state is empty");
    err *e = base_meta_read(value.data, value.len, &s->meta);
    if (!e && !s->meta.is_placed) e = err_new(ERR_REFUSED, "local state is not filled");
    return e;
}

err *base_scan_end(base_scan *s) {
    err *e = rocks_scan_end(s->cursor);
    base_read_end(s->b, &s->meta);
    return e;
}

static err *visit_plain(rocks_bytes key, rocks_bytes value, base_visit *visit, void *arg) {
    char *name = mem_copy_text(key.data + BASE_SECTION_BYTES, key.len - BASE_SECTION_BYTES);
    size_t kind_at = base_sections_from().len;
    image_view view = { .kind = (int32_t)base_key_get(key.data + kind_at, 4),
                        .name = name,
                        .bytes = value.data,
                        .len = value.len };
    err *e = visit(arg, &view);
    mem_free(name);
    return e;
}

/* Go on behind the pane that `key` is of. */
static void pass_pane(rocks_cursor *c, rocks_bytes key) {
    char next[BASE_KEY_BYTES];
    base_key_begin(next, base_key_table(key), base_key_start(key), base_key_generation(key) + 1, 0);
    rocks_seek(c, (rocks_bytes){ next, sizeof next });
}

/* Begin another pane of a scan; false: it is not wanted, and passed over. */
static bool begin_wanted(base_scan *s, base_section *to, rocks_bytes key, base_wants *wants) {
    to->table = &s->meta.tables[base_key_table(key) - 1];
    to->name = to->table->name;
    if (!wants || wants(to->arg, to->name, base_key_start(key), base_key_generation(key)))
        return true;
    pass_pane(s->cursor, key);
    return false;
}

/* The tables in files, of the same moment. */
static err *scan_files(const base_scan *s, base_section *to, base_wants *wants) {
    const base_meta *m = &s->meta;
    err *e = NULL;
    for (uint32_t i = 0; !e && i < m->segment_count;) {
        const run_segment *one = &m->segments[i];
        const char *name = m->tables[one->pane.number - 1].name;
        base_range all = { name, one->pane.start, one->pane.generation, 0, UINT64_MAX };
        uint32_t first;
        base_meta_segments(m, &one->pane, &first, &i);
        if (wants && !wants(to->arg, name, all.start, all.generation)) continue;
        if (to->name != name) e = base_section_end(to);
        to->table = &m->tables[one->pane.number - 1];
        to->name = name;
        run_merge *merge = base_merge_of(s->b, m, &all);
        if (!e) e = base_put_merged(to, merge, &all);
        run_merge_free(merge);
    }
    return e;
}

err *base_scan_all(base_scan *s, base_wants *wants, base_visit *visit, void *arg) {
    base_section to = { .shards = s->meta.shards, .visit = visit, .arg = arg };
    rocks_bytes key, value;
    char last[BASE_GENERATION_BYTES] = { 0 };
    err *e = NULL;
    while (!e && rocks_next(s->cursor, &key, &value)) {
        uint32_t number = base_key_table(key);
        if (!number) {
            e = visit_plain(key, value, visit, arg);
            continue;
        }
        if (number > s->meta.count) e = err_new(ERR_REFUSED, "local state has an unknown table");
        if (!e && memcmp(last, key.data, sizeof last) != 0) {
            if (number != base_key_get(last, 2)) e = base_section_end(&to);
            memcpy(last, key.data, sizeof last);
            if (e || !begin_wanted(s, &to, key, wants)) continue;
        }
        if (!e) e = put_entry(&to, key, value);
    }
    if (!e) e = scan_files(s, &to, wants);
    if (!e) e = base_section_end(&to);
    buf_done(&to.bytes);
    return e;
}

static err *join(err *e, err *scanned) {
    if (!scanned) return e;
    err_free(e);
    return scanned;
}

err *base_read(base *b, base_wants *wants, base_visit *visit, void *arg) {
    base_scan s;
    err *e = base_scan_begin(b, &s);
    if (!e) e = base_scan_all(&s, wants, visit, arg);
    return join(e, base_scan_end(&s));
}

err *base_list(base *b, base_see_pane *see, void *arg) {
    rocks_bytes key, value;
    base_scan s;
    err *e = base_scan_begin(b, &s);
    if (!e) rocks_seek(s.cursor, (rocks_bytes){ "\0\1", 2 });
    while (!e && rocks_next(s.cursor, &key, &value)) {
        uint32_t number = base_key_table(key);
        if (number > s.meta.count) break;
        e = see(arg, s.meta.tables[number - 1].name, base_key_start(key), base_key_generation(key));
        pass_pane(s.cursor, key);
    }
    for (uint32_t i = 0, first; !e && i < s.meta.segment_count;) {
        const pane_id *one = &s.meta.segments[i].pane;
        e = see(arg, s.meta.tables[one->number - 1].name, one->start, one->generation);
        base_meta_segments(&s.meta, one, &first, &i);
    }
    return join(e, base_scan_end(&s));
}

bool base_bounds(const base_meta *m, const base_range *range, char from[BASE_KEY_BYTES],
                 char to[BASE_KEY_BYTES]) {
    uint32_t number = base_meta_find(m, range->table);
    if (!number) return false;
    base_key_begin(from, number, range->start, range->generation, range->from);
    bool is_last = range->to == UINT64_MAX;
    base_key_begin(to, number, range->start, range->generation + is_last,
                   is_last ? 0 : range->to + 1);
    return true;
}

err *base_read_stored(base *b, const base_meta *meta, const base_range *range, base_section *s) {
    char from[BASE_KEY_BYTES], to[BASE_KEY_BYTES];
    rocks_bytes key, value;
    if (!base_bounds(meta, range, from, to)) return NULL;
    rocks_cursor *c = rocks_scan(b->rocks, (rocks_bytes){ from, sizeof from },
                                 (rocks_bytes){ to, sizeof to });
    err *e = NULL;
    while (!e && rocks_next(c, &key, &value)) e = put_entry(s, key, value);
    return join(e, rocks_scan_end(c));
}
