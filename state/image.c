#include "state/image.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

/* The whole library inline: what is checked is mostly short. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/base/mem.h"
#include "state/image_format.h"

typedef struct image_piece {
    buf bytes;
    uint32_t section_count;
    XXH64_hash_t checksums; /* so far */
} image_piece;

struct image {
    part_head head;               /* what all parts share */
    char *strings[IMAGE_STRINGS]; /* owned */
    image_piece *parts;           /* owned */
    uint32_t count;
    size_t cut_at;
    size_t section_at; /* begin of the open section in the last part; 0: none is open */
    size_t bytes_at;   /* of its bytes */
    uint32_t taken;    /* parts behind the first that were taken early */
    spares *spares;    /* borrowed; NULL: memory is fresh */
};

static const char *string_of(const image_head *head, uint32_t i) {
    const char *strings[IMAGE_STRINGS] = { head->parent, head->shape, head->pipeline,
                                           head->cluster };
    return strings[i] ? strings[i] : "";
}

static void pad(buf *b) {
    static const char zeros[8] = { 0 };
    buf_put(b, zeros, image_round(b->len) - b->len);
}

void image_reserve(buf *b, size_t bytes) {
    enum { HUGE = 2 << 20 };
    buf_need(b, bytes);
    uintptr_t begin = ((uintptr_t)b->data + b->len + HUGE - 1) / HUGE * HUGE;
    uintptr_t end = ((uintptr_t)b->data + b->len + bytes) / HUGE * HUGE;
    if (begin < end) /* a wish; without it only slower */
        (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

void image_room(image *m, size_t bytes) {
    buf *b = &m->parts[m->count - 1].bytes;
    size_t want = b->len + bytes, most = m->cut_at + IMAGE_SPARE_BYTES;
    if (b->room >= want) return;
    if (!m->spares || want < SPARES_LEAST_BYTES) {
        image_reserve(b, bytes);
        return;
    }
    if (want < 2 * b->room) want = 2 * b->room < most ? 2 * b->room : most;
    buf larger = spares_take(m->spares, want < b->len + bytes ? b->len + bytes : want);
    buf_put(&larger, b->data, b->len);
    spares_give(m->spares, b);
    *b = larger;
}

/* The head as it is known when a part begins; image_finish fills in the rest. */
static void begin_part(image *m) {
    m->parts = mem_realloc(m->parts, (m->count + 1) * sizeof *m->parts);
    image_piece *part = &m->parts[m->count];
    *part = (image_piece){ 0 };
    m->head.part = m->count++;
    buf_put(&part->bytes, &m->head, sizeof m->head);
    for (uint32_t i = 0; i < IMAGE_STRINGS; i++)
        buf_put(&part->bytes, m->strings[i], m->head.lens[i]);
    pad(&part->bytes);
    static const char no_checksum[IMAGE_CHECKSUM_BYTES] = { 0 };
    buf_put(&part->bytes, no_checksum, sizeof no_checksum);
}

image *image_new(const image_head *head) {
    image *m = mem_zalloc(1, sizeof *m);
    m->cut_at = IMAGE_PART_BYTES;
    m->head = (part_head){ .version = IMAGE_VERSION,
                           .is_full = head->is_full,
                           .batch = head->batch,
                           .created_ms = head->created_ms,
                           .script_hash = head->script_hash };
    memcpy(m->head.magic, IMAGE_MAGIC, IMAGE_MAGIC_BYTES);
    size_t len = sizeof m->head;
    for (uint32_t i = 0; i < IMAGE_STRINGS; i++) {
        const char *text = string_of(head, i);
        m->head.lens[i] = (uint32_t)strlen(text);
        m->strings[i] = mem_copy_text(text, m->head.lens[i]);
        len += m->head.lens[i];
    }
    m->head.head_len = (uint32_t)(image_round(len) + IMAGE_CHECKSUM_BYTES);
    begin_part(m);
    return m;
}

void image_free(image *m) {
    if (!m) return;
    for (uint32_t i = 0; i < m->count; i++) spares_give(m->spares, &m->parts[i].bytes);
    for (uint32_t i = 0; i < IMAGE_STRINGS; i++) mem_free(m->strings[i]);
    mem_free(m->parts);
    mem_free(m);
}

void image_use(image *m, spares *s) {
    m->spares = s;
}

spares *image_spares(const image *m) {
    return m->spares;
}

void image_cut_at(image *m, size_t bytes) {
    m->cut_at = bytes;
}

buf *image_begin(image *m, int32_t kind, const char *name, size_t name_len) {
    assert(!m->section_at);
    const image_piece *last = &m->parts[m->count - 1];
    if (last->section_count && last->bytes.len >= m->cut_at) {
        begin_part(m); /* of a large object: growing by doubling would copy it once more */
        image_room(m, m->cut_at + IMAGE_SPARE_BYTES - m->parts[m->count - 1].bytes.len);
    }
    buf *b = &m->parts[m->count - 1].bytes;
    m->section_at = b->len;
    section_head head = { .kind = kind, .name_len = (uint32_t)name_len };
    buf_put(b, &head, sizeof head);
    buf_put(b, name, name_len);
    buf_put_char(b, '\0');
    pad(b);
    m->bytes_at = b->len;
    return b;
}

void image_end(image *m) {
    image_piece *part = &m->parts[m->count - 1];
    buf *b = &part->bytes;
    uint64_t len = b->len - m->bytes_at;
    pad(b);
    memcpy(b->data + m->section_at + offsetof(section_head, len), &len, sizeof len);
    char *checked = b->data + m->section_at + sizeof(uint64_t);
    uint64_t checksum = XXH3_64bits(checked, (size_t)(b->data + b->len - checked));
    memcpy(b->data + m->section_at, &checksum, sizeof checksum);
    part->checksums = XXH3_64bits_withSeed(&checksum, sizeof checksum, part->checksums);
    part->section_count++;
    m->section_at = 0;
}

/* Fill in the head of a part that gets no more sections. `total` 0: it is not known yet. */
static void finish_part(image *m, uint32_t i, uint32_t total) {
    image_piece *part = &m->parts[i];
    part_head head = m->head;
    head.part = i;
    head.part_total = total;
    head.section_count = part->section_count;
    head.part_len = part->bytes.len;
    head.section_checksums = part->checksums;
    memcpy(part->bytes.data, &head, sizeof head);
    size_t checked = head.head_len - IMAGE_CHECKSUM_BYTES;
    uint64_t checksum = XXH3_64bits(part->bytes.data, checked);
    memcpy(part->bytes.data + checked, &checksum, sizeof checksum);
}

void image_follow(image *m, const char *was, const char *is) {
    enum { PARENT = 0 }; /* the first string behind the head of each part */
    size_t len = m->head.lens[PARENT];
    if (strcmp(m->strings[PARENT], was) != 0) return;
    assert(strlen(is) == len);
    memcpy(m->strings[PARENT], is, len);
    for (uint32_t i = 0; i < m->count; i++)
        memcpy(m->parts[i].bytes.data + sizeof m->head, is, len);
}

void image_finish(image *m) {
    assert(!m->section_at);
    for (uint32_t i = 0; i < m->count; i++)
        if (!i || i > m->taken) finish_part(m, i, m->count);
}

buf image_take_part(image *m, uint32_t i) {
    buf bytes = m->parts[i].bytes;
    buf_init(&m->parts[i].bytes);
    return bytes;
}

bool image_take_early(image *m, buf *bytes, uint32_t *part) {
    if (m->taken + 2 >= m->count) return false;
    *part = ++m->taken;
    finish_part(m, *part, 0);
    *bytes = image_take_part(m, *part);
    return true;
}

uint32_t image_part_count(const image *m) {
    return m->count;
}

const buf *image_part(const image *m, uint32_t i) {
    return &m->parts[i].bytes;
}

size_t image_bytes(const image *m) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < m->count; i++) bytes += m->parts[i].bytes.len;
    return bytes;
}
