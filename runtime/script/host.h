#pragma once
/* The inside of a script, shared by the files of this folder only. */
#include <lua.h>

#include "runtime/base/buf.h"
#include "runtime/script/script.h"
#include "runtime/script/traces.h"
#include "runtime/script/watchdog.h"

/* Fixed places of the state's stack between calls. */
enum { HOST_HANDLER = 1,
       HOST_DRIVERS,
       HOST_LOADED,
       HOST_TOP = HOST_LOADED };

/* What the script has printed. */
typedef struct prints {
    uint64_t shown;   /* lines in all */
    uint64_t dropped; /* since the last line */
    int64_t last_ms;  /* steady clock: when that was */
} prints;

struct script {
    lua_State *L;           /* owned; of a guest: a thread of the host's state */
    int anchor;             /* of a guest: keeps that thread, in the registry; LUA_NOREF: none */
    script_options options; /* strings borrowed */
    const sl_plan *plan;    /* memory of the state */
    sl_vector *vector;      /* owned */
    watchdog *dog;          /* owned; NULL: nobody watches */
    traces *traces;         /* owned; NULL: likewise */
    uint32_t driver;        /* being run; UINT32_MAX: something else */
    uint32_t failed;        /* the one that was run last; UINT32_MAX: nothing can be told of it */
    uint32_t driver_count;
    char **driver_names;  /* owned, `driver_count` of them, for messages: lines, the driver and
                             then each user function in it by its number */
    char **files;         /* paths of the script and of what it required, in order; owned */
    uint32_t file_count;  /* 0: it is not from files */
    buf source;           /* their texts, each behind a line that names it; worker 0's only */
    uint64_t hash;        /* FNV-1a of the script and what it required, in order */
    uint64_t fingerprint; /* FNV-1a of the explained plan */
    /* told of calls that take too long, in place of on_stuck; NULL: nobody */
    script_stuck *beside;
    void *beside_arg;
    /* limits while loading */
    bool loading;
    /* LuaJIT's allocator; NULL: base's */
    void *(*heap)(void *arg, void *memory, size_t old_len, size_t new_len);
    void *heap_arg;
    size_t used_bytes;   /* held by the state */
    size_t limit_bytes;  /* 0: none; while loading, and then script_memory */
    int pause_percent;   /* of what is kept may be held before LuaJIT collects */
    size_t kept_bytes;   /* held behind the last collection that is known, or when it was loaded */
    size_t untidy_bytes; /* held when tidying was left */
    bool is_tidying;     /* a collection has begun between batches (tidy.h) */
    size_t asked_bytes;  /* that were refused in the call that is on, or was; 0: none were */
    void *again_rows;    /* of the vector, and the row in it, that is run again; NULL: none is */
    uint32_t again_at;
    int64_t deadline_ms;  /* clock_thread_ms */
    bool stopped;         /* the stop flag ended the loading */
    bool was_interrupted; /* a call took longer than it may */
    char late_at[256];    /* file:line at which the time was over; "": it was not */
    char tried[256];      /* "filter at FILE:LINE" while it runs on made-up rows; "": none does */
    char refused_at[256]; /* file:line at which the allocator refused; "": it did not */
    prints prints;
    /* results */
    buf message; /* of the last failure, NUL-terminated */
    buf frames;  /* traceback of the last failure, NUL-terminated */
    buf text;    /* of script_explain, script_event, script_warnings */
};

/* The script that a state belongs to; not for guests. */
script *host_script(lua_State *L);

/* The script of the function that runs: its first upvalue (load.c pushes them so). */
script *host_of(lua_State *L);

/* Write file:line of the innermost frame of the user's code into `place` ("" when there is
 * none). */
void host_user_place(lua_State *L, char *place, size_t room);

/* Append what is running: "filter rides.lua:27". `arg`: the script. For the watchdog's message,
 * too. thread: any; while another runs the call, it must be kept from returning: the vector stays,
 * its numbers may change meanwhile. */
void host_put_call(void *arg, buf *text);

/* Line `number` of a text, from 0; false: there is none, or it is empty. */
bool host_line(const char *text, uint32_t number, const char **line, size_t *len);

/* Call the function below `args` arguments at the top of the stack, watched; false: it threw, see
 * script_error. */
bool host_call(script *s, int args, int results);

/* The same as script_details of a host_call that failed: the line of the script, a hint. */
const char *host_details(script *s);

/* Call function `name` of the loaded script, whose arguments are at the top of the stack, for a
 * text: in `text` of the script. */
err *host_text(script *s, const char *name, int args, size_t *len);

static const uint64_t HOST_FNV_START = 0xcbf29ce484222325u;

/* FNV-1a, 64 bits (Fowler, Noll, Vo 1991), carried on from `hash`. */
uint64_t host_hash(uint64_t hash, const void *data, size_t len);
