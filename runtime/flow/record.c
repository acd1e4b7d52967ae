#include "runtime/flow/record.h"

#include <inttypes.h>

#include "runtime/base/json_text.h"

static void put_ranges(buf *out, const input *in) {
    for (uint32_t i = 0; i < in->range_count; i++) {
        const sl_range *r = &in->ranges[i];
        const sl_partition *partition = &in->partitions[r->partition];
        buf_put_text(out, i ? ",[" : "[");
        json_text_put(out, partition->topic, strlen(partition->topic));
        buf_printf(out, ",%d,%" PRId64 ",%" PRId64 "]", partition->number, r->from, r->to);
    }
}

/* Each partition's end as the plan knew it, null where its leader did not confirm it. */
static void put_ends(buf *out, const input *in) {
    for (uint32_t i = 0; i < in->partition_count; i++) {
        const watermark_view *view = &in->views[i];
        if (i) buf_put_char(out, ',');
        if (view->is_confirmed)
            buf_printf(out, "%" PRId64, in->partitions[i].end);
        else
            buf_put_text(out, "null");
    }
}

static void put_source(buf *out, const input *in) {
    buf_put_text(out, "{\"name\":");
    json_text_put(out, in->plan->name.data, in->plan->name.len);
    buf_put_text(out, ",\"ranges\":[");
    put_ranges(out, in);
    buf_put_text(out, "],\"ends\":[");
    put_ends(out, in);
    buf_printf(out, "],\"watermark\":%" PRId64 "}", in->watermark.time);
}

void record_write(pipeline *p, const batch_view *b) {
    buf out;
    if (p->system.log->level > LOG_DEBUG) return;
    buf_init(&out);
    buf_printf(&out,
               "{\"batch\":%" PRIu64 ",\"script\":\"%016" PRIx64 "\",\"processing_time\":%" PRId64
               ",\"folding\":\"direct\",\"stages\":[",
               b->batch, p->plan->script_hash, b->now_ms);
    for (uint32_t a = 0; a < p->plan->aggregate_count; a++) {
        if (a) buf_put_char(&out, ',');
        json_text_put(&out, p->plan->aggregates[a].name.data, p->plan->aggregates[a].name.len);
    }
    for (uint32_t d = 0; d < p->plan->distinct_count; d++) {
        if (d || p->plan->aggregate_count) buf_put_char(&out, ',');
        json_text_put(&out, p->plan->distincts[d].name.data, p->plan->distincts[d].name.len);
    }
    buf_put_text(&out, "],\"sources\":[");
    for (uint32_t i = 0; i < p->input_count; i++) {
        if (i) buf_put_char(&out, ',');
        put_source(&out, &p->inputs[i]);
    }
    buf_put_text(&out, "]}");
    log_write(p->system.log, LOG_DEBUG, "batch", LOG_FIELDS(log_text("record", buf_text(&out))));
    buf_done(&out);
}
