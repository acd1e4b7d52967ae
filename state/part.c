/* DESIGN
 * Undo of parts rests on one rule: a block is written in place only in the step (epoch) that made
 * it. Bytes saved before the step therefore still find their blocks as they were. What remains is
 * to know which blocks to free, and when:
 *   made  blocks of this batch: freed when the batch, or the step, is undone;
 *   gone  blocks no state points to any more: freed at commit; forgotten when the step is undone.
 * A block made and let go within one step is freed at once: nobody saved bytes that point to it.
 * One made in an earlier step of the batch can be freed when the step that let it go is over. So a
 * batch of many steps holds no more than two blocks a part beside the one from before the batch. */
#include "state/part.h"

#include <assert.h>
#include <string.h>

#include "runtime/base/mem.h"

enum {
    CUT_MAX = 32 << 10, /* largest block that is cut from a slab, header included */
    SLAB_FIRST = 4 << 10,
    SLAB_LAST = 2 << 20,
};

struct part_block {
    uint64_t epoch;
    uint32_t size_class;
    uint32_t made_at;
};

/* Sizes 32, 48, 64, 96 ..: class 2k is 32 << k, class 2k+1 is 48 << k. Beyond CUT_MAX only even
 * ones. */
static size_t class_size(uint32_t size_class) {
    return (size_t)(size_class & 1 ? 48 : 32) << (size_class >> 1);
}

static uint32_t class_of(size_t size) {
    if (size <= 32) return 0;
    unsigned below = 63 - (unsigned)__builtin_clzll(size - 1); /* 2^below < size <= 2^(below+1) */
    size_t middle = (size_t)3 << (below - 1);
    uint32_t even = 2 * (below - 5);
    return size <= middle && middle < CUT_MAX ? even + 1 : even + 2;
}

static void list_push(part_list *l, part_block *b) {
    if (l->count == l->room) {
        l->room = l->room ? 2 * l->room : 64;
        l->items = mem_realloc(l->items, l->room * sizeof *l->items);
    }
    l->items[l->count++] = b;
}

static void list_clear(part_list *l) {
    l->count = l->mark = 0;
}

void part_store_init(part_store *s, slab_pool *pool) {
    memset(s, 0, sizeof *s);
    s->pool = pool;
}

void part_store_done(part_store *s) {
    for (uint32_t i = 0; i < s->slab_count; i++) slab_put(s->pool, s->slabs[i], s->slab_lens[i]);
    mem_free(s->slabs);
    mem_free(s->slab_lens);
    mem_free(s->made.items);
    mem_free(s->gone.items);
    part_store_init(s, s->pool);
}

/* Start another slab with room for `size` bytes. What the last one had left is lost. */
static void add_slab(part_store *s, size_t size) {
    size_t len = s->slab_count ? 2 * s->slab_lens[s->slab_count - 1] : SLAB_FIRST;
    if (len > SLAB_LAST) len = SLAB_LAST;
    while (len < 4 * size) len *= 2;
    uint32_t count = s->slab_count + 1;
    s->slabs = mem_realloc(s->slabs, count * sizeof *s->slabs);
    s->slab_lens = mem_realloc(s->slab_lens, count * sizeof *s->slab_lens);
    s->slabs[s->slab_count] = s->next = slab_take(s->pool, len);
    s->slab_lens[s->slab_count] = len;
    s->cut_bytes += len;
    s->end = s->next + len;
    s->slab_count = count;
}

static part_block *block_new(part_store *s, size_t len) {
    uint32_t size_class = class_of(len + sizeof(part_block));
    size_t size = class_size(size_class);
    part_block *b = s->spare[size_class];
    if (b) {
        memcpy(&s->spare[size_class], b + 1, sizeof b);
    } else if (size > CUT_MAX) {
        b = slab_take(s->pool, size);
    } else {
        if ((size_t)(s->end - s->next) < size) add_slab(s, size);
        b = (part_block *)s->next;
        s->next += size;
    }
    b->epoch = s->epoch;
    b->size_class = size_class;
    b->made_at = s->made.count;
    list_push(&s->made, b);
    s->block_count++;
    if (size <= CUT_MAX) s->used_bytes += size;
    return b;
}

static void block_free(part_store *s, part_block *b) {
    s->block_count--;
    size_t size = class_size(b->size_class);
    if (size > CUT_MAX) {
        slab_put(s->pool, b, size);
        return;
    }
    s->used_bytes -= size;
    memcpy(b + 1, &s->spare[b->size_class], sizeof b);
    s->spare[b->size_class] = b;
}

/* Free a block of this batch: it leaves the list of those made. */
static void made_free(part_store *s, part_block *b) {
    part_block *last = s->made.items[--s->made.count];
    s->made.items[b->made_at] = last;
    last->made_at = b->made_at;
    block_free(s, b);
}

void part_begin(part_store *s) {
    assert(s->made.count == 0 && s->gone.count == 0);
    s->batch = ++s->epoch;
}

void part_next(part_store *s) {
    part_list *gone = &s->gone;
    uint32_t kept = gone->mark;
    for (uint32_t i = gone->mark; i < gone->count; i++) {
        part_block *b = gone->items[i];
        if (b->epoch >= s->batch)
            made_free(s, b);
        else
            gone->items[kept++] = b;
    }
    gone->count = gone->mark = kept;
    s->made.mark = s->made.count;
    s->epoch++;
}

void part_step_undo(part_store *s) {
    while (s->made.count > s->made.mark) block_free(s, s->made.items[--s->made.count]);
    s->gone.count = s->gone.mark;
}

void part_commit(part_store *s) {
    for (uint32_t i = 0; i < s->gone.count; i++) block_free(s, s->gone.items[i]);
    list_clear(&s->gone);
    list_clear(&s->made);
}

void part_undo(part_store *s) {
    for (uint32_t i = 0; i < s->made.count; i++) block_free(s, s->made.items[i]);
    list_clear(&s->gone);
    list_clear(&s->made);
}

/* Give the part a new block of `room` bytes that begins with `len` bytes of `data`. */
static void move_to_new(part_store *s, sl_part *part, const char *data, uint32_t len,
                        uint32_t room) {
    part_block *b = block_new(s, room);
    if (len) memcpy(b + 1, data, len);
    part_release(s, part); /* after the copy: `data` may lie in it */
    size_t there = class_size(b->size_class) - sizeof *b;
    part->data = (char *)(b + 1);
    part->len = room;
    part->room = there > UINT32_MAX ? UINT32_MAX : (uint32_t)there;
    part->epoch = s->epoch;
}

void part_set(part_store *s, sl_part *part, const char *data, uint32_t len) {
    if (!data) {
        part_release(s, part);
        return;
    }
    if (part->data && part->epoch == s->epoch && len <= part->room) {
        memmove(part->data, data, len); /* may be a piece of the part itself */
        part->len = len;
        return;
    }
    move_to_new(s, part, data, len, len);
}

char *part_edit(part_store *s, sl_part *part, uint32_t len) {
    if (part->data && part->epoch == s->epoch && len <= part->room)
        part->len = len;
    else
        move_to_new(s, part, part->data, part->len < len ? part->len : len, len);
    return part->data;
}

char *part_append(part_store *s, sl_part *part, uint32_t len) {
    uint32_t before = part->len;
    size_t need = (size_t)before + len;
    assert(need <= UINT32_MAX);
    if (!part->data || need > part->room) {
        size_t room = need + before / 2; /* so that it moves seldom */
        move_to_new(s, part, part->data, before, room > UINT32_MAX ? UINT32_MAX : (uint32_t)room);
    }
    part->len = (uint32_t)need;
    return part->data + before;
}

void part_release(part_store *s, sl_part *part) {
    if (part->data) {
        part_block *b = (part_block *)part->data - 1;
        if (b->epoch == s->epoch)
            made_free(s, b);
        else
            list_push(&s->gone, b);
    }
    *part = (sl_part){ 0 };
}

void part_let_go(part_store *s, sl_part *part) {
    if (part->data) list_push(&s->gone, (part_block *)part->data - 1);
    *part = (sl_part){ 0 };
}

void part_free(part_store *s, sl_part *part) {
    if (part->data) block_free(s, (part_block *)part->data - 1);
    *part = (sl_part){ 0 };
}

size_t part_list_bytes(const part_store *s) {
    return (s->made.room + s->gone.room) * sizeof(part_block *);
}
