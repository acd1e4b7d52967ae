/* DESIGN. Orders are spread evenly, so the place of one among the first orders of the blocks is
 * about as far in as it is among all orders: a few steps from there instead of a search. Groups are
 * sorted, so filter and first orders are gone through in the order of memory. */
#include "state/run_look.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/mem.h"
#include "state/run_filter.h"
#include "state/run_inside.h"
#include "state/shard.h"

struct run_look {
    char *path; /* owned; opened for each look: there may be very many of them */
    run_segment segment;
    uint64_t *orders; /* first of each block; owned */
    uint64_t *places; /* of the blocks in the file, and of their end; owned */
    uint64_t *filter; /* owned; NULL: it stays on disk */
};

/* One look. */
typedef struct search {
    const run_look *l;
    uint32_t shards;
    int fd;         /* -1: not opened yet */
    uint64_t block; /* that was read; block_count: none */
    buf *bytes;     /* of it */
} search;

static void take_index(run_look *l, const block_index *index) {
    uint64_t count = l->segment.block_count;
    l->orders = mem_alloc(count * sizeof *l->orders);
    l->places = mem_alloc((count + 1) * sizeof *l->places);
    for (uint64_t i = 0; i < count; i++) {
        l->orders[i] = index[i].order;
        l->places[i] = index[i].at;
    }
    l->places[count] = run_end(&l->segment);
}

err *run_look_open(const char *folder, const run_segment *s, bool with_filter, run_look **out) {
    run_look *l = mem_zalloc(1, sizeof *l);
    l->path = run_path(folder, s->file);
    l->segment = *s;
    if (with_filter) l->filter = mem_alloc(s->filter_lines * FILTER_LINE_BYTES);
    block_index *index = mem_alloc(s->block_count * sizeof *index);
    int fd = open(l->path, O_RDONLY | O_CLOEXEC);
    err *e = fd < 0 ? run_failed("opening", l->path, errno) : NULL;
    if (!e) e = run_read_tail(l->path, fd, s, index, l->filter);
    if (!e) take_index(l, index);
    if (fd >= 0) close(fd);
    mem_free(index);
    if (e) run_look_close(l);
    *out = e ? NULL : l;
    return e;
}

void run_look_close(run_look *l) {
    if (!l) return;
    mem_free(l->orders);
    mem_free(l->places);
    mem_free(l->filter);
    mem_free(l->path);
    mem_free(l);
}

size_t run_look_bytes(const run_look *l) {
    return l->segment.block_count * (sizeof *l->orders + sizeof *l->places) +
           (l->filter ? l->segment.filter_lines * FILTER_LINE_BYTES : 0);
}

/* The last block whose first order is below `order`, or the first. */
static uint64_t find_block(const run_look *l, uint64_t order) {
    uint64_t count = l->segment.block_count, step = 1;
    uint64_t low = (uint64_t)((unsigned __int128)order * count >> 64), high = low;
    while (low > 0 && l->orders[low] >= order) {
        high = low;
        low = low > step ? low - step : 0;
        step *= 2;
    }
    if (high == low) {
        for (high = low + 1; high < count && l->orders[high] < order; step *= 2) {
            low = high;
            high += step;
        }
        if (high > count) high = count;
    }
    while (high - low > 1) { /* orders[high] is not below it, or there is none */
        uint64_t middle = low + (high - low) / 2;
        *(l->orders[middle] < order ? &low : &high) = middle;
    }
    return low;
}

static err *read_block(search *s, uint64_t block) {
    const run_look *l = s->l;
    size_t len = (size_t)(l->places[block + 1] - l->places[block]);
    block_head head = { 0 };
    if (s->block == block) return NULL;
    if (s->fd < 0) s->fd = open(l->path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0) return run_failed("opening", l->path, errno);
    s->block = l->segment.block_count;
    buf_reset(s->bytes);
    err *e = run_read(l->path, s->fd, buf_need(s->bytes, len), len, l->places[block]);
    if (e) return e;
    memcpy(&head, s->bytes->data, sizeof head);
    bool is_sound = head.len + sizeof head == len &&
                    head.checksum == run_block_sum(s->bytes->data, len, l->segment.file,
                                                   l->places[block]);
    if (!is_sound) return run_spoilt(l->path);
    s->bytes->len = len;
    s->block = block;
    return NULL;
}

static bool is_entry_of(const wanted *w, const char *at, const entry_head *head) {
    if (head->key_len != w->key_len) return false;
    const char *key = at + sizeof *head + stored_value_len(head);
    return !w->key_len || !memcmp(key, w->key, w->key_len);
}

/* The group's entry in the open block; NULL: it is not in it. `is_past`: out, what comes behind
 * what was looked at does not have it either. */
static const char *find_entry(const search *s, const wanted *w, bool *is_past) {
    const char *at = s->bytes->data + sizeof(block_head), *end = s->bytes->data + s->bytes->len;
    uint64_t hash = shard_hash(w->order, s->shards);
    *is_past = false;
    while (at < end) {
        entry_head head;
        memcpy(&head, at, sizeof head);
        if (head.hash == hash && is_entry_of(w, at, &head)) return at;
        if (shard_order(head.hash, s->shards) > w->order) {
            *is_past = true;
            return NULL;
        }
        at += stored_entry_len(&head);
    }
    return NULL;
}

/* `at`: out, the entry, borrowed until the next block is read; NULL: there is none. */
static err *find_group(search *s, const wanted *w, const char **at) {
    const run_look *l = s->l;
    bool is_past = false;
    *at = NULL;
    uint64_t end = l->segment.block_count;
    for (uint64_t i = find_block(l, w->order); !*at && !is_past && i < end; i++) {
        if (l->orders[i] > w->order) break;
        err *e = read_block(s, i);
        if (e) return e;
        *at = find_entry(s, w, &is_past);
    }
    return NULL;
}

err *run_look_find(const run_look *l, uint32_t shards, const wanted **left, uint32_t *count,
                   run_found *found, void *arg, buf *block) {
    search s = {
        .l = l, .shards = shards, .fd = -1, .block = l->segment.block_count, .bytes = block
    };
    uint32_t kept = 0;
    err *e = NULL;
    for (uint32_t i = 0; !e && i < *count; i++) {
        const wanted *w = left[i];
        const char *at = NULL;
        bool may_be = !l->filter || filter_may_have(l->filter, l->segment.filter_lines, w->order);
        if (may_be) e = find_group(&s, w, &at);
        if (!at) {
            left[kept++] = w;
            continue;
        }
        entry_head head;
        memcpy(&head, at, sizeof head);
        e = found(arg, at, stored_entry_len(&head));
    }
    if (s.fd >= 0) close(s.fd);
    *count = kept;
    return e;
}
