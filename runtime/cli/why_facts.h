#pragma once
/* What became of one record, as its batch, done again, showed it: for `sluice why`. Texts are owned
 * by the facts' arena. One owner; thread: main. */
#include "runtime/base/arena.h"
#include "runtime/flow/probe.h"
#include "runtime/flow/replay.h"

/* What became of it is told by why_stages.c, what was sent by why_rows.c. */
enum { WHY_MOST_STAGES = 64,
       WHY_MOST_WINDOWS = 64,
       WHY_MOST_ROWS = 4 };

#define WHY_GONE UINT32_MAX

/* A row that a sink got. */
typedef struct why_row {
    uint64_t batch;
    const char *sink, *value; /* value NULL: retracted */
} why_row;

typedef struct why_window {
    int64_t start, end; /* a session's: those of the row alone */
    int64_t close_ms;   /* watermark that closes it; INT64_MAX: none does */
    bool is_late;
    bool went_on;                /* a result of it went to stages behind */
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

/* Where a row of the record went, or would have gone; or a result of one of its windows. */
typedef struct why_stage {
    why_kind kind;
    uint32_t index; /* in the plan that runs now; WHY_GONE: the text has it no more */
    const char *name;
    why_fate fate;
    int64_t time_ms;     /* of the row */
    int64_t watermark;   /* of the stage, that judged it; WATERMARK_NONE: none yet */
    int64_t reached;     /* aggregation: its watermark behind the last batch */
    const char *filter;  /* WHY_FILTERED: which one, "filter rides.lua:7"; NULL: not known */
    const char *filters; /* aggregation: those right behind it, as above, with commas; NULL: none */
    bool has_filters;    /* they are several */
    const char *key;     /* of its group, an object; NULL: it has none */
    uint64_t order;      /* aggregation: of that group, see shard_order */
    bool has_bounds;     /* its windows have bounds */
    bool is_own;         /* windows are made by the rows of a group */
    why_window *windows; /* that the row belongs to, oldest first */
    uint32_t window_count;
    why_row sent;     /* sink: the row as it left; sink NULL: it did not */
    int32_t behind;   /* index of the stage whose result it is; -1: the record's own row */
    int64_t from, to; /* window of that result */
    uint64_t batch;   /* in which that came */
    bool goes_on;     /* aggregation: its results are taken by stages behind */
} why_stage;

typedef struct why_field {
    const char *name, *value; /* JSON */
} why_field;

typedef struct why_facts {
    bool is_seen;       /* by a source of the batch */
    uint64_t text_hash; /* of the text that indices are of */
    uint64_t batch;
    int64_t now_ms;
    const char *source, *value, *record_key; /* NULL: null */
    const why_field *fields;                 /* as decoded */
    uint32_t field_count;                    /* 0: it was not decoded */
    uint32_t source_index, record_index;     /* in its batch */
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

/* The same for results that go on: those of the record's windows are followed. */
void why_facts_results(void *arg, const pipeline *p, const batch_view *b, const chunk *c);

/* A message that a sink of `p` gets in batch `batch`, this one or a later: kept if it is of one of
 * the record's windows, or the record itself on its way, aside or not. */
void why_facts_row(why_facts *f, const probe *at, const pipeline *p, uint64_t batch,
                   const sl_sink *sink, const sl_message *m);

/* Before what `p` shows is taken: find the stages again if its text is another one. */
void why_facts_meet(why_facts *f, const pipeline *p);

/* A batch is done: how far stages have come. */
void why_facts_step(why_facts *f, const pipeline *p);

/* Whether nothing more can come of the record: its windows are closed as far as `p` has come. */
bool why_facts_settled(const why_facts *f, const pipeline *p);

/* Text in the facts' memory; of a null string NULL. */
const char *why_keep(why_facts *f, const char *text, size_t len);
const char *why_keep_string(why_facts *f, const sl_string *s);

/* A row's columns as a JSON object, in the facts' memory. */
const char *why_json(why_facts *f, const sl_column *columns, uint32_t count, const sl_row *row);

/* why_stages.c: note where row `i` of step `s` went by output `k`. */
void why_look_at_output(why_facts *f, const pipeline *p, const batch_view *b, const chunk *c,
                        uint32_t s, uint32_t i, uint32_t k);

/* why_rows.c: whether a result of `aggregate` is of one of the stage's windows: which; NULL: no. */
why_window *why_window_of(const why_stage *s, uint32_t aggregate, uint64_t order, int64_t start,
                          int64_t end);

/* Who holds the watermark of `in` back; its highest event time. NULL: nobody. In `memory`. */
const char *why_slowest(const input *in, arena *memory, int64_t *high_ms);
