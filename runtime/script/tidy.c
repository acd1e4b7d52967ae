#include "runtime/script/tidy.h"

#include "runtime/script/host.h"

enum { STEP_KIB = 64, /* as if so much had been allocated: some 0.1 ms of work */
       MOST_STEPS = 16 };

bool script_wants_tidy(const script *s) {
    if (s->is_tidying || !s->garbage_bytes) return s->is_tidying;
    return s->used_bytes > s->kept_bytes + s->garbage_bytes / 2;
}

void script_tidy(script *s) {
    s->is_tidying = true;
    for (uint32_t i = 0; i < MOST_STEPS && s->is_tidying; i++)
        s->is_tidying = !lua_gc(s->L, LUA_GCSTEP, STEP_KIB);
    if (!s->is_tidying) s->kept_bytes = s->used_bytes;
}
