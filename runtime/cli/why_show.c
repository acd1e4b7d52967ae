#include "runtime/cli/why_show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "runtime/cli/text.h"

enum { WIDTH = 140, /* of what came in records */
       FIELD_WIDTH = 60,
       MOST_FIELDS = 24 };

/* -- pieces */

static void put_time(buf *out, int64_t ms) {
    time_t seconds = (time_t)(ms >= 0 ? ms / 1000 : -((999 - ms) / 1000));
    struct tm utc;
    char text[40];
    if (ms == INT64_MAX || ms == INT64_MIN || !gmtime_r(&seconds, &utc)) {
        buf_put_text(out, ms == INT64_MAX ? "the end" : "-");
        return;
    }
    buf_put(out, text, strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &utc));
    int rest = (int)(ms - (int64_t)seconds * 1000);
    if (rest) buf_printf(out, ".%03d", rest);
}

static void put_span(buf *out, int64_t ms) {
    if (ms < 1000)
        buf_printf(out, "%" PRId64 " ms", ms);
    else if (ms < 120000)
        buf_printf(out, "%.6g s", (double)ms / 1000);
    else
        text_put_span(out, ms);
}

static void put_line(buf *out, const char *name) { buf_printf(out, "  %-11s ", name); }

static void put_clipped(buf *out, const char *text) {
    if (text)
        text_put_clipped(out, text, strlen(text), WIDTH);
    else
        buf_put_text(out, "null");
}

/* -- a record that no batch has */

static void put_place(const why_shown *w, buf *out) {
    const why_found *f = w->found;
    switch (f->place) {
    case WHY_READ: break;
    case WHY_NOT_YET:
        buf_put_text(out, "not read yet: ");
        if (w->done)
            buf_printf(out, "the last committed batch is %" PRIu64, w->done - 1);
        else
            buf_put_text(out, "no batch is committed");
        buf_printf(out, ", and reading of this partition goes on at %" PRId64 "\n", f->next);
        break;
    case WHY_BEFORE_START:
        buf_printf(out,
                   "never read: reading of this partition began at %" PRId64
                   " (option `start`)\n",
                   f->first);
        break;
    case WHY_FORGOTTEN:
        buf_printf(out,
                   "not known any more: batches are recorded from %" PRIu64 " on, where this "
                   "partition was read from %" PRId64 " (checkpoint option `history`)\n",
                   f->batch, f->first);
        break;
    case WHY_UNKNOWN:
        buf_put_text(out, "not read yet: it is there, and no recorded batch has read anything of "
                          "this partition\n");
        break;
    case WHY_SKIPPED:
        buf_printf(out,
                   "never read: reading went over it. It was gone when its turn came "
                   "(on_data_loss = \"continue\"), or somebody moved the offsets; batches go on "
                   "at %" PRId64 "\n",
                   f->next);
        break;
    }
}

/* -- stages */

/* `is_source`: it is the one of the record's batch, whose holder is known. */
static void put_judge(const why_shown *w, int64_t watermark, bool is_source, buf *out) {
    const why_facts *f = w->facts;
    if (watermark == WATERMARK_NONE) {
        buf_put_text(out, "there was none yet when its batch began: nothing is late\n");
        return;
    }
    put_time(out, watermark);
    buf_put_text(out, " when its batch began");
    if (!is_source) {
        buf_put_char(out, '\n');
        return;
    }
    if (f->slowest && f->slowest_ms != WATERMARK_NONE) {
        buf_printf(out, ": %s held it, with events up to ", f->slowest);
        put_time(out, f->slowest_ms);
        buf_put_text(out, ", less a delay of ");
        put_span(out, f->delay_ms);
    }
    buf_put_char(out, '\n');
}

/* Where the pipeline stands, for windows that are open still. */
static void put_waiting(const why_shown *w, const why_stage *s, const why_window *at, buf *out) {
    const pipeline *p = w->p;
    int64_t now = s->reached, high_ms;
    buf_put_text(out, "open: it waits for a watermark of ");
    put_time(out, at->close_ms);
    buf_printf(out, ". Behind batch %" PRIu64 " it is ", p->batch - 1);
    if (now == WATERMARK_NONE)
        buf_put_text(out, "not there yet");
    else
        put_time(out, now);
    for (uint32_t i = 0; i < p->input_count; i++) {
        const char *slowest = why_slowest(&p->inputs[i], &w->facts->memory, &high_ms);
        if (!slowest) continue;
        buf_printf(out, ", held by %s, ", slowest);
        if (high_ms == WATERMARK_NONE) {
            buf_put_text(out, "of which no record came yet");
        } else {
            buf_put_text(out, "whose newest event is of ");
            put_time(out, high_ms);
        }
    }
    buf_put_char(out, '\n');
}

static void put_rows(const why_window *at, buf *out) {
    for (uint32_t i = 0; i < at->row_count && i < WHY_MOST_ROWS; i++) {
        const why_row *row = &at->rows[i];
        if (i == 1 && at->row_count > WHY_MOST_ROWS)
            buf_printf(out, "        … %" PRIu32 " more\n", at->row_count - WHY_MOST_ROWS);
        buf_printf(out, "        batch %" PRIu64 " -> %s  ", row->batch, row->sink);
        put_clipped(out, row->value ? row->value : "(retracted)");
        buf_put_char(out, '\n');
    }
}

static void put_closed(const why_stage *s, const why_window *at, buf *out) {
    bool is_out = at->row_count || at->went_on;
    buf_put_text(out, "in, closed");
    if (at->went_on) buf_put_text(out, "; its result went on, see below");
    if (!is_out && s->filters && !s->has_filters)
        buf_printf(out, "; no result of it was sent: %s kept it out", s->filters);
    else if (!is_out)
        buf_put_text(out, "; no result of it was sent: filters behind it kept it out");
    if (!is_out && s->has_filters) buf_printf(out, " (%s)", s->filters);
    if (!is_out && s->goes_on) buf_put_text(out, ", or no stage behind took it");
    buf_put_char(out, '\n');
}

static bool is_closed(const why_stage *s, const why_window *at) {
    return at->close_ms != INT64_MAX && s->reached != WATERMARK_NONE && s->reached >= at->close_ms;
}

const char *why_state(const why_shown *w, const why_stage *s, const why_window *at) {
    if (at->is_late) return "late";
    if (is_closed(s, at)) return "closed";
    return w->cut || s->index == WHY_GONE ? "not followed" : "open";
}

static void put_not_followed(const why_shown *w, const why_stage *s, buf *out) {
    if (s->index == WHY_GONE)
        buf_put_text(out, "in, and not followed further: the text changed, and has no aggregation "
                          "of this name any more\n");
    else
        buf_printf(out,
                   "in, and not followed further: the text changed at batch %" PRIu64 ", where it "
                   "cannot be taken over: %s\n",
                   w->found->same_until, w->cut);
}

static void put_window(const why_shown *w, const why_stage *s, const why_window *at, buf *out) {
    buf_put_text(out, "      ");
    if (s->has_bounds) {
        buf_put_text(out, s->is_own ? "its own window " : "window ");
        put_time(out, at->start);
        buf_put_text(out, " to ");
        put_time(out, at->end);
        buf_put_text(out, ": ");
    }
    if (at->is_late) {
        buf_put_text(out, "LATE: closed at a watermark of ");
        put_time(out, at->close_ms);
        buf_put_text(out, ", which had passed that by ");
        put_span(out, s->watermark - at->close_ms);
        buf_put_char(out, '\n');
        return;
    }
    if (s->fate == WHY_LATE) {
        buf_put_char(out, '\n');
        return;
    }
    if (at->close_ms == INT64_MAX)
        buf_put_text(out, "in, and nothing closes it\n");
    else if (is_closed(s, at))
        put_closed(s, at, out);
    else if (w->cut || s->index == WHY_GONE)
        put_not_followed(w, s, out);
    else
        put_waiting(w, s, at, out);
    put_rows(at, out);
}

static void put_distinct(const why_stage *s, buf *out) {
    static const char *const WORDS[] = {
        [WHY_TAKEN] = "first of its key: it passed",
        [WHY_LATE] = "LATE: so long behind the watermark keys are forgotten (`within`)",
        [WHY_DUPLICATE] = "a repeat of its key: dropped",
    };
    buf_printf(out, "%s\n", WORDS[s->fate]);
}

/* A stage that got a result of one before. */
static void put_behind(const why_shown *w, const why_stage *s, buf *out) {
    if (s->behind < 0) return;
    const why_stage *of = &w->facts->stages[s->behind];
    buf_printf(out, "the result of `%s`", of->name);
    if (of->has_bounds) {
        buf_put_text(out, " for ");
        put_time(out, s->from);
        buf_put_text(out, " to ");
        put_time(out, s->to);
    }
    buf_printf(out, ", in batch %" PRIu64 ": ", s->batch);
}

static void put_sent(const why_stage *s, buf *out) {
    if (!s->sent.sink) return;
    buf_put_text(out, "      ");
    put_clipped(out, s->sent.value);
    buf_put_char(out, '\n');
}

static void put_stage(const why_shown *w, const why_stage *s, buf *out) {
    static const char *const KINDS[] = { "aggregation", "distinct", "sink" };
    buf_printf(out, "\n  %s `%s`: ", KINDS[s->kind], s->name);
    put_behind(w, s, out);
    if (s->fate == WHY_FILTERED) {
        buf_printf(out, "%s kept the %s out\n", s->filter ? s->filter : "a filter before it",
                   s->behind < 0 ? "record" : "result");
        return;
    }
    if (s->fate == WHY_THREW) {
        buf_put_text(out, "code of the script threw\n");
        return;
    }
    if (s->kind == WHY_SINK) {
        buf_printf(out, "sent in batch %" PRIu64 "\n", s->batch);
        put_sent(s, out);
        return;
    }
    if (s->kind == WHY_DISTINCT)
        put_distinct(s, out);
    else
        buf_put_text(out, s->fate == WHY_LATE ? "LATE for all of its windows: not counted\n"
                                              : "counted\n");
    buf_put_text(out, "      key ");
    put_clipped(out, s->key);
    buf_put_char(out, '\n');
    /* else what was said of the source holds */
    if (s->behind >= 0 || s->watermark != w->facts->watermark) {
        buf_put_text(out, "      watermark ");
        put_judge(w, s->watermark, s->behind < 0, out);
    }
    for (uint32_t i = 0; i < s->window_count; i++) put_window(w, s, &s->windows[i], out);
}

/* -- the record */

static void put_fields(const why_facts *f, buf *out) {
    if (!f->field_count) return;
    put_line(out, "fields");
    for (uint32_t i = 0; i < f->field_count; i++) {
        if (i == MOST_FIELDS) break;
        buf_printf(out, "%s%s = ", i ? ", " : "", f->fields[i].name);
        text_put_clipped(out, f->fields[i].value, strlen(f->fields[i].value), FIELD_WIDTH);
    }
    if (f->field_count > MOST_FIELDS)
        buf_printf(out, ", and %u more (--json shows all)", f->field_count - MOST_FIELDS);
    buf_put_char(out, '\n');
}

static void put_record(const why_shown *w, buf *out) {
    const why_facts *f = w->facts;
    put_line(out, "read");
    buf_printf(out, "by batch %" PRIu64 " at ", f->batch);
    put_time(out, f->now_ms);
    buf_printf(out, " UTC, source `%s`\n", f->source);
    put_line(out, "value");
    put_clipped(out, f->value);
    buf_put_char(out, '\n');
    put_fields(f, out);
    if (f->record_key) {
        put_line(out, "key");
        put_clipped(out, f->record_key);
        buf_put_char(out, '\n');
    }
    if (f->kafka_ms >= 0) {
        put_line(out, "Kafka time");
        put_time(out, f->kafka_ms);
        buf_put_char(out, '\n');
    }
    if (f->time_ms != INT64_MIN) {
        put_line(out, "event time");
        put_time(out, f->time_ms);
        if (f->has_watermark && f->watermark != WATERMARK_NONE && f->time_ms < f->watermark) {
            buf_put_text(out, ", ");
            put_span(out, f->watermark - f->time_ms);
            buf_put_text(out, " behind the watermark");
        }
        buf_put_char(out, '\n');
    }
    if (f->has_watermark) {
        put_line(out, "watermark");
        put_judge(w, f->watermark, true, out);
    }
    if (f->bad) {
        put_line(out, f->threw ? "THREW" : "BAD");
        buf_printf(out, "%s%s", f->bad_field ? f->bad_field : "", f->bad_field ? ": " : "");
        put_clipped(out, f->bad);
        buf_printf(out, " (%s)\n", f->bad_fate);
    }
    if (f->aside.sink) {
        put_line(out, "went to");
        buf_printf(out, "%s, in batch %" PRIu64 "\n", f->aside.sink, f->aside.batch);
    }
}

void why_put_text(const why_shown *w, buf *out) {
    buf_printf(out, "%s\n", w->what);
    if (w->found->place != WHY_READ) {
        buf_put_text(out, "  ");
        put_place(w, out);
        return;
    }
    if (!w->facts->is_seen) {
        buf_printf(out,
                   "  read over by batch %" PRIu64 ": there is no record at this offset (the "
                   "marker of a transaction, one that was aborted, or compacted away)\n",
                   w->found->batch);
        return;
    }
    put_record(w, out);
    for (uint32_t i = 0; i < w->facts->stage_count; i++) put_stage(w, &w->facts->stages[i], out);
}
