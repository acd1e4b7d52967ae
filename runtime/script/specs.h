#pragma once
/* Running busted specs in this process: a Lua state of its own, unrestricted, with the library and
 * the module that plays pipelines in it. What playing one means is the kit's, behind specs_ops, so
 * that only this folder knows lua_State. thread: main. */
#include "runtime/script/script.h"
#include "runtime/shared/connect.h"

typedef struct specs_options {
    const char *library;      /* folder of sluice/init.lua (SLUICE_LUA); NULL: built in */
    const char *const *words; /* files, folders and options of busted; borrowed */
    int count;
} specs_options;

/* A pipeline that a spec opens. */
typedef struct specs_opening {
    const script_options *script; /* path and overrides outlive the pipeline */
    script *guest;                /* of the specs' own state; taken, on error too. NULL: none */
    uint32_t workers;             /* > 0 */
    int64_t now_ms;               /* where the manual clock stands */
} specs_opening;

typedef struct specs_ops {
    void *(*begin)(void);   /* before the first pipeline; owned by the caller */
    void (*end)(void *kit); /* behind the last */
    struct err *(*open)(void *kit, const specs_opening *opening, void **played);
    void (*close)(void *played);
    /* Append a record (copied) to a partition, which is made; offset -1: the next. */
    void (*feed)(void *played, const char *topic, uint32_t partition, const sl_record *r);
    void (*partitions)(void *played, const char *topic, uint32_t count);
    struct err *(*run)(void *played, uint32_t *batches);
    struct err *(*finish)(void *played);
    /* Stop between two batches, and go on as another process: from the checkpoint, in the same
     * topics, by the same clock (`now_ms` is not looked at). */
    struct err *(*restart)(void *played, const specs_opening *opening);
    /* Let another script take over between two batches. An error: the old one goes on. */
    struct err *(*reload)(void *played, const specs_opening *opening);
    /* The next batch dies at `step`, one of `steps`: run and finish give ERR_CRASHED, and restart
     * must follow. */
    void (*crash)(void *played, const char *step);
    const char *const *steps; /* of a batch, in their order; NULL ends the list */
    void (*advance)(void *played, int64_t ms);
    int64_t (*now)(void *played);
    /* Message `i` that a sink got since `forget`, borrowed until then; false: there is none. */
    bool (*message)(void *played, uint32_t sink, uint32_t i, sl_message *m);
    void (*forget)(void *played, uint32_t sink);
    struct err *(*describe)(void *played, const char **json); /* borrowed until the next call */
    const char *(*metrics)(void *played);                     /* likewise */
} specs_ops;

/* Run them; `code`: 0 all passed, 1 some did not, 2 they could not be run (said on stderr). */
struct err *specs_run(const specs_options *options, const specs_ops *ops, int *code);
