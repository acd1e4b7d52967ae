#include "runtime/script/limit.h"

#include <lauxlib.h>

#include "runtime/base/mem.h"

enum { MIB = 1 << 20,
       GARBAGE = 8 * MIB };

/* Set by the allocator once it has refused; strikes at every instruction. */
static void break_greedy(lua_State *L, lua_Debug *ar) {
    (void)ar;
    const script *s = host_script(L);
    char place[256];
    host_user_place(L, place, sizeof place);
    lua_pushfstring(L, "%s: interrupted: it asks for more than script_memory = %d MiB",
                    place[0] ? place : s->options.path, (int)(s->limit_bytes / MIB));
    lua_error(L);
}

/* The place is not asked for in calls: below compiled code frames cannot be read. */
static void refuse(script *s, size_t asked) {
    if (!s->L) return;
    if (s->loading) {
        host_user_place(s->L, s->refused_at, sizeof s->refused_at);
        return;
    }
    s->asked_bytes = asked;
    lua_sethook(s->L, break_greedy, LUA_MASKCOUNT, 1);
}

/* What the hook itself needs, and what unwinds, is given: it is little. */
static bool is_too_much(const script *s, size_t used, size_t more) {
    if (!s->limit_bytes || used <= s->limit_bytes) return false;
    return !s->asked_bytes || used > s->limit_bytes + s->limit_bytes / 16 || more > MIB;
}

static void *give(const script *s, void *memory, size_t old_len, size_t new_len) {
    if (s->heap) return s->heap(s->heap_arg, memory, old_len, new_len);
    if (new_len) return mem_realloc(memory, new_len);
    mem_free(memory);
    return NULL;
}

/* lua_Alloc. */
static void *allocate(void *arg, void *memory, size_t old_len, size_t new_len) {
    script *s = arg;
    if (!memory) old_len = 0;
    if (!new_len) {
        s->used_bytes -= old_len;
        return give(s, memory, old_len, 0);
    }
    size_t used = s->used_bytes - old_len + new_len;
    if (new_len > old_len && is_too_much(s, used, new_len - old_len)) {
        refuse(s, new_len);
        return NULL;
    }
    void *given = give(s, memory, old_len, new_len);
    if (given) s->used_bytes = used;
    return given;
}

void limit_open(script *s) {
    if (mem_is_checked()) {
        s->L = lua_newstate(allocate, s);
        return;
    }
    s->L = luaL_newstate();
    if (!s->L) mem_exhausted(64 << 10);
    s->heap = lua_getallocf(s->L, &s->heap_arg);
    s->used_bytes = ((size_t)lua_gc(s->L, LUA_GCCOUNT, 0) << 10) +
                    (size_t)lua_gc(s->L, LUA_GCCOUNTB, 0);
    lua_setallocf(s->L, allocate, s);
}

/* LuaJIT gives back what its own allocator holds if it is the state's at the end. */
void limit_close(script *s) {
    if (s->heap) lua_setallocf(s->L, s->heap, s->heap_arg);
    lua_close(s->L);
}

/* Say how far memory may grow from what is held before LuaJIT collects: to twice as much, and not
 * up to the limit. Functions keep nothing, and a collection costs what is held, plan and library,
 * some 2 MB: where that is all it waits for more. Nexmark's q19 (lists from Lua) takes
 * 20 % less CPU so, q14 (text) 10 %; with twice the garbage it is hardly less, what is swept has
 * left the caches. */
static void set_pause(script *s, size_t held) {
    size_t room = s->limit_bytes / 4 * 3;
    size_t to = held < GARBAGE ? held + GARBAGE : held * 2;
    int percent = (int)((to < room ? to : room) * 100 / held);
    if (percent < 105) percent = 105;
    s->pause_percent = percent;
    lua_gc(s->L, LUA_GCSETPAUSE, percent);
}

static void collect(script *s) {
    lua_gc(s->L, LUA_GCCOLLECT, 0);
    s->kept_bytes = s->used_bytes;
    s->is_tidying = false;
    set_pause(s, s->kept_bytes);
}

void limit_before(script *s) {
    s->asked_bytes = 0;
    if (!s->limit_bytes || s->used_bytes < s->limit_bytes / 2) return;
    if (s->used_bytes > s->kept_bytes / 4 * 5) collect(s);
}

static void tell(script *s) {
    buf_reset(&s->message);
    host_put_call(s, &s->message);
    buf_printf(&s->message,
               ": it asks for more memory than script_memory = %zu MiB allows: %zu MiB at once, "
               "where %zu MiB are held",
               s->limit_bytes / MIB, (s->asked_bytes + MIB - 1) / MIB, s->used_bytes / MIB);
    buf_text(&s->message);
}

int limit_after(script *s, int status) {
    if (!s->asked_bytes) return status;
    lua_sethook(s->L, NULL, 0, 0);
    bool has_place = status == LUA_ERRRUN;
    if (!has_place) tell(s);
    if (!status) buf_reset(&s->frames);
    buf_text(&s->frames);
    collect(s);
    return status ? status : LUA_ERRMEM;
}

err *limit_begin(script *s) {
    s->limit_bytes = (size_t)s->plan->script_memory_bytes;
    set_pause(s, s->used_bytes);
    s->kept_bytes = s->used_bytes;
    if (s->used_bytes > s->limit_bytes / 4) collect(s);
    if (s->used_bytes <= s->limit_bytes / 4 * 3) return NULL;
    return err_new(ERR_PLAN,
                   "%s: %zu MiB are held once it is loaded, of script_memory = %zu MiB: "
                   "calls would have too little, give more",
                   s->options.path, s->used_bytes / MIB, s->limit_bytes / MIB);
}
