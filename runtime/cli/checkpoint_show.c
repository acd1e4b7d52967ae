#include "runtime/cli/checkpoint_show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/json_text.h"
#include "runtime/cli/columns.h"

void show_text(buf *out) {
    if (out->len) fwrite(out->data, 1, out->len, stdout);
    buf_done(out);
}

void show_json_name(buf *out, const char *name) { json_put_name(out, name); }

void show_json_text(buf *out, const char *name, const char *value) {
    json_put_text(out, name, value);
}

void show_json_number(buf *out, const char *name, int64_t value) {
    json_put_number(out, name, value);
}

bool show_has_time(int64_t start_ms) {
    const int64_t year_10000_ms = 253402300800000;
    return start_ms > -year_10000_ms && start_ms < year_10000_ms && start_ms != 0;
}

void show_json_start(buf *out, const char *name, int64_t start_ms) {
    show_json_name(out, name);
    if (show_has_time(start_ms))
        buf_printf(out, "%" PRId64, start_ms);
    else
        buf_put_text(out, "null");
}

const char *show_kind(pointer_kind kind) {
    switch (kind) {
    case POINTER_GENESIS: return "genesis";
    case POINTER_DELTA: return "delta";
    case POINTER_FULL: return "full";
    }
    return "";
}

const char *show_role(survey_role role) {
    switch (role) {
    case SURVEY_UNKNOWN: return "";
    case SURVEY_CURRENT: return "current";
    case SURVEY_CHAIN: return "needed";
    case SURVEY_OLDER: return "older";
    case SURVEY_ORPHAN: return "not committed";
    }
    return "";
}

void show_objects_json(buf *out, const survey *v) {
    buf_put_text(out, ",\"objects\":[");
    for (uint32_t i = 0; i < v->count; i++) {
        const survey_object *o = &v->objects[i];
        char name[96];
        pointer_object(&o->p, name);
        buf_put_text(out, i ? ",{" : "{");
        show_json_text(out, "object", name);
        show_json_number(out, "next_batch", (int64_t)o->p.batch);
        show_json_text(out, "kind", show_kind(o->p.kind));
        show_json_text(out, "role", show_role(o->role));
        show_json_number(out, "parts", o->parts);
        show_json_number(out, "bytes", o->bytes);
        show_json_number(out, "written_ms", o->changed_ms);
        buf_put_char(out, '}');
    }
    buf_put_char(out, ']');
}

void show_objects(buf *out, const survey *v) {
    columns c;
    columns_begin(&c, ">next batch|kind|>bytes|written (UTC)|id|is");
    for (uint32_t i = v->count; i > 0; i--) {
        const survey_object *o = &v->objects[i - 1];
        columns_put(&c, "%" PRIu64, o->p.batch);
        columns_put(&c, "%s", show_kind(o->p.kind));
        columns_put_bytes(&c, (uint64_t)o->bytes);
        columns_put_time(&c, o->changed_ms);
        columns_put(&c, "%.8s", o->p.id);
        columns_put(&c, "%s", o->has_first ? show_role(o->role) : "incomplete");
    }
    columns_end(&c, out);
}

err *show_facts_of(image_reader *object, show_facts *facts) {
    *facts = (show_facts){ .created_ms = image_head_of(object)->created_ms,
                           .script_hash = image_head_of(object)->script_hash };
    image_view view;
    err *e = NULL;
    image_rewind(object);
    while (!e && !facts->has_progress && image_next(object, &view)) {
        if (view.kind != IMAGE_PROGRESS) continue;
        e = progress_read(view.bytes, view.len, &facts->progress);
        facts->has_progress = true;
    }
    image_rewind(object);
    return e;
}
