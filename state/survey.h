#pragma once
/* What lies in a pipeline's part of a store, seen from outside: for the commands that look into it
 * and mend it. Nothing here writes but survey_remove. One owner; thread: the owner's. */
#include "state/chain.h"
#include "state/note.h"

typedef enum survey_role {
    SURVEY_UNKNOWN = 0, /* no chain was marked */
    SURVEY_CURRENT,     /* the object that the pointer names */
    SURVEY_CHAIN,       /* what is read before it */
    SURVEY_OLDER,       /* before the chain's full object: kept for history, or not yet removed */
    SURVEY_ORPHAN,      /* as new as the chain, and not of it: of a batch that was not committed */
} survey_role;

typedef struct survey_object {
    pointer p; /* partitions are not known */
    survey_role role;
    uint32_t parts; /* that are there */
    int64_t bytes, changed_ms;
    bool has_first; /* without its first part it is none */
} survey_object;

typedef struct survey_folder {
    uint64_t count;
    int64_t bytes;
} survey_folder;

typedef struct survey {
    survey_object *objects; /* by batch, then id; owned */
    uint32_t count;
    survey_folder plans, journals, scripts, commits;
    uint64_t journaled; /* records of batches up to this one are in journals */
    char store_id[33];  /* "": there is none */
    bool has_head;
    commit_note head; /* its copy, if has_head */
} survey;

/* List everything. A head that is damaged is as none. */
err *survey_open(store *s, const char *pipeline, survey *v);
void survey_done(survey *v);

/* Say of every object what it is to this chain, whose pointer is `p`. */
void survey_mark(survey *v, const chain *ch, const pointer *p);

/* Objects of that batch that begin with `id` ("": any), from *at on; NULL: no more. */
const survey_object *survey_find(const survey *v, uint64_t batch, const char *id, uint32_t *at);

/* Remove it. */
err *survey_remove(store *s, const char *pipeline, const survey_object *o);
