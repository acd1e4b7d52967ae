#pragma once
/* A chunk: one vector of neighbouring records of one source on its way (see work.h), and the notes
 * on what did not pass. Written by the worker that prepares it, afterwards read by all (masks by
 * atomics). */
#include <stdatomic.h>
#include <stdbool.h>

#include "runtime/base/arena.h"
#include "runtime/operator/outbox.h"
#include "runtime/shared/plan.h"

enum { VECTOR_ROWS = 2048 };

/* Why a record, or a pair of row and window, did not pass. */
typedef enum note_kind {
    NOTE_BAD,   /* cannot be decoded, or has no event time */
    NOTE_SKEW,  /* event time beyond max_skew */
    NOTE_THREW, /* user code threw */
    NOTE_LATE,  /* its window is closed */
} note_kind;

typedef struct note {
    note_kind kind;
    uint32_t place;  /* sorts the notes of one record: see note_place */
    bool is_skipped; /* by policy: told of, not sent anywhere; one a chunk is enough */
    uint32_t source, record;
    uint32_t aggregate;               /* NOTE_LATE */
    int64_t window_start, window_end; /* NOTE_LATE; without bounds: 0 */
    const char *path;                 /* NOTE_BAD: of the field, else ""; in the batch's text */
    const char *reason;               /* NOTE_LATE: NULL. NOTE_THREW: message and traceback */
} note;

/* Rows of a chunk that go to one aggregation. */
typedef struct grouping {
    uint32_t count;
    uint32_t *indices;  /* place of each in the chunk's rows */
    int64_t *panes;     /* pane start */
    uint64_t *hashes;   /* XXH3 of the key */
    const char **keys;  /* in the chunk's text */
    uint32_t *key_lens; /* bytes */
} grouping;

typedef struct partition_high {
    uint32_t partition;
    uint32_t good;   /* good records */
    int64_t high_ms; /* highest event time that moves a watermark; INT64_MIN: none */
} partition_high;

typedef struct chunk {
    uint32_t source;                          /* index into the plan's */
    uint32_t first_record, record_count;      /* among the batch's records of the source */
    uint32_t row_count;                       /* good rows */
    char *row_memory;                         /* VECTOR_ROWS rows; owned */
    size_t row_room;                          /* bytes there */
    void *rows[VECTOR_ROWS];                  /* into row_memory */
    uint32_t outputs[VECTOR_ROWS];            /* mask of outputs that the row passed to */
    uint32_t dead[VECTOR_ROWS];               /* mask of nodes that threw for it */
    _Atomic uint32_t passed[VECTOR_ROWS];     /* outputs less late and thrown out */
    uint32_t late[VECTOR_ROWS];               /* outputs where it was late for all */
    uint32_t threw_at[VECTOR_ROWS];           /* outputs lost to user code before the fold */
    _Atomic uint32_t folded_out[VECTOR_ROWS]; /* the same, in the fold */
    grouping groups[SL_MAX_OUTPUTS];          /* by output to an aggregation; arrays owned */
    outbox messages[SL_MAX_OUTPUTS];          /* by output that feeds a sink */
    arena text;                               /* decoded and derived strings, keys */
    uint64_t *nulls;                          /* null words of all good rows, AND; owned */
    uint32_t null_room;                       /* words */
    partition_high *highs;                    /* owned, in the order of partitions */
    uint32_t high_count, high_room;
    uint64_t bad, skipped; /* records that never became rows; skipped by policy */
    uint64_t late_pairs;   /* of row and window */
} chunk;

/* Where in a record's way a note was made. */
enum note_phase {
    PHASE_PREPARE,
    PHASE_GROUP,
    PHASE_FOLD,
};
static inline uint32_t note_place(enum note_phase phase, uint32_t output) {
    return phase * SL_MAX_OUTPUTS + output;
}

chunk *chunk_new(void);
void chunk_free(chunk *c);
