/* DESIGN. What is opened for a segment stays open for as long as `meta` names the segment, or
 * somebody looks into it: filters and first orders are small beside it. Who looks is counted, since
 * workers look while the base follows, and a file must stay until the last of them has done. */
#include <string.h>

#include "runtime/base/mem.h"
#include "state/base_inside.h"
#include "state/run_filter.h"
#include "state/run_look.h"

struct base_looker {
    run_segment segment;
    run_look *look; /* owned */
    uint32_t users; /* so many look into it; `lock` */
};

/* Index of the first looker that is not before a place in a file. */
static uint32_t place_of(const base *b, const run_segment *s) {
    uint32_t low = 0, high = b->looker_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const run_segment *other = &b->lookers[middle]->segment;
        if (other->file < s->file || (other->file == s->file && other->at < s->at))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static err *open_looker(base *b, const run_segment *s, uint32_t at) {
    size_t filter = s->filter_lines * FILTER_LINE_BYTES;
    run_look *look;
    err *e = run_look_open(b->config.folder, s,
                           atomic_load(&b->look_bytes) + filter <= b->config.filter_bytes, &look);
    if (e) return e;
    if (b->looker_count == b->looker_room) {
        b->looker_room = b->looker_room ? 2 * b->looker_room : 16;
        b->lookers = mem_realloc(b->lookers, b->looker_room * sizeof(base_looker *));
    }
    memmove(&b->lookers[at + 1], &b->lookers[at], (b->looker_count - at) * sizeof(base_looker *));
    b->looker_count++;
    b->lookers[at] = mem_alloc(sizeof(base_looker));
    *b->lookers[at] = (base_looker){ .segment = *s, .look = look };
    atomic_fetch_add(&b->look_bytes, run_look_bytes(look));
    return NULL;
}

static bool is_named(const base *b, const run_segment *s) {
    uint32_t first, end;
    base_meta_segments(&b->meta, &s->pane, &first, &end);
    for (; first < end; first++)
        if (b->meta.segments[first].file == s->file && b->meta.segments[first].at == s->at)
            return true;
    return false;
}

void base_drop_lookers(base *b, bool all) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < b->looker_count; i++) {
        base_looker *l = b->lookers[i];
        if (l->users || (!all && is_named(b, &l->segment))) {
            b->lookers[kept++] = l;
            continue;
        }
        atomic_fetch_sub(&b->look_bytes, run_look_bytes(l->look));
        run_look_close(l->look);
        mem_free(l);
    }
    b->looker_count = kept;
}

uint32_t base_looker_files(const base *b, uint64_t *files) {
    for (uint32_t i = 0; i < b->looker_count; i++) files[i] = b->lookers[i]->segment.file;
    return b->looker_count;
}

size_t base_look_bytes(base *b) { return atomic_load(&b->look_bytes); }

/* A look into one pane. */
typedef struct looking {
    const base_range *in;
    base_looker **lookers; /* of its segments, the newest first; owned */
    uint32_t count;
    base_table layout; /* owned */
    base_section section;
} looking;

/* With `lock`. */
static err *begin(base *b, looking *l) {
    const base_range *in = l->in;
    pane_id id = { base_meta_find(&b->meta, in->table), in->generation, in->start };
    uint32_t first, end;
    if (!id.number) return NULL;
    base_meta_segments(&b->meta, &id, &first, &end);
    l->layout = base_layout(b, id.number);
    l->lookers = mem_alloc((end - first + 1) * sizeof(base_looker *));
    while (end-- > first) {
        const run_segment *s = &b->meta.segments[end];
        uint32_t at = place_of(b, s);
        bool is_open = at < b->looker_count && b->lookers[at]->segment.file == s->file &&
                       b->lookers[at]->segment.at == s->at;
        err *e = is_open ? NULL : open_looker(b, s, at);
        if (e) return e;
        b->lookers[at]->users++;
        l->lookers[l->count++] = b->lookers[at];
    }
    return NULL;
}

static err *put_found(void *arg, const char *at, size_t len) {
    looking *l = arg;
    entry_head head;
    memcpy(&head, at, sizeof head);
    if (head.value_words == VALUE_REMOVED) return NULL;
    return base_section_put(&l->section, l->in->start, l->in->generation, at, len);
}

static err *look(const base *b, looking *l, uint32_t count, const wanted *groups) {
    const wanted **left = mem_alloc(count * sizeof *left);
    buf block = { 0 };
    err *e = NULL;
    for (uint32_t i = 0; i < count; i++) left[i] = &groups[i];
    for (uint32_t i = 0; !e && count && i < l->count; i++)
        e = run_look_find(l->lookers[i]->look, b->config.shards, left, &count, put_found, l,
                          &block);
    buf_done(&block);
    mem_free(left);
    return e;
}

err *base_look(base *b, const base_range *in, uint32_t count, const wanted *groups,
               base_visit *visit, void *arg) {
    looking l = { .in = in };
    l.section = (base_section){ .table = &l.layout,
                                .name = in->table,
                                .shards = b->config.shards,
                                .visit = visit,
                                .arg = arg };
    pthread_mutex_lock(&b->lock);
    err *e = begin(b, &l);
    pthread_mutex_unlock(&b->lock);
    if (!e) e = look(b, &l, count, groups);
    pthread_mutex_lock(&b->lock);
    for (uint32_t i = 0; i < l.count; i++) l.lookers[i]->users--;
    pthread_mutex_unlock(&b->lock);
    if (!e) e = base_section_end(&l.section);
    buf_done(&l.section.bytes);
    base_layout_done(&l.layout);
    mem_free(l.lookers);
    return e;
}
