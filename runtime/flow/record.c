/* DESIGN. Only what record_put wrote is read again, so reading expects its very bytes, in its
 * order; the sum at the end says that they are all there. */
#include "runtime/flow/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/json_text.h"

static const uint64_t FNV_BASIS = 0xcbf29ce484222325u, FNV_PRIME = 0x100000001b3u;

enum { AT_END = 1,
       ENDED = 2,
       CONFIRMED = 4,
       IN_TRANSACTION = 8 };
enum { MEMORY_BYTES = 16 << 10,
       SUM_BYTES = 26 /* ,"sum":"0123456789abcdef"} */ };

static void put_time(buf *out, int64_t time) {
    if (time == WATERMARK_NONE)
        buf_put_text(out, "null");
    else
        buf_printf(out, "%" PRId64, time);
}

/* `["topic",partition,` */
static void begin_item(buf *out, const sl_partition *p, bool is_first) {
    buf_put_text(out, is_first ? "[" : ",[");
    json_text_put(out, p->topic, strlen(p->topic));
    buf_printf(out, ",%" PRId32 ",", p->number);
}

static void put_ranges(buf *out, const input *in) {
    for (uint32_t i = 0; i < in->range_count; i++) {
        const sl_range *r = &in->ranges[i];
        begin_item(out, &in->partitions[r->partition], i == 0);
        buf_printf(out, "%" PRId64 ",%" PRId64 "]", r->from, r->to);
    }
}

static void put_partitions(buf *out, const input *in) {
    for (uint32_t i = 0; i < in->watermark.count; i++) {
        const watermark_view *view = &in->views[i];
        const watermark_source *before = i < in->before.count ? &in->before : &in->watermark;
        begin_item(out, &in->partitions[i], i == 0);
        put_time(out, view->is_confirmed ? in->partitions[i].end : WATERMARK_NONE);
        buf_put_char(out, ',');
        put_time(out, before->partitions[i].moved_ms);
        buf_printf(out, ",%d]",
                   (view->is_at_end ? AT_END : 0) | (view->has_ended ? ENDED : 0) |
                       (view->is_confirmed ? CONFIRMED : 0) |
                       (view->is_in_transaction ? IN_TRANSACTION : 0));
    }
}

static void put_source(buf *out, const input *in) {
    buf_put_text(out, "{\"name\":");
    json_text_put(out, in->plan->name.data, in->plan->name.len);
    buf_printf(out, ",\"ended\":%d,\"watermark\":", in->ends_now);
    put_time(out, in->before.time);
    buf_put_text(out, ",\"ranges\":[");
    put_ranges(out, in);
    buf_put_text(out, "],\"partitions\":[");
    put_partitions(out, in);
    buf_put_text(out, "]}");
}

static void put_stages(buf *out, const sl_plan *plan) {
    for (uint32_t a = 0; a < plan->aggregate_count; a++) {
        if (a) buf_put_char(out, ',');
        json_text_put(out, plan->aggregates[a].name.data, plan->aggregates[a].name.len);
    }
    for (uint32_t d = 0; d < plan->distinct_count; d++) {
        if (d || plan->aggregate_count) buf_put_char(out, ',');
        json_text_put(out, plan->distincts[d].name.data, plan->distincts[d].name.len);
    }
}

static uint64_t sum_of(const char *text, size_t len) {
    uint64_t sum = FNV_BASIS;
    for (size_t i = 0; i < len; i++) sum = (sum ^ (unsigned char)text[i]) * FNV_PRIME;
    return sum;
}

void record_put(buf *out, const pipeline *p, const batch_view *b) {
    size_t begin = out->len;
    buf_printf(out,
               "{\"batch\":%" PRIu64 ",\"script\":\"%016" PRIx64 "\",\"processing_time\":%" PRId64
               ",\"folding\":\"direct\",\"flush\":%d,\"stages\":[",
               b->batch, p->plan->script_hash, b->now_ms, b->is_flush);
    put_stages(out, p->plan);
    buf_put_text(out, "],\"sources\":[");
    for (uint32_t i = 0; i < p->input_count; i++) {
        if (i) buf_put_char(out, ',');
        put_source(out, &p->inputs[i]);
    }
    buf_put_char(out, ']');
    if (p->refilled) {
        buf_put_char(out, ',');
        buf_put_text(out, p->refilled);
    }
    buf_printf(out, ",\"sum\":\"%016" PRIx64 "\"}", sum_of(out->data + begin, out->len - begin));
}

void record_log(const pipeline *p, buf *record) {
    log_write(p->system.log, LOG_DEBUG, "batch",
              LOG_FIELDS(log_text("record", buf_text(record))));
}

/* -- reading */

/* Where it stands; once something is not as expected, nothing is. */
typedef struct reader {
    const char *at; /* in text with a NUL behind it */
    bool is_bad;
    arena *memory;
} reader;

static bool take(reader *r, const char *text) {
    size_t len = strlen(text);
    if (r->is_bad || strncmp(r->at, text, len)) return false;
    r->at += len;
    return true;
}

static void expect(reader *r, const char *text) {
    if (!take(r, text)) r->is_bad = true;
}

static int64_t read_number(reader *r) {
    char *end;
    if (r->is_bad || take(r, "null")) return WATERMARK_NONE;
    int64_t value = strtoll(r->at, &end, 10);
    if (end == r->at) r->is_bad = true;
    r->at = end;
    return value;
}

static uint64_t read_hash(reader *r) {
    char *end;
    expect(r, "\"");
    if (r->is_bad) return 0;
    uint64_t value = strtoull(r->at, &end, 16);
    if (end != r->at + 16) r->is_bad = true;
    r->at = end;
    expect(r, "\"");
    return value;
}

/* One character behind a backslash. */
static char read_escape(reader *r) {
    static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
    char c = *r->at++;
    const char *known = c ? strchr(names, c) : NULL;
    if (known) return values[known - names];
    if (c != 'u') return c;
    char digits[5] = { 0 };
    memcpy(digits, r->at, strnlen(r->at, 4));
    r->at += strlen(digits);
    return (char)strtol(digits, NULL, 16);
}

/* A text with a NUL behind it. */
static sl_string read_text(reader *r) {
    expect(r, "\"");
    if (r->is_bad) return (sl_string){ .data = "" };
    size_t most = strcspn(r->at, "\n"), len = 0;
    char *text = arena_take(r->memory, most + 1, 1);
    while (*r->at && *r->at != '"') {
        char c = *r->at++;
        text[len++] = c == '\\' ? read_escape(r) : c;
    }
    text[len] = '\0';
    arena_trim(r->memory, text, len + 1);
    expect(r, "\"");
    return (sl_string){ .data = text, .len = (uint32_t)len };
}

/* The next slot of a list in the arena: lists are short, or grow by doubling. */
static void *add_item(reader *r, void *items, uint32_t count, size_t size) {
    if (count && (count & (count - 1))) return items;
    void *more = arena_take(r->memory, (count ? 2 * count : 1) * size, sizeof(int64_t));
    if (count) memcpy(more, items, count * size);
    return more;
}

/* `"topic",partition,from,to]` */
static recorded_range read_range(reader *r) {
    recorded_range range;
    range.topic = read_text(r).data;
    expect(r, ",");
    range.number = (int32_t)read_number(r);
    expect(r, ",");
    range.from = read_number(r);
    expect(r, ",");
    range.to = read_number(r);
    expect(r, "]");
    return range;
}

static void read_ranges(reader *r, recorded_source *s) {
    while (!r->is_bad && !take(r, "]")) {
        if (s->range_count) expect(r, ",");
        expect(r, "[");
        recorded_range range = read_range(r);
        s->ranges = add_item(r, s->ranges, s->range_count, sizeof range);
        s->ranges[s->range_count++] = range;
    }
}

static void read_partitions(reader *r, recorded_source *s) {
    while (!r->is_bad && !take(r, "]")) {
        recorded_partition p;
        if (s->partition_count) expect(r, ",");
        expect(r, "[");
        p.topic = read_text(r).data;
        expect(r, ",");
        p.number = (int32_t)read_number(r);
        expect(r, ",");
        read_number(r); /* its end: the bits say what it meant */
        expect(r, ",");
        p.moved_ms = read_number(r);
        expect(r, ",");
        int64_t bits = read_number(r);
        expect(r, "]");
        p.view = (watermark_view){
            .is_at_end = bits & AT_END,
            .has_ended = bits & ENDED,
            .is_confirmed = bits & CONFIRMED,
            .is_in_transaction = bits & IN_TRANSACTION,
        };
        s->partitions = add_item(r, s->partitions, s->partition_count, sizeof p);
        s->partitions[s->partition_count++] = p;
    }
}

static void read_sources(reader *r, recorded *out) {
    while (!r->is_bad && !take(r, "]")) {
        recorded_source s = { 0 };
        if (out->source_count) expect(r, ",");
        expect(r, "{\"name\":");
        s.name = read_text(r);
        expect(r, ",\"ended\":");
        s.has_ended = read_number(r) != 0;
        expect(r, ",\"watermark\":");
        s.watermark = read_number(r);
        expect(r, ",\"ranges\":[");
        read_ranges(r, &s);
        expect(r, ",\"partitions\":[");
        read_partitions(r, &s);
        expect(r, "}");
        out->sources = add_item(r, out->sources, out->source_count, sizeof s);
        out->sources[out->source_count++] = s;
    }
}

static void read_refill(reader *r, recorded *out) {
    if (!take(r, ",\"refill\":{\"processing_time\":")) return;
    out->has_refill = true;
    out->refill_now_ms = read_number(r);
    expect(r, ",\"since\":");
    out->refill_since_ms = read_number(r);
    expect(r, ",\"ranges\":[");
    while (!r->is_bad && !take(r, "]")) {
        recorded_refill one;
        if (out->refill_count) expect(r, ",");
        expect(r, "[");
        one.source = (uint32_t)read_number(r);
        expect(r, ",");
        one.range = read_range(r);
        out->refills = add_item(r, out->refills, out->refill_count, sizeof one);
        out->refills[out->refill_count++] = one;
    }
    expect(r, "}");
}

static void read_stages(reader *r) {
    for (bool is_first = true; !r->is_bad && !take(r, "]"); is_first = false) {
        if (!is_first) expect(r, ",");
        read_text(r);
    }
}

/* The sum at the end fits what stands before it. */
static bool is_whole(const char *text, size_t len) {
    char sum[SUM_BYTES + 1];
    if (len < SUM_BYTES) return false;
    size_t before = len - SUM_BYTES;
    snprintf(sum, sizeof sum, ",\"sum\":\"%016" PRIx64 "\"}", sum_of(text, before));
    return !memcmp(text + before, sum, SUM_BYTES);
}

err *record_read(const char *text, size_t len, recorded *out) {
    *out = (recorded){ 0 };
    arena_init(&out->memory, MEMORY_BYTES);
    if (!is_whole(text, len))
        return err_new(ERR_REFUSED,
                       "the plan of a batch is damaged: %zu bytes do not fit their sum", len);
    reader r = { .at = arena_take(&out->memory, len + 1, 1), .memory = &out->memory };
    char *copy = (char *)(uintptr_t)r.at;
    memcpy(copy, text, len);
    copy[len] = '\0';
    expect(&r, "{\"batch\":");
    out->batch = (uint64_t)read_number(&r);
    expect(&r, ",\"script\":");
    out->script_hash = read_hash(&r);
    expect(&r, ",\"processing_time\":");
    out->now_ms = read_number(&r);
    expect(&r, ",\"folding\":\"direct\",\"flush\":");
    out->is_flush = read_number(&r) != 0;
    expect(&r, ",\"stages\":[");
    read_stages(&r);
    expect(&r, ",\"sources\":[");
    read_sources(&r, out);
    read_refill(&r, out);
    expect(&r, ",\"sum\":");
    if (!r.is_bad) return NULL;
    return err_new(ERR_REFUSED,
                   "the plan of a batch is not as this program writes it, at \"%.40s\": of another "
                   "version of sluice",
                   r.at);
}

void recorded_done(recorded *r) {
    arena_done(&r->memory);
    *r = (recorded){ 0 };
}
