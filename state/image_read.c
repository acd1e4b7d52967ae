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
    buf *parts;                   /* owned; empty: one that is not in memory */
    uint32_t count, total;
    uint32_t had; /* parts that were there once, and their bytes */
    size_t bytes;
    uint32_t at_part; /* where image_next stands */
    size_t at;
    image_source *source; /* NULL: all parts are added */
    void *source_arg;
    bool keeps;     /* parts from the source stay */
    err *error;     /* of the source; owned */
    spares *spares; /* borrowed, NULL: memory of parts is freed */
};

static err *refuse(const char *object, uint32_t part, const char *what) {
    return err_new(ERR_REFUSED, "%s, part %" PRIu32 ": %s", object, part, what);
}

/* No older version was ever written. Going back to an older state would be the wrong way out. */
static err *refuse_version(const char *object, uint32_t part, uint32_t version) {
    err *e = err_new(ERR_REFUSED,
                     "%s, part %" PRIu32 ": its format is version %" PRIu32
                     ", this program reads version %d: use the sluice that wrote it, or a "
                     "newer one",
                     object, part, version, IMAGE_VERSION);
    e->fatal = true;
    return e;
}

/* Read the head of a part; what can be said without its checksum comes first. */
static err *check_head(const char *object, uint32_t number, const buf *bytes, part_head *head) {
    if (bytes->len < sizeof *head || memcmp(bytes->data, IMAGE_MAGIC, IMAGE_MAGIC_BYTES) != 0)
        return refuse(object, number, "it is not stored state of sluice, or was cut short");
    memcpy(head, bytes->data, sizeof *head);
    if (head->version != IMAGE_VERSION) return refuse_version(object, number, head->version);
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

/* A part is there: `bytes`, taken. */
static void put_part(image_reader *r, uint32_t part, const buf *bytes) {
    if (part == r->count) {
        r->parts = mem_realloc(r->parts, (part + 1) * sizeof *r->parts);
        r->count++;
    }
    r->parts[part] = *bytes;
    if (part < r->had) return;
    r->had = part + 1;
    r->bytes += bytes->len;
}

static err *check_part(const image_reader *r, uint32_t part, const buf *bytes, part_head *head) {
    err *e = check_head(r->object, part, bytes, head);
    return e ? e : check_sections(r->object, bytes, head);
}

err *image_open(const char *object, buf *bytes, image_reader **out) {
    part_head head;
    image_reader *r = mem_zalloc(1, sizeof *r);
    r->object = mem_copy_text(object, strlen(object));
    err *e = check_part(r, 0, bytes, &head);
    if (e) {
        buf_done(bytes);
        image_reader_free(r);
        return e;
    }
    put_part(r, 0, bytes);
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

static err *add_part(image_reader *r, uint32_t part, buf *bytes) {
    part_head head;
    err *e = check_part(r, part, bytes, &head);
    if (!e && !is_of(r, bytes))
        e = refuse(r->object, part, "it belongs to another object than its first part");
    if (e)
        buf_done(bytes);
    else
        put_part(r, part, bytes);
    buf_init(bytes);
    return e;
}

err *image_add_part(image_reader *r, buf *bytes) {
    return add_part(r, r->count, bytes);
}

void image_read_from(image_reader *r, image_source *source, void *arg) {
    r->source = source;
    r->source_arg = arg;
}

err *image_take_error(image_reader *r) {
    err *e = r->error;
    r->error = NULL;
    return e;
}

size_t image_read_bytes(const image_reader *r) {
    return r->bytes;
}

uint32_t image_part_total(const image_reader *r) {
    return r->total;
}

void image_reader_free(image_reader *r) {
    if (!r) return;
    for (uint32_t i = 0; i < r->count; i++) spares_give(r->spares, &r->parts[i]);
    for (uint32_t i = 0; i < IMAGE_STRINGS; i++) mem_free(r->strings[i]);
    mem_free(r->parts);
    mem_free(r->object);
    err_free(r->error);
    mem_free(r);
}

void image_give_back(image_reader *r, spares *s) {
    r->spares = s;
}

const image_head *image_head_of(const image_reader *r) {
    return &r->head;
}

/* Stand before the first section of a part. */
static void stand_before(image_reader *r, uint32_t part) {
    part_head head;
    memcpy(&head, r->parts[part].data, sizeof head);
    if (r->source && !r->keeps && r->at_part && r->at_part != part)
        buf_done(&r->parts[r->at_part]);
    r->at_part = part;
    r->at = head.head_len;
}

void image_rewind(image_reader *r) {
    stand_before(r, 0);
}

static err *get_part(image_reader *r, uint32_t part) {
    buf bytes = { 0 };
    if (part < r->count && r->parts[part].data) return NULL;
    err *e = r->source(r->source_arg, part, &bytes);
    return e ? e : add_part(r, part, &bytes);
}

bool image_hold(image_reader *r) {
    r->keeps = true;
    for (uint32_t i = 1; !r->error && r->source && i < r->total; i++) r->error = get_part(r, i);
    return !r->error;
}

bool image_is_last(const image_reader *r) {
    return r->at_part + 1 >= (r->source ? r->total : r->count);
}

bool image_keeps(const image_reader *r) { return !r->source || r->keeps; }

bool image_turn(image_reader *r) {
    uint32_t next = r->at_part + 1;
    if (image_is_last(r) || r->error) return false;
    if (r->source) r->error = get_part(r, next);
    if (r->error) return false;
    stand_before(r, next);
    return true;
}

bool image_next(image_reader *r, image_view *view) {
    while (!image_next_here(r, view))
        if (!image_turn(r)) return false;
    return true;
}

bool image_next_here(image_reader *r, image_view *view) {
    if (r->at == r->parts[r->at_part].len) return false;
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
