#pragma once
/* What two scripts made of one batch, row by row: those of data sinks, sink by sink. Rows belong
 * together by sink and, results, by key and window; others by the record that they were made from.
 * Of the rows that belong together equal ones go first, the rest in their order. One owner; thread:
 * any, one at a time. */
#include "runtime/base/arena.h"
#include "runtime/flow/pipeline.h"

typedef struct shadow_row {
    uint32_t sink;           /* into the list's names */
    uint32_t number;         /* in its list */
    const char *bytes;       /* key, value, and what else the message has; borrowed from the list */
    int32_t key_len;         /* -1: null */
    int32_t value_len;       /* -1: null, a retraction */
    uint32_t extra_len;      /* see operator/extras.h */
    uint32_t source, record; /* record NO_RECORD: a result */
    int64_t window_start, window_end;
} shadow_row;

typedef struct shadow_rows {
    sl_string *sinks; /* names; list owned, texts in `bytes` */
    uint32_t sink_count;
    shadow_row *items; /* owned */
    uint32_t count, room;
    arena bytes;
} shadow_rows;

void shadow_rows_init(shadow_rows *r);
void shadow_rows_done(shadow_rows *r);

/* What the running batch of `p` is about to hand over. */
void shadow_rows_take(shadow_rows *r, const pipeline *p);

/* Add one by hand: number, sink and bytes are set here. Texts with data NULL are null. */
void shadow_rows_add(shadow_rows *r, const sl_string *sink, const shadow_row *of, sl_string key,
                     sl_string value, sl_string extra);

size_t shadow_rows_bytes(const shadow_rows *r);

enum shadow_kind { SHADOW_OLD = 1, /* the old script alone made it */
                   SHADOW_NEW,
                   SHADOW_DIFFERS };

/* Rows that differ; of a pair both. */
typedef struct shadow_difference {
    int32_t kind; /* shadow_kind */
    uint64_t batch;
    char *sink;            /* owned */
    char *key, *old, *new; /* owned; NULL: null, or there is none */
    size_t key_len, old_len, new_len;
    int64_t window_start, window_end;
    bool has_window;
} shadow_difference;

typedef struct shadow_seen {
    uint64_t same, only_old, only_new, differing; /* pairs, and rows without one */
    shadow_difference *items;                     /* the first ones, with room for `most`; owned */
    uint32_t count, most;
} shadow_seen;

void shadow_seen_init(shadow_seen *s, uint32_t most);
void shadow_seen_done(shadow_seen *s);

/* Compare the rows of `batch`, and add what is seen. Both lists are sorted by it. O(n log n). */
void shadow_rows_compare(shadow_rows *old, shadow_rows *new, uint64_t batch, shadow_seen *seen);
