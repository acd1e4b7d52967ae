#pragma once
/* What the files checkpoint*.c share. Two threads stand behind a checkpoint: `writer` puts the
 * object of the batch, `caretaker` does what may wait (keeper.h). */
#include <pthread.h>
#include <stdatomic.h>

#include "state/checkpoint.h"
#include "state/jobs.h"
#include "state/keeper.h"

/* An object on its way. Between checkpoint_put and jobs_wait it is the writer's, but for what says
 * otherwise. */
typedef struct checkpoint_writing {
    checkpoint *c;
    struct checkpoint_writing *next; /* the owner's; under the lock, as `first` */
    uint64_t batch;                  /* as in `p`; never changed, */
    bool is_full;                    /* nor is this */
    uint64_t ticket;
    size_t put_bytes; /* so many it had when it was put */
    bool was_told;    /* checkpoint_wait has given `error` */
    image *image;     /* owned */
    buf record;       /* owned */
    pointer p;        /* another one after a failure */
    err *error;       /* why it is not durable; owned */
    uint32_t parts;   /* of the finished image; 0: it is not */
    size_t bytes;
    int64_t took_ms;
} checkpoint_writing;

/* An object of the current chain. */
typedef struct chain_size {
    uint64_t batch, bytes;
} chain_size;

/* A full object that the base made of a state before: the chain begins there from now on. */
typedef struct stand_in {
    pthread_mutex_t lock; /* guards what follows */
    pointer at;
    uint32_t parts; /* 0: there is none that the owner has not seen */
    uint32_t last_part;
    uint64_t bytes; /* of the parts so far */
} stand_in;

struct checkpoint {
    checkpoint_config config; /* `name` is owned */
    char store_id[33];
    jobs *writer, *caretaker;
    spares *spares;                   /* owned */
    keeper *keeper;                   /* caretaker's, from checkpoint_open on */
    pthread_mutex_t lock;             /* guards the list of what is on its way */
    checkpoint_writing *first, *last; /* put and not committed, oldest first; owned */
    uint32_t underway;                /* so many */
    pointer renamed, renamed_to;      /* the writer's: the last one that failed, as it was called */
    err *broken;                      /* the writer's: why one failed for good; owned; all behind
                                         it fail so */
    atomic_bool gives_up;             /* nobody waits for what is on its way */
    pointer current;
    bool has_current;
    bool no_stand_ins; /* one is damaged: the next load passes them over */
    chain_size *chain; /* from the full one on; owned */
    uint32_t chain_length, chain_room;
    uint64_t delta_bytes; /* of the last delta */
    stand_in stand_in;
    uint64_t written_bytes, written_objects;
    int64_t put_ms;
};

/* The chain grows by one object; a full one is its beginning. */
void checkpoint_lengthen(checkpoint *c, const pointer *p, uint64_t bytes);

/* Take the oldest one off the list. thread: the owner's. */
checkpoint_writing *checkpoint_pop(checkpoint *c);
void checkpoint_writing_free(checkpoint_writing *w); /* NULL is allowed */

/* What every refusal of the chain ends with: `e` is taken and given back. */
err *checkpoint_way_out(err *e, const checkpoint *c);

/* Wait before the next try at a store that does not answer. ERR_STOPPED: asked to stop, or nobody
 * waits for it. thread: any. */
err *checkpoint_rest(const checkpoint *c, uint32_t tries);
