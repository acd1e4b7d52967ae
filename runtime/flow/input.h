#pragma once
/* A source at run time: its connector, positions, watermark, limits, and the records of the running
 * batch.
 *
 *   look ─▶ plan ─▶ fetch ─▶ … ─▶ settle ─▶ … ─▶ release
 *           ranges  ranges        the            records go,
 *           by the  end at        watermark      counters are
 *           limits  what came     moves          kept or not
 *
 * One owner (the pipeline); thread: main. */
#include <stdbool.h>

#include "runtime/base/clock.h"
#include "runtime/event/limits.h"
#include "runtime/event/watermark.h"
#include "runtime/flow/input_early.h"

struct recorded_source;

struct progress_source;

typedef struct input {
    uint32_t number; /* in the plan */
    const sl_source *plan;
    const sl_source_ops *ops;
    void *handle;                   /* of the connector; owned */
    const sl_system *system;        /* borrowed */
    const sl_partition *partitions; /* as of the last look; borrowed from the connector */
    uint32_t partition_count;
    uint32_t *order;  /* partitions by topic (of the script), number; owned */
    uint32_t *places; /* one a partition: sorts them so, also those yet to appear; owned */
    double *ranks;    /* likewise, among those of all sources; owned */
    int64_t *reached; /* one a partition: next offset behind the running batch, once it is
                         fetched; before that behind the last; owned */
    watermark_source watermark;
    watermark_source before; /* as the running batch found it; owned */
    watermark_view *views;   /* one a partition, for the end of a batch; owned */
    int64_t *targets;        /* available-now, once: end offsets fixed at start; owned, else NULL */
    uint32_t target_count;
    limits_rate rate;
    sl_range *ranges; /* of the running batch; owned */
    uint32_t range_count, range_room;
    input_load load;    /* of the running batch */
    input_load parked;  /* of the one that is being committed meanwhile */
    input_load waiting; /* what those count that are committed with the next one; no records */
    input_early early;
    uint32_t known_count; /* partitions that the checkpoint knew which the run goes on from */
    int64_t *own_moved;   /* while a batch of an earlier run is done again: this run's moved_ms of
                             the first partitions; owned, else NULL */
    uint32_t own_count;
    bool was_cut_short;            /* a limit other than max_rate left something behind */
    bool is_held;                  /* the next batch reads nothing: windows are closing */
    bool ends_now;                 /* bounded, and nothing is left behind the running batch */
    bool has_ended;                /* bounded, and everything was taken */
    int64_t last_records_ms;       /* when the last batch with records began; INT64_MIN: none */
    int64_t silent_until_ms;       /* steady time until which a silent leader is not asked again */
    source_counters counters;      /* of batches that were committed */
    struct blank_field *blanks;    /* one a field; owned */
    struct column_header *headers; /* sl_source.has_header: one a partition; owned */
    uint32_t header_count;
    uint64_t untold; /* records thrown out since the last line about them */
    int64_t told_ms; /* steady time of that line; INT64_MIN: none */
} input;

/* Open the connector of `plan`, source `number`, with its copy `held`, and take a first look.
 * `bounded_run`: ends are fixed. */
struct err *input_open(input *in, const sl_source *plan, const sl_source *held,
                       const sl_source_ops *ops, const sl_system *system, uint32_t number,
                       bool bounded_run);
void input_close(input *in);

/* Right behind it: topics of an earlier run stand in the order in which it found them, and new ones
 * behind, so that ties of event time are decided alike. */
void input_keep_order(input *in, const struct progress_source *was);

/* See what is there now. Retriable trouble is not an error: nothing is there. */
struct err *input_look(input *in);

/* Offsets that lie between the positions and what may be taken; INT64_MAX: not known. */
int64_t input_backlog(const input *in);

/* Steady time until which a batch waits for more records (min_records, max_rate); INT64_MIN: no
 * need. */
int64_t input_waits_until(const input *in, bool bounded_run);

/* Where the next batch begins to read partition `p`. */
static inline int64_t input_position(const input *in, uint32_t p) {
    bool is_early = in->early.is_there && p < in->early.count;
    return is_early ? in->early.positions[p] : in->partitions[p].position;
}

/* Decide the ranges of batch number `batch` at `now_ms`. */
void input_plan(input *in, uint64_t batch, int64_t now_ms);

/* Bring the records. Positions move; ranges end at what came. */
struct err *input_fetch(input *in);

/* Whether the running batch reads something. */
bool input_reads(const input *in);

/* Find out what the batch's end says of each partition, into `views`, and whether the source ends.
 * `since_ms`: steady time the batch before began. */
struct err *input_judge(input *in, int64_t since_ms);

/* The same for a batch that does not judge: nobody is asked, and input_settle is left out. */
void input_judge_none(input *in, int64_t since_ms);

/* The batch is done: the watermark moves. */
void input_settle(input *in);

/* In place of plan, fetch and judge: a batch that died, as it was recorded. ERR_REFUSED: what it
 * read is not there any more. */
struct err *input_plan_again(input *in, const struct recorded_source *was, int64_t now_ms);
struct err *input_fetch_again(input *in);
void input_judge_again(input *in, const struct recorded_source *was);

/* No batch of an earlier run is left: idle clocks are this run's, and partitions that appeared
 * between the two hold the wall clock back. */
void input_begin_own(input *in);

/* What a batch without records would bring to where inputs meet at `now_ms`; views as of the last
 * look. */
watermark_input input_preview(input *in, int64_t now_ms, int64_t since_ms);

/* Of input.c and input_early.c, for each other and input_again.c. */
void input_add_range(input *in, uint32_t p, int64_t from, int64_t to);
void input_note_positions(input *in);
void input_share_out(input *in, uint64_t batch);
struct err *input_fetch_into(input *in, input_load *load, int64_t timeout_ms);

/* The running batch is done, and is being committed: what it counts waits, and its records, where
 * it `has_lent` any, stay while the next one is read and walked. One at a time. */
void input_park(input *in, bool has_lent);

/* The same, but it has borrowed nothing, and waits to be committed with others: what all of them
 * count. Then they are parked as one. */
void input_hold(input *in);
void input_park_held(input *in);

/* Drop the records of the one that was parked; its counters are kept if it was committed. */
void input_release_parked(input *in, bool committed);

/* Drop the records of the running batch, which leaves no trace unless it was committed. */
void input_release(input *in, bool committed);

/* Whether a bounded run has reached its ends. */
bool input_is_done(const input *in);
