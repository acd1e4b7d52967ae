#include <inttypes.h>
#include <string.h>

#include "runtime/base/json_text.h"
#include "runtime/base/mem.h"
#include "runtime/flow/shadow_inside.h"

static const char *const STATES[] = { "running", "done", "dropped" };
static const char *const KINDS[] = { "", "old", "new", "differs" };

static void put_side(buf *out, const char *name, const shadow_side *s) {
    json_put_name(out, name);
    buf_put_char(out, '{');
    json_put_number(out, "rows", (int64_t)s->rows);
    json_put_number(out, "late", (int64_t)s->late);
    json_put_number(out, "bad", (int64_t)s->bad);
    json_put_number(out, "timed_records", (int64_t)s->timed_records);
    json_put_number(out, "cpu_ns", s->cpu_ns);
    json_put_number(out, "state_bytes", (int64_t)s->state_bytes);
    json_put_number(out, "groups", (int64_t)s->groups);
    buf_put_char(out, '}');
}

static void put_bytes(buf *out, const char *name, const char *bytes, size_t len) {
    json_put_name(out, name);
    json_text_put_bytes(out, bytes, len);
}

static void put_difference(buf *out, const shadow_difference *d) {
    buf_put_char(out, '{');
    json_put_text(out, "kind", KINDS[d->kind]);
    json_put_number(out, "batch", (int64_t)d->batch);
    put_bytes(out, "sink", d->sink, strlen(d->sink));
    put_bytes(out, "key", d->key, d->key_len);
    if (d->has_window) json_put_number(out, "window_start", d->window_start);
    if (d->has_window) json_put_number(out, "window_end", d->window_end);
    if (d->kind != SHADOW_NEW) put_bytes(out, "old", d->old, d->old_len);
    if (d->kind != SHADOW_OLD) put_bytes(out, "new", d->new, d->new_len);
    buf_put_char(out, '}');
}

static void put_differences(buf *out, const shadow_seen *seen) {
    json_put_name(out, "rows");
    buf_put_char(out, '[');
    for (uint32_t i = 0; i < seen->count; i++) {
        if (i) buf_put_char(out, ',');
        put_difference(out, &seen->items[i]);
    }
    buf_put_char(out, ']');
}

static void put_text(buf *out, const char *name, const char *text) {
    bool is_utf8 = json_text_is_utf8(text, strlen(text));
    json_put_text(out, name, is_utf8 ? text : "(it is not UTF-8)");
}

shadow_result shadow_result_of(shadow *s) {
    pthread_mutex_lock(&s->lock);
    const shadow_seen *seen = &s->seen;
    shadow_result r = {
        .reason = s->reason ? mem_copy_text(s->reason, strlen(s->reason)) : NULL,
        .batches = s->done,
        .same = seen->same,
        .different = seen->only_old + seen->only_new + seen->differing,
    };
    pthread_mutex_unlock(&s->lock);
    return r;
}

/* Nothing that it does can be told from what the running one does. */
static bool is_same(const shadow *s) {
    bool has_other = s->seen.only_old || s->seen.only_new || s->seen.differing;
    return !has_other && s->old.bad == s->new.bad && s->old.late == s->new.late;
}

void shadow_put(shadow *s, buf *out, bool whole) {
    pthread_mutex_lock(&s->lock);
    json_put_text(out, "state", STATES[s->state]);
    buf_printf(out, ",\"script_hash\":\"%016" PRIx64 "\"", s->script_hash);
    buf_put_text(out, is_same(s) ? ",\"is_same\":true" : ",\"is_same\":false");
    put_text(out, "script", s->path);
    if (s->reason) put_text(out, "reason", s->reason);
    json_put_number(out, "batches", (int64_t)s->done);
    json_put_number(out, "wanted", (int64_t)s->wanted);
    json_put_number(out, "first_batch", (int64_t)s->first);
    json_put_number(out, "waiting_bytes", (int64_t)s->waiting_bytes);
    json_put_number(out, "copy_ms", s->copy_ms);
    json_put_number(out, "records", (int64_t)s->old.records);
    json_put_number(out, "same", (int64_t)s->seen.same);
    json_put_number(out, "only_old", (int64_t)s->seen.only_old);
    json_put_number(out, "only_new", (int64_t)s->seen.only_new);
    json_put_number(out, "differing", (int64_t)s->seen.differing);
    put_side(out, "old", &s->old);
    put_side(out, "new", &s->new);
    if (whole) put_text(out, "changes", s->changes);
    if (whole) put_differences(out, &s->seen);
    pthread_mutex_unlock(&s->lock);
}
