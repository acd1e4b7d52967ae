#pragma once
/* The plan of a pipeline: Lua validates the script, fills this in (lua/sluice/lower.lua) and keeps
 * it alive; C only reads it.
 *
 *   source ──▶ step ──▶ output ──▶ aggregate ──▶ step ──▶ output ──▶ sink
 *                  └──▶ output ──▶ sink
 *
 * A graph without circles: step.h has its edges. Aggregates stand in such an order that one that
 * feeds another comes first. */
#include "runtime/shared/checkpoint.h"
#include "runtime/shared/source.h"
#include "runtime/shared/step.h"
#include "runtime/shared/types.h"

enum sl_window_kind {
    SL_WINDOW_NONE = 0,
    SL_WINDOW_TUMBLING,
    SL_WINDOW_HOPPING,
    SL_WINDOW_CUMULATE, /* [start, start + every), [start, start + 2 * every) .. of one size */
    SL_WINDOW_ROLLING,  /* of a group: the last size up to its newest pane */
    SL_WINDOW_RUNNING,  /* one pane for ever; a group goes by its own time */
    SL_WINDOW_SESSION,  /* of a group: rows no more than a gap apart */
};
enum sl_mode {
    SL_APPEND = 1,
    SL_UPDATE,
    SL_COMPLETE,
};

typedef struct sl_window {
    int32_t kind; /* sl_window_kind; NONE: one pane for ever */
    int32_t unused;
    int64_t size_ms;             /* session: the gap; running: retain, INT64_MAX: for ever */
    int64_t every_ms;            /* tumbling, session: the size; running: 0 */
    int64_t offset_ms;           /* 0 <= offset < every; cumulate: < size */
    int64_t pane_ms;             /* gcd(size, every); running: 0 */
    int64_t allowed_lateness_ms; /* >= 0 */
} sl_window;

enum sl_user_code {
    SL_NO_USER_CODE = 0,
    SL_USER_ROWS,
    SL_USER_BATCHES /* a fold_batch */,
};

typedef struct sl_aggregate {
    sl_string name; /* of its state: given, or "aggregate" */
    sl_window window;
    int32_t mode;                 /* sl_mode */
    uint8_t final;                /* 1: rows say whether they are their window's last */
    uint8_t only_if_changed;      /* 1: a row equal to the one sent before is not sent again */
    uint8_t has_retractions;      /* update or complete with a filter behind it: what was sent is
                                     remembered */
    uint8_t user_code;            /* sl_user_code: what may throw in the fold */
    int64_t max_rows;             /* complete */
    int64_t backfill_ms;          /* > 0: what is new in it is filled with rows of this time */
    uint32_t state_size;          /* bytes, a multiple of 8: all aggregates concatenated */
    uint32_t part_count;          /* variable-size parts in a state */
    const uint32_t *part_offsets; /* byte offsets of sl_part members in the state */
    const void *state_init;       /* state_size bytes a new group starts with */
    uint32_t span_offset;         /* of an sl_span in the state, where has_span */
    uint32_t has_span;            /* running, session: C keeps the times of the rows there */
    uint32_t emit_driver;         /* Lua: merge panes, results, stages behind */
    uint32_t merge_driver;        /* Lua: merge panes only, where `slides` */
    uint32_t slides;              /* 1: windows of panes that can be merged in any grouping */
    uint32_t row_size;            /* of result rows */
    uint32_t null_words;          /* likewise: 64-bit words behind the header */
    uint32_t step;                /* the step behind it; `going_on` there: its mode is append */
    uint32_t level;               /* of the phase in which rows are folded (step.h) */
    const sl_feed *feeds;         /* outputs that feed it */
    uint32_t feed_count;
    const sl_column *group; /* result row: group columns, in key order */
    uint32_t group_count;
    int32_t late;                       /* index of the sink for late rows; -1: counted only */
    int32_t spills;                     /* sl_spill: its groups, and what was sent of them */
    sl_column window_start, window_end; /* result row; used when window.kind is not NONE */
    sl_column final_column;             /* result row; used when `final` */
} sl_aggregate;

enum sl_error_policy {
    SL_ON_ERROR_QUARANTINE = 1,
    SL_ON_ERROR_FAIL,
};
enum sl_times {
    SL_TIMES_MS = 1,
    SL_TIMES_ISO,
};

/* What a sink can promise. */
enum sl_sink_kind {
    SL_SINK_REPEATS = 0,   /* what was written before a crash may be written again */
    SL_SINK_TRANSACTIONAL, /* what it writes becomes visible by the ledger's commit: on its
                              cluster, with its login */
    SL_SINK_BY_BATCH,      /* a batch done again with the same number and rows leaves no trace */
};

typedef struct sl_sink {
    sl_string name;          /* as `sink.X` calls it: topic or path */
    sl_string connector;     /* "kafka", "file" */
    const sl_value *options; /* SL_TABLE, defaults filled in */
    int32_t times;           /* sl_times */
    int32_t on_error;        /* sl_error_policy: a row that the sink refuses for itself */
    uint32_t enveloped;      /* files that may get retractions: {"key":..,"value":..} */
    uint32_t is_side;        /* gets late or quarantined records, not rows */
    const sl_feed *feeds;    /* outputs that feed it; a side sink: none */
    uint32_t feed_count;
    int32_t kind; /* sl_sink_kind */
} sl_sink;

enum sl_trigger_kind {
    SL_CONTINUOUS = 1,
    SL_INTERVAL,
    SL_AVAILABLE_NOW,
    SL_ONCE,
};

typedef struct sl_plan {
    sl_string name;
    sl_string script;         /* path as given */
    sl_string at;             /* FILE:LINE of sluice.pipeline; empty: not known */
    uint64_t script_hash;     /* FNV-1a of the script, what it required, in order,
                                 --param, and --set that rows depend on */
    const sl_source *sources; /* *_count of each, see below */
    const sl_step *steps;
    const sl_aggregate *aggregates;
    const sl_sink *sinks;
    const sl_distinct *distincts;
    uint32_t source_count, step_count, aggregate_count, sink_count, distinct_count;
    int32_t trigger;     /* sl_trigger_kind */
    uint32_t flush;      /* available-now: close what is open at the end */
    int64_t interval_ms; /* SL_INTERVAL */
    uint32_t shards;     /* power of two */
    uint32_t workers;
    int64_t shutdown_timeout_ms; /* how long a signal waits for the batch; > 0 */
    int64_t script_timeout_ms;   /* longest call of Lua; > 0 */
    int64_t script_memory_bytes; /* most that the Lua state of a worker may hold; > 0 */
    int32_t on_error;            /* sl_error_policy for user functions */
    uint32_t unused;
    sl_checkpoint checkpoint;
} sl_plan;
