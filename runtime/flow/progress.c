#include "runtime/flow/progress.h"

#include <stdint.h>
#include <string.h>

#include "runtime/event/watermark.h"

enum { MEMORY_BYTES = 4 << 10,
       WITH_CLOSING = 2 /* version */ };

/* -- writing: little endian, texts with their length before them */

static void put_number(buf *out, uint64_t value, uint32_t bytes) {
    char *to = buf_need(out, bytes);
    for (uint32_t i = 0; i < bytes; i++) to[i] = (char)(value >> (8 * i));
    out->len += bytes;
}

static void put_u32(buf *out, uint32_t value) { put_number(out, value, 4); }

static void put_i64(buf *out, int64_t value) { put_number(out, (uint64_t)value, 8); }

static void put_bytes(buf *out, const char *data, uint32_t len) {
    put_u32(out, len);
    buf_put(out, data, len);
}

/* Text that may be missing: its length is then UINT32_MAX. */
static void put_text(buf *out, const sl_string *text) {
    if (text->data)
        put_bytes(out, text->data, text->len);
    else
        put_u32(out, UINT32_MAX);
}

static void put_partition(buf *out, const progress_partition *p) {
    put_bytes(out, p->topic, (uint32_t)strlen(p->topic));
    put_u32(out, (uint32_t)p->number);
    put_i64(out, p->position);
    put_i64(out, p->high);
    put_text(out, &p->header);
    put_i64(out, p->header_offset);
}

static void put_stage(buf *out, const progress_stage *s, uint32_t version) {
    put_u32(out, s->is_distinct);
    put_text(out, &s->name);
    put_i64(out, s->watermark);
    if (version < WITH_CLOSING) return;
    put_u32(out, s->closing.is_open);
    put_i64(out, s->closing.window.start);
    put_i64(out, s->closing.window.end);
    put_number(out, s->closing.order, 8);
}

static uint32_t version_of(const progress *p) {
    for (uint32_t i = 0; i < p->stage_count; i++)
        if (p->stages[i].closing.is_open) return WITH_CLOSING;
    return 1;
}

void progress_write(const progress *p, buf *out) {
    uint32_t version = version_of(p);
    put_u32(out, version);
    put_u32(out, p->is_flushed);
    put_number(out, p->batch, 8);
    put_i64(out, p->now_ms);
    put_u32(out, p->source_count);
    put_u32(out, p->stage_count);
    for (uint32_t i = 0; i < p->source_count; i++) {
        const progress_source *s = &p->sources[i];
        put_text(out, &s->name);
        put_u32(out, s->is_marked);
        put_i64(out, s->time);
        put_i64(out, s->all_idle_ms);
        put_i64(out, s->all_idle_time);
        put_u32(out, s->count);
        for (uint32_t k = 0; k < s->count; k++) put_partition(out, &s->partitions[k]);
    }
    for (uint32_t i = 0; i < p->stage_count; i++) put_stage(out, &p->stages[i], version);
}

/* -- reading */

/* Where reading stands; once something is missing, everything reads as zero. */
typedef struct reader {
    const unsigned char *at;
    size_t left;
    bool is_short;
    arena *memory;
} reader;

static uint64_t get_number(reader *r, uint32_t bytes) {
    uint64_t value = 0;
    if (r->left < bytes) r->is_short = true;
    if (r->is_short) return 0;
    for (uint32_t i = 0; i < bytes; i++) value |= (uint64_t)r->at[i] << (8 * i);
    r->at += bytes;
    r->left -= bytes;
    return value;
}

static uint32_t get_u32(reader *r) { return (uint32_t)get_number(r, 4); }

static int64_t get_i64(reader *r) { return (int64_t)get_number(r, 8); }

/* A NUL stands behind it. */
static sl_string get_text(reader *r) {
    uint32_t len = get_u32(r);
    if (len == UINT32_MAX || r->is_short) return (sl_string){ 0 };
    if (len > r->left) {
        r->is_short = true;
        return (sl_string){ 0 };
    }
    char *copy = arena_take(r->memory, (size_t)len + 1, 1);
    memcpy(copy, r->at, len);
    copy[len] = '\0';
    r->at += len;
    r->left -= len;
    return (sl_string){ .data = copy, .len = len };
}

/* How many items follow, each of `least` bytes or more: a number that cannot be is none. */
static uint32_t get_count(reader *r, size_t least) {
    uint32_t count = get_u32(r);
    if (count > r->left / least) r->is_short = true;
    return r->is_short ? 0 : count;
}

static void *make(reader *r, uint32_t count, size_t size) {
    void *made = arena_take(r->memory, count * size, sizeof(int64_t));
    memset(made, 0, count * size);
    return made;
}

enum { PARTITION_LEAST = 36, /* bytes */
       SOURCE_LEAST = 36,
       STAGE_LEAST = 16 };

static void get_partition(reader *r, progress_partition *p) {
    sl_string topic = get_text(r);
    p->topic = topic.data ? topic.data : "";
    p->number = (int32_t)get_u32(r);
    p->position = get_i64(r);
    p->high = get_i64(r);
    p->header = get_text(r);
    p->header_offset = get_i64(r);
}

static void get_source(reader *r, progress_source *s) {
    s->name = get_text(r);
    s->is_marked = get_u32(r) != 0;
    s->time = get_i64(r);
    s->all_idle_ms = get_i64(r);
    s->all_idle_time = get_i64(r);
    s->count = get_count(r, PARTITION_LEAST);
    s->partitions = make(r, s->count, sizeof *s->partitions);
    for (uint32_t i = 0; i < s->count; i++) get_partition(r, &s->partitions[i]);
}

static void get_stage(reader *r, progress_stage *s, uint32_t version) {
    s->is_distinct = get_u32(r) != 0;
    s->name = get_text(r);
    s->watermark = get_i64(r);
    if (version < WITH_CLOSING) return;
    s->closing.is_open = get_u32(r) != 0;
    s->closing.window.start = get_i64(r);
    s->closing.window.end = get_i64(r);
    s->closing.order = get_number(r, 8);
}

err *progress_read(const char *bytes, size_t len, progress *p) {
    reader r = { .at = (const unsigned char *)bytes, .left = len, .memory = &p->memory };
    *p = (progress){ 0 };
    arena_init(&p->memory, MEMORY_BYTES);
    uint32_t version = get_u32(&r);
    if (version > PROGRESS_VERSION)
        return err_new(ERR_REFUSED,
                       "progress of version %u: this program knows %d: use the sluice that wrote "
                       "it, or a newer one",
                       version, PROGRESS_VERSION);
    p->is_flushed = get_u32(&r) != 0;
    p->batch = get_number(&r, 8);
    p->now_ms = get_i64(&r);
    uint32_t sources = get_u32(&r), stages = get_u32(&r);
    if (sources > r.left / SOURCE_LEAST || stages > r.left / STAGE_LEAST) r.is_short = true;
    if (r.is_short) sources = stages = 0;
    p->sources = make(&r, sources, sizeof *p->sources);
    p->stages = make(&r, stages, sizeof *p->stages);
    p->source_count = sources;
    p->stage_count = stages;
    for (uint32_t i = 0; i < sources; i++) get_source(&r, &p->sources[i]);
    for (uint32_t i = 0; i < stages; i++) get_stage(&r, &p->stages[i], version);
    if (!r.is_short && !r.left) return NULL;
    return err_new(ERR_REFUSED, "progress of %zu bytes: %s than it says", len,
                   r.is_short ? "shorter" : "longer");
}

void progress_done(progress *p) {
    arena_done(&p->memory);
    *p = (progress){ 0 };
}

static bool is_equal(const sl_string *a, const sl_string *b) {
    return a->len == b->len && !memcmp(a->data, b->data, a->len);
}

const progress_source *progress_find_source(const progress *p, const sl_string *name,
                                            uint32_t twin) {
    for (uint32_t i = 0; i < p->source_count; i++)
        if (is_equal(&p->sources[i].name, name) && !twin--) return &p->sources[i];
    return NULL;
}

const progress_partition *progress_find_partition(const progress_source *s, const char *topic,
                                                  int32_t number) {
    for (uint32_t i = 0; i < s->count; i++)
        if (s->partitions[i].number == number && !strcmp(s->partitions[i].topic, topic))
            return &s->partitions[i];
    return NULL;
}

const progress_stage *progress_find_stage(const progress *p, bool is_distinct,
                                          const sl_string *name) {
    for (uint32_t i = 0; i < p->stage_count; i++)
        if (p->stages[i].is_distinct == is_distinct && is_equal(&p->stages[i].name, name))
            return &p->stages[i];
    return NULL;
}
