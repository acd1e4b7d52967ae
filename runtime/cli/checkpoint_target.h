#pragma once
/* A stored state that a command is about, as `checkpoint ls` calls it: "42", or "42-9f0c1a2b" where
 * several objects are of one batch. thread: main. */
#include "runtime/cli/checkpoint_show.h"

typedef struct target {
    pointer p;        /* `partitions`: as many as there are marks */
    chain chain;      /* what is to be read for it; handed out already */
    show_facts facts; /* of its last object */
    sl_mark *marks;   /* what is to be committed with it; owned */
    uint32_t count;
} target;

/* The state that `text` names. The survey may be marked: then what is on the chain comes first.
 * ERR_USAGE: it names none, or several; ERR_REFUSED: it is not whole. `t`: target_done, always. */
err *target_find(const stored *s, const survey *v, const char *text, target *t);

/* The state of a pointer; ERR_REFUSED: it is not whole. `t`: likewise. */
err *target_open(const stored *s, const pointer *p, target *t);
void target_done(target *t);

/* Records between the two states, to be read again by whoever goes back from `from` to `to`: a line
 * a topic; and which sinks get rows again. */
void target_put_distance(buf *out, const stored *s, const target *from, const target *to);
