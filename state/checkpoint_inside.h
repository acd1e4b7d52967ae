#pragma once
/* What the files checkpoint*.c share. Two threads stand behind a checkpoint: `writer` puts the object
 * of the batch, `caretaker` does what may wait (keeper.h). */
#include "state/checkpoint.h"
#include "state/jobs.h"
#include "state/keeper.h"

/* An object on its way. Between checkpoint_put and jobs_wait it is the writer's. */
typedef struct checkpoint_writing {
    checkpoint *c;
    image *image; /* owned */
    buf record;   /* owned */
    pointer p;
    uint64_t ticket;
    err *error;     /* of the last try; owned */
    uint32_t parts; /* of the finished image; 0: it is not */
    size_t bytes;
    int64_t took_ms;
    bool is_durable;
} checkpoint_writing;

struct checkpoint {
    checkpoint_config config; /* `name` is owned */
    char store_id[33];
    jobs *writer, *caretaker;
    keeper *keeper;              /* caretaker's, from checkpoint_open on */
    checkpoint_writing *writing; /* owned; NULL: nothing is on its way */
    pointer current;
    bool has_current;
    uint32_t chain_length;
    uint64_t chain_bytes, full_bytes, delta_bytes; /* all, of the full one, of the last delta */
    uint64_t written_bytes, written_objects;
    int64_t put_ms;
};

/* What every refusal of the chain ends with: `e` is taken and given back. */
err *checkpoint_way_out(err *e, const checkpoint *c);

/* Wait before the next try at a store that does not answer. ERR_STOPPED: asked to stop. */
err *checkpoint_rest(const checkpoint *c, uint32_t tries);
