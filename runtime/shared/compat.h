#pragma once
/* Whether stored state goes with a script, and how: what lua/sluice/compat.lua finds when it
 * compares the shape of the state (sl_checkpoint.shape) that was stored with the script's own. */
#include "runtime/shared/types.h"

enum sl_compat_verdict {
    SL_COMPAT_SAME = 0, /* everything is laid out alike */
    SL_COMPAT_ACCEPTED, /* `changes` says what becomes of each table */
    SL_COMPAT_REFUSED,  /* the state cannot be used: ERR_REFUSED */
};

enum sl_fate {
    SL_FATE_SAME = 0, /* to be loaded as it is */
    SL_FATE_MAPPED,   /* to be loaded by the map */
    SL_FATE_GONE,     /* nothing of the script has it any more: to be left out */
};

/* A table of the stored state, and how members of its layout lie in the new one (layout_map of
 * state/image.h). Members that are new start as state_init says; others go. */
typedef struct sl_table_change {
    sl_string section; /* "aggregate NAME", "sent NAME", "distinct NAME" */
    int32_t fate;      /* sl_fate */
    uint32_t run_count;
    const uint32_t *from, *to, *sizes; /* run_count of each: bytes of the states; without parts */
    const int32_t *parts;              /* by part of the old layout: number in the new; -1: gone */
    uint32_t part_count;               /* of the old layout */
    uint32_t migrates;                 /* MAPPED: 1: behind the map, a function of the script */
} sl_table_change;

/* What is new in an aggregation that has a `backfill`: to be filled with rows read again. */
typedef struct sl_fill {
    uint32_t aggregate;         /* index into the plan's */
    uint32_t is_whole;          /* 1: the stage is new, groups are, too; else only these: */
    uint32_t run_count;         /* bytes of a state, without parts: */
    uint32_t part_count;        /* and parts: */
    const uint32_t *at, *sizes; /* run_count of each */
    const uint32_t *parts;      /* byte offsets of sl_part members */
} sl_fill;

typedef struct sl_compat {
    int32_t verdict;                /* sl_compat_verdict */
    uint32_t loses;                 /* ACCEPTED: 1: some state has no place in the script */
    uint32_t fill_count;            /* ACCEPTED: of aggregations that want it */
    uint32_t change_count;          /* ACCEPTED: as many as there are tables of the stored shape */
    const sl_table_change *changes; /* a stored table that is not here: as it is */
    const sl_fill *fills;
    sl_string message;  /* lines; ACCEPTED: to be logged, perhaps empty */
    sl_string ways_out; /* REFUSED: what can be done */
} sl_compat;

/* States of a table that functions of the script make of old ones. */
typedef struct sl_migration {
    uint32_t count;         /* states */
    uint32_t at;            /* out: the one being worked on */
    const void *const *old; /* `count` states in the old layout, only read */
    void *const *states;    /* of each the new one, by the map or as state_init */
} sl_migration;
