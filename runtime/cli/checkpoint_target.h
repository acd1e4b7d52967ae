#pragma once
/* A stored state that a command is about, as `checkpoint ls` calls it: "42", or "42-9f0c1a2b" where
 * several objects are of one batch. thread: main. */
#include "runtime/cli/checkpoint_show.h"

/* What a batch gave a sink. */
typedef struct target_rows {
    uint64_t batch; /* of its object: the batch before it */
    char *sink;     /* owned */
    uint64_t count;
} target_rows;

typedef struct target {
    pointer p;        /* `partitions`: as many as there are marks */
    chain chain;      /* what is to be read for it; handed out already */
    show_facts facts; /* of its last object */
    sl_mark *marks;   /* what is to be committed with it; owned */
    uint32_t count;
    pointer behind; /* what the oldest object that was looked at follows */
    uint64_t *told; /* batches whose rows are known; owned */
    uint32_t told_count;
    target_rows *rows; /* of those; owned */
    uint32_t row_count;
} target;

/* The state that `text` names. The survey may be marked: then what is on the chain comes first.
 * ERR_USAGE: it names none, or several; ERR_REFUSED: it is not whole. `t`: target_done, always. */
err *target_find(const stored *s, const survey *v, const char *text, target *t);

/* The state of a pointer; ERR_REFUSED: it is not whole. `t`: likewise. */
err *target_open(const stored *s, const pointer *p, target *t);
void target_done(target *t);

/* Read on behind the chain of `from` what the batches behind `to` gave the sinks, as far as their
 * objects are still there: a chain may be shorter than the way back. */
void target_look_behind(const stored *s, target *from, const target *to);

/* What going back from `from` to `to` costs: records that are read again, a line a source, and rows
 * that sinks get again. */
void target_put_distance(buf *out, const stored *s, const target *from, const target *to);
