#include "runtime/script/tidy.h"

#include "runtime/base/clock.h"
#include "runtime/script/host.h"

enum { STEP_KIB = 16, /* as if so much had been allocated: some 0.03 ms of work */
       MOST_NS = 2000000,
       LEAST_BYTES = 1 << 20 }; /* of garbage: less is not worth a collection */

/* Half of the garbage that LuaJIT lets come together. */
static size_t much(const script *s) {
    size_t half = s->kept_bytes / 200 * (size_t)(s->pause_percent - 100);
    return half > LEAST_BYTES ? half : LEAST_BYTES;
}

/* LuaJIT has collected by itself. */
static void note_own(script *s) {
    if (s->is_tidying && s->used_bytes + much(s) / 2 < s->untidy_bytes) {
        s->is_tidying = false;
        s->kept_bytes = s->used_bytes;
    }
    if (s->used_bytes < s->kept_bytes) s->kept_bytes = s->used_bytes;
}

bool script_wants_tidy(script *s) {
    if (!s->pause_percent) return false; /* somebody else's state */
    note_own(s);
    return s->is_tidying || s->used_bytes > s->kept_bytes + much(s);
}

void script_tidy(script *s) {
    int64_t until_ns = clock_steady_ns() + MOST_NS;
    do {
        s->is_tidying = !lua_gc(s->L, LUA_GCSTEP, STEP_KIB);
    } while (s->is_tidying && clock_steady_ns() < until_ns);
    s->untidy_bytes = s->used_bytes;
    if (!s->is_tidying) s->kept_bytes = s->used_bytes;
}
