#pragma once
/* A user's script in a Lua state: loads it, holds the plan that Lua made of it, runs its
 * drivers. The only module (with its neighbours in this folder) that knows lua_State. Each
 * worker opens the script for itself; script_agree tells whether two came out the same.
 *
 * While a script loads, the JIT is off, a hook counts instructions and the allocator has a
 * limit, so that an endless loop or a huge allocation is a plain error. Afterwards a thread
 * beside each script watches for calls that never return: it breaks what runs in the
 * interpreter, and reports what it cannot break.
 *
 * thread: the opener's for all calls; `on_stuck` is called on the watching thread. */
#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/shared/compat.h"
#include "runtime/shared/plan.h"
#include "runtime/shared/vector.h"

typedef struct script script;

/* A call into Lua that takes longer than it may. `last`: it could not be interrupted; the
 * process cannot go on and the callee is expected to end it. thread: the watching one. */
typedef void script_stuck(void *arg, const char *message, bool last);

/* Before the last report, where the call works on a record of a source: which. `source`: its name;
 * `partition`: of the batch's. thread: the watching one. */
typedef void script_lost(void *arg, const char *source, uint32_t partition, int64_t offset,
                         const char *message);

typedef struct script_options {
    const char *path; /* of the script, copied: read unless `text` is set, named in messages */
    const char *text; /* not NULL: the script itself, `text_len` bytes */
    size_t text_len;
    const char *root;             /* folder of what it requires, with "/"; NULL: its own */
    const char *const *overrides; /* `--set`: "PATH=VALUE" each */
    uint32_t override_count;
    const char *const *params; /* `--param`: "NAME=VALUE" each */
    uint32_t param_count;
    bool shows_secrets;         /* look secrets up, for a run; else the plan has none */
    uint32_t worker;            /* its number, from 0 */
    const char *library;        /* folder of sluice/init.lua (SLUICE_LUA); NULL: built in */
    const volatile int *stop;   /* != 0: stop loading; may be NULL */
    bool jit_off;               /* the compiler stays off (tests) */
    bool timed;                 /* time the user's functions: script_timings */
    bool names_code;            /* name compiled code for perf: perf_map.h, which has begun */
    int64_t load_timeout_ms;    /* 0: 10 s */
    int64_t load_memory_bytes;  /* 0: 256 MiB; what a script may hold while it loads */
    int64_t call_timeout_ms;    /* 0: the plan's script_timeout */
    int64_t grace_ms;           /* from the first report to the last; 0: 1 s */
    script_stuck *on_stuck;     /* may be NULL: nobody watches */
    script_stuck *on_hung_load; /* in its place while the script loads; NULL: on_stuck */
    void *on_stuck_arg;         /* of all */
    script_lost *on_lost;       /* may be NULL; `on_stuck_arg` goes with it */
    logger *log;                /* where `print` goes; NULL: standard error */
} script_options;

/* Load the script, analyse, lower and inspect its plan, make its drivers. Everything wrong with
 * the script is ERR_PLAN with file:line, a file that cannot be read ERR_USAGE, a stop ERR_STOPPED.
 * Owned by the caller: script_close. Strings of the options are borrowed until then. */
err *script_open(const script_options *options, script **s);

/* Make a script of a sluice.pipeline that stands at the top of the stack of somebody else's state,
 * and pop it: its functions run there, in the open (specs of `sluice test`). Of the options, path,
 * overrides and library are heeded. The state outlives the script, or closes it. */
struct lua_State;
err *script_attach(struct lua_State *host, const script_options *options, script **s);
void script_close(script *s); /* NULL is allowed */

/* Whether it was attached. */
bool script_is_guest(const script *s);

/* Whether the files of the script are what they were when it was loaded. */
bool script_is_current(const script *s);

/* The text of the script and of what it required, in order, each behind a line
 * "-- FILE, BYTES bytes", then lines "-- parameter NAME=VALUE" of those that were set: what
 * sl_plan.script_hash is of. Worker 0's only; empty: not from files.
 * Borrowed until script_close. */
sl_string script_source(const script *s);

/* What the test kit needs to know of the plan, as JSON; borrowed as for script_explain. */
err *script_describe(script *s, const char **text);

/* The plan; borrowed until script_close. */
const sl_plan *script_plan(const script *s);

/* The vector that this script's drivers work on; cleared at first. Borrowed until script_close. */
sl_vector *script_vector(script *s);

/* Check that two workers' plans are the same: ERR_PLAN: it depends on something outside. */
err *script_agree(const script *a, const script *b);

/* Compare the shape of stored state (sl_checkpoint.shape of an earlier run) with this script's.
 * Borrowed until the next call. ERR_SCRIPT: not for what was stored, whatever it is. */
err *script_compat(script *s, const char *stored, const sl_compat **result);

/* The members of the states of a stored table, as lines (lua/sluice/compat/members.lua); "" when
 * the shape does not know it. `section`: "aggregate NAME" and the like. Borrowed as for
 * script_explain. */
err *script_members(script *s, const char *stored, const char *section, const char **text);

/* Run a driver over the vector: one lua_pcall. False: user code threw, see script_error. */
bool script_run(script *s, uint32_t driver);

/* What the last failed call threw, with file:line where Lua gave one. Borrowed until the next. */
const char *script_error(const script *s);

/* The user's frames of the last failed call, innermost first, a line each: "rides.lua:27: in
 * filter". */
const char *script_traceback(const script *s);

/* More on the last failed script_run, lines: the line of the script, a hint, the row. The vector
 * must be as it was left. "" when nothing is known. Borrowed until the next call. Costs a call
 * into Lua. */
const char *script_details(script *s);

/* Call `report` for every user function or driver loop that the JIT gave up on since the last
 * call. Text: what fell back, where, and why. Cheap when nothing new was compiled. */
typedef void script_fallback(void *arg, const char *text);
void script_fallbacks(script *s, script_fallback *report, void *arg);

/* How script_explain writes. */
typedef struct script_explanation {
    bool json, color;  /* color: for a terminal */
    const char *facts; /* what brokers said, JSON of connect's kafka_inspect.h; NULL: not asked */
    int64_t put_ms;    /* what a put into the checkpoint's store takes; < 0: not known */
    bool is_charged;   /* and whether it is billed */
} script_explanation;

/* What `sluice check` prints: the plan, every knob, what brokers said; warnings only in JSON.
 * Result in `text`, borrowed until the next call of script_explain, script_event or
 * script_warnings. ERR_SCRIPT when user code throws. */
err *script_explain(script *s, const script_explanation *wanted, const char **text);

/* How many warnings and errors script_explain told, those of brokers included. */
err *script_verdict(script *s, uint32_t *warnings, uint32_t *errors);

/* What is doubtful in the script but no error, a line each; "" when nothing is. Borrowed as
 * above. */
err *script_warnings(script *s, const char **text);

/* Make event `i` of a source for --embedded, as JSON: by the source's `events` function or from
 * its schema. The same for the same (`seed`, `i`, `now_ms`). Borrowed as above; `len` bytes. */
err *script_event(script *s, uint32_t source, int64_t i, int64_t seed, int64_t now_ms,
                  const char **text, size_t *len);

/* Version of the Lua implementation in use. */
const char *script_library_version(void);
