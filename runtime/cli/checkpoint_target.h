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
    target_rows *rows; /* of the chain's batches; owned */
    uint32_t row_count;
} target;

/* The state that `text` names. The survey may be marked: then what is on the chain comes first.
 * ERR_USAGE: it names none, or several; ERR_REFUSED: it is not whole. `t`: target_done, always. */
err *target_find(const stored *s, const survey *v, const char *text, target *t);

/* The state of a pointer; ERR_REFUSED: it is not whole. `t`: likewise. */
err *target_open(const stored *s, const pointer *p, target *t);
void target_done(target *t);

/* What going back from `from` to `to` costs: records that are read again, a line a source, and rows
 * that sinks get again. */
void target_put_distance(buf *out, const stored *s, const target *from, const target *to);
