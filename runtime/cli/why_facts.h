#pragma once
/* What became of one record, as its batch, done again, showed it: for `sluice why`. Texts are owned
 * by the facts' arena. One owner; thread: main. */
#include "runtime/base/arena.h"
#include "runtime/flow/probe.h"
#include "runtime/flow/replay.h"

enum { WHY_MOST_STAGES = 64,
       WHY_MOST_WINDOWS = 64,
       WHY_MOST_ROWS = 4 };

/* A row that a sink got. */
typedef struct why_row {
    uint64_t batch;
    const char *sink, *value; /* value NULL: retracted */
} why_row;

typedef struct why_window {
    int64_t start, end; /* a session's: those of the row alone */
    int64_t close_ms;   /* watermark that closes it; INT64_MAX: none does */
    bool is_late;
    why_row rows[WHY_MOST_ROWS]; /* the first, and the last ones */
    uint32_t row_count;          /* in all */
} why_window;

typedef enum why_fate {
    WHY_TAKEN,     /* it is in */
    WHY_FILTERED,  /* a filter before it kept the row out */
    WHY_LATE,      /* for all windows; a distinct: behind `within` */
    WHY_DUPLICATE, /* a distinct has seen the key */
    WHY_THREW,     /* user code threw */
} why_fate;

typedef enum why_kind {
    WHY_AGGREGATION,
    WHY_DISTINCT,
    WHY_SINK,
} why_kind;

/* Where a row of the record went, or would have gone. */
typedef struct why_stage {
    why_kind kind;
    uint32_t index; /* in the plan */
    const char *name;
    why_fate fate;
    int64_t watermark;  /* of the stage, that judged it; WATERMARK_NONE: none yet */
    const char *key;    /* of its group, an object; NULL: it has none */
    const char **parts; /* as they stand in results: "name":value, */
    uint32_t part_count;
    uint32_t step;       /* aggregation: behind it */
    const char *onward;  /* aggregation: another one that takes its results; NULL: none */
    bool has_bounds;     /* its windows stand in results */
    bool is_own;         /* windows are made by the rows of a group */
    why_window *windows; /* that the row belongs to, oldest first */
    uint32_t window_count;
} why_stage;

typedef struct why_facts {
    bool is_seen; /* by a source of the batch */
    uint64_t batch;
    int64_t now_ms;
    const char *source, *value, *record_key; /* NULL: null */
    int64_t kafka_ms;                        /* -1: none */
    int64_t time_ms;                         /* event time; INT64_MIN: none */
    const char *bad, *bad_field;             /* why it was thrown out; NULL: it was not */
    bool threw;                              /* user code did, and not the record itself */
    const char *bad_fate;                    /* "quarantined", "skipped" */
    bool has_watermark;
    int64_t watermark; /* of the source, when the batch began; WATERMARK_NONE: none yet */
    int64_t delay_ms;
    const char *slowest; /* partition that held it; NULL: none did */
    int64_t slowest_ms;  /* highest event time there; WATERMARK_NONE: no record yet */
    why_stage stages[WHY_MOST_STAGES];
    uint32_t stage_count;
    why_row aside; /* the late or bad record, where it went; sink NULL: nowhere */
    arena memory;
} why_facts;

void why_facts_init(why_facts *f);
void why_facts_done(why_facts *f);

/* probe_look; `arg` is the facts. */
void why_facts_look(void *arg, const pipeline *p, const batch_view *b, const chunk *c);

/* A row of batch `batch`, this one or a later: kept if it is of one of the record's windows, or the
 * record itself on its way aside. */
void why_facts_row(why_facts *f, const probe *at, const sl_plan *plan, uint64_t batch,
                   const sl_sink *sink, const sl_message *m);

/* Whether nothing more can come of the record: its windows are closed as far as `p` has come. */
bool why_facts_settled(const why_facts *f, const pipeline *p);

/* Who holds the watermark of `in` back; its highest event time. NULL: nobody. In `memory`. */
const char *why_slowest(const input *in, arena *memory, int64_t *high_ms);
