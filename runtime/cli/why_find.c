#include "runtime/cli/why_find.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "state/history.h"

static bool read_number(const char *text, const char *end, int64_t *number) {
    char *stop;
    *number = strtoll(text, &stop, 10);
    return *text >= '0' && *text <= '9' && stop == end;
}

err *why_parse(const char *text, why_record *r) {
    int64_t number = 0;
    const char *last = strrchr(text, ':'), *first = last;
    while (first && first > text && *--first != ':') continue;
    *r = (why_record){ 0 };
    bool is = first && first > text && read_number(first + 1, last, &number) &&
              read_number(last + 1, text + strlen(text), &r->offset) && number <= INT32_MAX;
    if (!is)
        return err_new(ERR_USAGE,
                       "why: `%s`: wanted TOPIC:PARTITION:OFFSET, as in rides:0:1234 (of a file: "
                       "PATH:0:LINE, from 0)",
                       text);
    r->topic = mem_copy_text(text, (size_t)(first - text));
    r->number = (int32_t)number;
    return NULL;
}

typedef struct finding {
    const why_record *r;
    why_found *found;
    bool has_first, has_ended;
    uint64_t first_batch, hash;
} finding;

static void look_at_range(finding *f, const recorded *batch, const recorded_range *range) {
    const why_record *r = f->r;
    why_found *found = f->found;
    if (range->number != r->number || strcmp(range->topic, r->topic) != 0) return;
    if (found->place == WHY_UNKNOWN) {
        found->place = WHY_NOT_YET;
        found->first = range->from;
    }
    if (range->from < found->first) found->first = range->from;
    if (range->to > found->next) found->next = range->to;
    if (r->offset < range->from || r->offset >= range->to) return;
    found->place = WHY_READ;
    found->batch = batch->batch;
    found->until = found->same_until = batch->batch + 1;
    f->hash = batch->script_hash;
    f->has_ended = false;
}

static err *look_at_batch(void *arg, const pointer *at, const char *record, size_t len) {
    (void)at;
    finding *f = arg;
    recorded r;
    err *e = record_read(record, len, &r);
    if (!e && !f->has_first) {
        f->has_first = true;
        f->first_batch = r.batch;
    }
    for (uint32_t i = 0; !e && i < r.source_count; i++)
        for (uint32_t n = 0; n < r.sources[i].range_count; n++)
            look_at_range(f, &r, &r.sources[i].ranges[n]);
    if (!e && f->found->place == WHY_READ && r.batch == f->found->until) {
        f->found->until++;
        if (r.script_hash != f->hash) f->has_ended = true;
        if (!f->has_ended) f->found->same_until++;
    }
    recorded_done(&r);
    return e;
}

/* No recorded batch has read anything of the partition: what is committed says where reading
 * stands, since a start at "latest" is committed before the first record. */
static void take_mark(const past *p, const why_record *r, why_found *found) {
    for (uint32_t i = 0; i < p->stored.count; i++) {
        const sl_mark *mark = &p->stored.committed[i].mark;
        if (mark->partition != r->number || strcmp(mark->topic, r->topic) != 0) continue;
        found->place = WHY_NOT_YET;
        found->first = found->next = mark->offset;
    }
}

err *why_find(past *p, const why_record *r, why_found *found) {
    finding f = { .r = r, .found = found };
    *found = (why_found){ .place = WHY_UNKNOWN };
    err *e = history_read(&p->stored.store, p->stored.name, &p->stored.pointer, 0,
                          p->stored.pointer.batch, look_at_batch, &f);
    if (!e && found->place == WHY_UNKNOWN) take_mark(p, r, found);
    if (e || found->place != WHY_NOT_YET) return e;
    found->batch = f.has_first ? f.first_batch : p->stored.pointer.batch;
    if (r->offset < found->first)
        found->place = found->batch ? WHY_FORGOTTEN : WHY_BEFORE_START;
    else if (r->offset < found->next)
        found->place = WHY_SKIPPED;
    return NULL;
}
