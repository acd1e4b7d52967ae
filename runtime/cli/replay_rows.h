#pragma once
/* What a batch sent, sink by sink, for `sluice replay` to show and to compare. One owner; thread:
 * main. */
#include "runtime/flow/replay.h"

typedef struct replayed_row {
    uint32_t sink;   /* index into the list's */
    char *bytes;     /* key, then value; owned */
    int64_t key_len; /* -1: null */
    int64_t value_len;
} replayed_row;

typedef struct replayed_rows {
    char **sinks; /* names, as they first got a row; owned */
    uint32_t sink_count;
    replayed_row *rows; /* in the order in which each sink got them; owned */
    uint32_t count, room;
} replayed_rows;

/* A row; either text may be null. */
replayed_row replayed_row_new(uint32_t sink, const sl_string *key, const sl_string *value);

/* replay_row; `arg` is the list. */
void replayed_rows_add(void *arg, const sl_sink *sink, const sl_message *m);

/* Forget the rows; the sinks stay. */
void replayed_rows_reset(replayed_rows *r);
void replayed_rows_done(replayed_rows *r);

/* FNV-1a of the rows of a sink in their order; `count`: how many. */
uint64_t replayed_rows_digest(const replayed_rows *r, const char *sink, uint32_t *count);

/* Append a row as JSON members: "key":…,"value":…; texts, or base64 behind "key_bytes" and so
 * on. */
void replayed_row_put(buf *out, const replayed_row *row);

/* Append the rows of `a` that `b` has not, and the other way round, a line each behind "- " and
 * "+ "; how many. Keys count, but only those of rows without a value are shown. */
uint32_t replayed_rows_compare(const replayed_rows *a, const replayed_rows *b, buf *out);
