#pragma once
/* How far event time has come in one source, and in several together (semantics, section 3).
 *
 *   begin ─▶ observe each good record ─▶ end(views) : the watermark moves, once a batch
 *
 * What a watermark depends on is given: the batch's time, the records' event times, and a view of
 * each partition. The same calls give the same watermark: a batch is done again by another begin.
 * A batch of records is judged by `time` as it stands before watermark_end.
 * A checkpoint keeps `time`, `all_idle_ms`, `all_idle_time`, and `high` and `moved_ms` of each
 * partition; whoever restores writes them into the open struct (a new process: moved_ms = its
 * first batch's time). One owner; thread: the owner's. */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/shared/connect.h"
#include "runtime/shared/source.h"

static const int64_t WATERMARK_NONE = INT64_MIN;  /* none yet: nothing is late, nothing closes */
static const int64_t WATERMARK_ENDED = INT64_MAX; /* +infinity: all windows close */
enum { WATERMARK_STEP_MS = 1000 };                /* wall-clock advance: worth a batch */

typedef struct watermark_partition {
    int64_t high;       /* highest event time up to the last batch; WATERMARK_NONE: no record yet */
    int64_t batch_high; /* of the batch that runs; WATERMARK_NONE: none in it */
    int64_t moved_ms;   /* batch time of the last record that counts, before any: of the discovery;
                           WATERMARK_NONE: had nothing to read when a bounded run began */
    bool is_idle;       /* verdict at the end of the last batch */
} watermark_partition;

/* What the batch's plan says of a partition, at the batch's end. */
typedef struct watermark_view {
    bool is_at_end;         /* position is the end */
    bool has_ended;         /* and nothing will ever come: left out at once */
    bool is_confirmed;      /* by the leader, since the batch before began */
    bool is_in_transaction; /* an open transaction holds the last stable offset back */
} watermark_view;

typedef struct watermark_source {
    int64_t time;                    /* the watermark, Unix ms; never goes back */
    int64_t all_idle_ms;             /* batch that found all idle, its time; WATERMARK_NONE: none */
    int64_t all_idle_time;           /* the watermark then, where wall-clock advance starts */
    int64_t now_ms;                  /* time of the batch that runs */
    sl_time rules;                   /* copy of the source's */
    watermark_partition *partitions; /* owned; index as in the source's list */
    uint32_t count;                  /* partitions discovered */
} watermark_source;

/* Set up a source without partitions and without a watermark; `rules` is copied. */
void watermark_init(watermark_source *wm, const sl_time *rules);
void watermark_done(watermark_source *wm);

/* Make `copy`, zero at first, what `wm` is; and put `wm` back to that. Partitions discovered since
 * stay. O(partitions). */
void watermark_copy(watermark_source *copy, const watermark_source *wm);
void watermark_undo(watermark_source *wm, const watermark_source *copy);

/* Add partitions up to `count`, discovered at `now_ms` (batch time): from now on they count. */
void watermark_discover(watermark_source *wm, uint32_t count, int64_t now_ms);

/* The time of day jumped by `jump_ms` since the last batch: how long who has been idle stays as it
 * is. Between batches. O(partitions). */
void watermark_follow_clock(watermark_source *wm, int64_t jump_ms);

/* An `available-now` or `once` run begins: partition `p` is idle from the start if `view` says
 * that it has nothing to read, is confirmed and in no transaction, and idleness is not "never". */
void watermark_start_bounded(watermark_source *wm, uint32_t p, watermark_view view);

/* A batch of time `now_ms` begins; what an unfinished one observed is forgotten. O(partitions). */
void watermark_begin(watermark_source *wm, int64_t now_ms);

/* A good record of partition `p`, within the skew limit, has event time `time_ms`. */
static inline void watermark_observe(watermark_source *wm, uint32_t p, int64_t time_ms) {
    if (time_ms > wm->partitions[p].batch_high) wm->partitions[p].batch_high = time_ms;
}

/* End the batch: judge who is idle and return the new watermark. `views`: one a partition.
 * O(partitions). */
int64_t watermark_end(watermark_source *wm, const watermark_view *views);

/* The watermark that a batch at `now_ms` without records would end with; changes nothing.
 * O(partitions). */
int64_t watermark_preview(const watermark_source *wm, int64_t now_ms, const watermark_view *views);

/* Whether wall-clock advance alone calls for a batch without records: `preview` is a second ahead,
 * or the first watermark there is. */
bool watermark_is_behind(const watermark_source *wm, int64_t preview);

/* Whether a batch at `now_ms` would be the first to find all partitions idle: under wall-clock
 * advance that is worth a batch without records, since the watermark moves on from its time.
 * O(partitions). */
bool watermark_turns_idle(const watermark_source *wm, int64_t now_ms, const watermark_view *views);

/* A bounded source has ended: its watermark is +infinity. */
void watermark_finish(watermark_source *wm);

/* Whether no partition holds the source's watermark back; a source without partitions: no. */
bool watermark_is_all_idle(const watermark_source *wm);

/* The partition that holds the watermark back (lowest high, one without a record first, ties to
 * the lower index); -1: none, all are idle or the source has ended. Under the rule `max`: that of
 * the highest. */
int64_t watermark_slowest(const watermark_source *wm);

/* Highest event time that may move a watermark in a batch of time `now_ms`; INT64_MAX: the guard
 * is off, as for bounded sources and manual clocks unless the script gives max_skew. */
int64_t watermark_skew_limit(const sl_time *rules, int64_t now_ms, bool is_bounded,
                             bool is_manual_clock);

/* View of a partition whose next offset is `position`; `since_ms`: steady time the batch before
 * began. A leader that comes back confirms nothing until it has been there for `idle`: what its
 * producers held back meanwhile is on its way. */
watermark_view watermark_view_of(const sl_partition *p, const sl_time *rules, int64_t position,
                                 int64_t since_ms);

/* One input of a stage that several feed. */
typedef struct watermark_input {
    int64_t time;     /* its watermark; WATERMARK_ENDED: it has ended */
    bool is_left_out; /* all its partitions are idle and it does not advance by wall clock */
} watermark_input;

watermark_input watermark_input_of(const watermark_source *wm);

/* What it would be at the end of a batch without records at `now_ms`. O(partitions). */
watermark_input watermark_input_preview(const watermark_source *wm, int64_t now_ms,
                                        const watermark_view *views);

/* Watermark where inputs meet, from `current`, below which it never falls: their minimum without
 * those left out and ended; stands still while none remains; +infinity when all have ended.
 * `count` 0: `current`. */
int64_t watermark_combine(const watermark_input *inputs, uint32_t count, int64_t current);

/* The input that holds a combination back (ties to the lower index); -1: none. */
int64_t watermark_slowest_input(const watermark_input *inputs, uint32_t count);
