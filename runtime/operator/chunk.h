#pragma once
/* A chunk: one vector of neighbouring records of one source, or of results of one aggregation that
 * go on, on its way (see work.h), and the notes on what did not pass. Written by the worker that
 * does its functions, afterwards read by all (masks by atomics). */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "runtime/base/arena.h"
#include "runtime/operator/outbox.h"
#include "runtime/operator/onward.h"
#include "runtime/operator/row_set.h"
#include "runtime/shared/plan.h"

/* Why a record, or a pair of row and window, did not pass. */
typedef enum note_kind {
    NOTE_BAD,   /* cannot be decoded, or has no event time */
    NOTE_SKEW,  /* event time beyond max_skew */
    NOTE_THREW, /* user code threw */
    NOTE_LATE,  /* its window is closed */
} note_kind;

typedef struct note {
    note_kind kind;                   /* what became of it */
    uint32_t place;                   /* sorts the notes of one record: see note_place */
    uint32_t row;                     /* sorts those of one place: number of the row in its set */
    bool is_skipped;                  /* by policy: told of, not sent; one a chunk is enough */
    uint32_t source, record;          /* NO_RECORD: thrown out of a fold in order, at the close */
    uint32_t partition;               /* then: index into the source's */
    int64_t offset;                   /* then */
    bool is_distinct;                 /* NOTE_LATE: for a distinct, not an aggregation */
    uint32_t stage;                   /* NOTE_LATE, at the close: index of it */
    int64_t window_start, window_end; /* NOTE_LATE, at the close; without bounds: 0 */
    const char *path;                 /* NOTE_BAD: of the field, else ""; in the batch's text */
    const char *reason;               /* NOTE_LATE: NULL. NOTE_THREW: message and traceback */
} note;

/* Notes of whatever: added by several workers at a time. Texts are whoever's. */
typedef struct note_list {
    pthread_mutex_t lock; /* guards all below while workers run */
    note *items;          /* owned */
    uint32_t count, room;
} note_list;

void note_list_init(note_list *list);
void note_list_done(note_list *list);
void note_list_add(note_list *list, const note *n);

typedef struct partition_high {
    uint32_t partition; /* index into the source's */
    uint32_t good;      /* good records */
    int64_t high_ms;    /* highest event time that moves a watermark; INT64_MIN: none */
} partition_high;

enum { NO_SOURCE = UINT32_MAX };

typedef struct chunk {
    uint32_t root;                       /* step at which its rows begin */
    uint32_t source;                     /* index into the plan's; NO_SOURCE: results */
    uint32_t aggregate;                  /* results: of this aggregation */
    uint32_t first_record, record_count; /* among the batch's records of the source, or `onward` */
    const onward *onward;                /* all that go on; borrowed */
    row_set **sets;                      /* by step, made when needed; owned */
    uint32_t set_count;
    note_list notes;       /* on its records */
    arena text;            /* decoded and derived strings, keys */
    uint64_t *nulls;       /* null words of all good rows, AND; owned */
    uint32_t null_room;    /* words */
    partition_high *highs; /* owned, in the order of partitions */
    uint32_t high_count, high_room;
    uint64_t bad, skipped; /* records that never became rows; skipped by policy */
    uint64_t late_pairs;   /* of row and window */
} chunk;

/* Where in a record's way a note was made. */
enum note_phase {
    PHASE_FUNCTIONS,
    PHASE_GROUP,
    PHASE_SHARD,
};
enum { NOTE_OUTPUTS = 1 << 16 }; /* more than a tree of steps has */

/* `order`: of the output (sl_output), from 1; 0: the record's own way to the first functions. */
static inline uint32_t note_place(uint32_t level, enum note_phase phase, uint32_t order) {
    return (level * 4 + phase) * NOTE_OUTPUTS + order;
}

/* Make a chunk for a plan of so many steps. */
chunk *chunk_new(uint32_t step_count);
void chunk_free(chunk *c);

/* The rows of a step; made if there were none yet. */
row_set *chunk_set(chunk *c, uint32_t step);

/* The rows of a step, which chunk_set has made. */
static inline row_set *chunk_rows(const chunk *c, uint32_t step) { return c->sets[step]; }
