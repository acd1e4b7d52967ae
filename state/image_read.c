#include <inttypes.h>
#include <string.h>

/* The whole library inline: what is checked is mostly short. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/base/mem.h"
#include "state/image.h"
#include "state/image_format.h"

struct image_reader {
    char *object; /* its name; owned */
    image_head head;
    char *strings[IMAGE_STRINGS]; /* of the head; owned */
    buf *parts;                   /* owned */
    uint32_t count, total;
    uint32_t at_part; /* where image_next stands */
    size_t at;
};

static err *refuse(const char *object, uint32_t part, const char *what) {
    return err_new(ERR_REFUSED, "%s, part %" PRIu32 ": %s", object, part, what);
}

/* Read the head of a part; what can be said without its checksum comes first. */
static err *check_head(const char *object, uint32_t number, const buf *bytes, part_head *head) {
    if (bytes->len < sizeof *head || memcmp(bytes->data, IMAGE_MAGIC, IMAGE_MAGIC_BYTES) != 0)
        return refuse(object, number, "it is not stored state of sluice, or was cut short");
    memcpy(head, bytes->data, sizeof *head);
    if (head->version != IMAGE_VERSION)
        return err_new(ERR_REFUSED,
                       "%s, part %" PRIu32 ": its format is version %" PRIu32
                       ", this program reads version %d",
                       object, number, head->version, IMAGE_VERSION);
    uint64_t want = sizeof *head;
    for (uint32_t i = 0; i < IMAGE_STRINGS; i++) want += head->lens[i];
    want = image_round(want) + IMAGE_CHECKSUM_BYTES;
    if (head->head_len != want || want > bytes->len)
        return refuse(object, number, "its head is damaged or cut short");
    uint64_t checksum;
    size_t checked = want - IMAGE_CHECKSUM_BYTES;
    memcpy(&checksum, bytes->data + checked, sizeof checksum);
    if (checksum != XXH3_64bits(bytes->data, checked))
        return refuse(object, number, "its head is damaged (checksum)");
    if (head->part_len != bytes->len)
        return err_new(ERR_REFUSED,
                       "%s, part %" PRIu32 ": it has %zu bytes, %" PRIu64 " were written", object,
                       number, bytes->len, head->part_len);
    bool says_total = !number || head->part_total; /* one written early does not */
    if (head->part != number || (says_total && head->part >= head->part_total))
        return refuse(object, number, "it is another part than its name says");
    return NULL;
}

/* Length of a section at `at` with its head, or 0: it does not fit. */
static size_t section_len(const buf *bytes, size_t at, section_head *head) {
    size_t left = bytes->len - at;
    if (left < sizeof *head) return 0;
    memcpy(head, bytes->data + at, sizeof *head);
    left -= sizeof *head;
    size_t name = image_round((size_t)head->name_len + 1);
    if (name > left || head->len > left - name) return 0;
    size_t len = name + image_round(head->len);
    return len > left ? 0 : sizeof *head + len;
}

static err *check_sections(const char *object, const buf *bytes, const part_head *head) {
    size_t at = head->head_len;
    uint64_t checksums = 0;
    for (uint32_t i = 0; i < head->section_count; i++) {
        section_head section;
        size_t len = section_len(bytes, at, &section);
        const char *checked = bytes->data + at + sizeof section.checksum;
        if (!len || section.checksum != XXH3_64bits(checked, len - sizeof section.checksum))
            return err_new(ERR_REFUSED,
                           "%s, part %" PRIu32 ": section %" PRIu32 " at byte %zu is damaged "
                           "(checksum)",
                           object, head->part, i, at);
        checksums = XXH3_64bits_withSeed(&section.checksum, sizeof section.checksum, checksums);
        at += len;
    }
    if (at != bytes->len || checksums != head->section_checksums)
        return refuse(object, head->part, "its sections are not those that its head names");
    return NULL;
}

static void keep_head(image_reader *r, const part_head *head) {
    const char *at = r->parts[0].data + sizeof *head;
    for (uint32_t i = 0; i < IMAGE_STRINGS; i++) {
        r->strings[i] = mem_copy_text(at, head->lens[i]);
        at += head->lens[i];
    }
    r->total = head->part_total;
    r->head = (image_head){ .is_full = head->is_full,
                            .batch = head->batch,
                            .created_ms = head->created_ms,
                            .script_hash = head->script_hash,
                            .parent = r->strings[0],
                            .shape = r->strings[1],
                            .pipeline = r->strings[2],
                            .cluster = r->strings[3] };
}

static err *add_part(image_reader *r, const buf *bytes, part_head *head) {
    err *e = check_head(r->object, r->count, bytes, head);
    if (!e) e = check_sections(r->object, bytes, head);
    if (e) return e;
    r->parts = mem_realloc(r->parts, (r->count + 1) * sizeof *r->parts);
    r->parts[r->count++] = *bytes;
    return NULL;
}

err *image_open(const char *object, buf *bytes, image_reader **out) {
    part_head head;
    image_reader *r = mem_zalloc(1, sizeof *r);
    r->object = mem_copy_text(object, strlen(object));
    err *e = add_part(r, bytes, &head);
    if (e) {
        buf_done(bytes);
        image_reader_free(r);
        return e;
    }
    buf_init(bytes);
    keep_head(r, &head);
    image_rewind(r);
    *out = r;
    return NULL;
}

/* Whether a further part is of the same object: its head says what that of the first does. */
static bool is_of(const image_reader *r, const buf *bytes) {
    part_head first, other;
    memcpy(&first, r->parts[0].data, sizeof first);
    memcpy(&other, bytes->data, sizeof other);
    other.part = first.part;
    if (!other.part_total) other.part_total = first.part_total;
    other.section_count = first.section_count;
    other.part_len = first.part_len;
    other.section_checksums = first.section_checksums;
    size_t strings = first.head_len - sizeof first - IMAGE_CHECKSUM_BYTES;
    return memcmp(&first, &other, sizeof first) == 0 &&
           memcmp(r->parts[0].data + sizeof first, bytes->data + sizeof first, strings) == 0;
}

err *image_add_part(image_reader *r, buf *bytes) {
    part_head head;
    buf taken = *bytes;
    buf_init(bytes);
    err *e = add_part(r, &taken, &head);
    if (e) {
        buf_done(&taken);
        return e;
    }
    if (is_of(r, &taken)) return NULL;
    return refuse(r->object, head.part, "it belongs to another object than its first part");
}

uint32_t image_part_total(const image_reader *r) {
    return r->total;
}

void image_reader_free(image_reader *r) {
    if (!r) return;
    for (uint32_t i = 0; i < r->count; i++) buf_done(&r->parts[i]);
    for (uint32_t i = 0; i < IMAGE_STRINGS; i++) mem_free(r->strings[i]);
    mem_free(r->parts);
    mem_free(r->object);
    mem_free(r);
}

const image_head *image_head_of(const image_reader *r) {
    return &r->head;
}

static size_t first_section(const image_reader *r, uint32_t part) {
    part_head head;
    if (part == r->count) return 0;
    memcpy(&head, r->parts[part].data, sizeof head);
    return head.head_len;
}

void image_rewind(image_reader *r) {
    r->at_part = 0;
    r->at = first_section(r, 0);
}

bool image_next(image_reader *r, image_view *view) {
    while (r->at_part < r->count && r->at == r->parts[r->at_part].len)
        r->at = first_section(r, ++r->at_part);
    if (r->at_part == r->count) return false;
    section_head head = { 0 };
    const buf *part = &r->parts[r->at_part];
    const char *at = part->data + r->at;
    size_t len = section_len(part, r->at, &head);
    *view = (image_view){ .kind = head.kind,
                          .name = at + sizeof head,
                          .bytes = at + sizeof head + image_round((size_t)head.name_len + 1),
                          .len = head.len };
    r->at += len;
    return true;
}
