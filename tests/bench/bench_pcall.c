/* The baseline: what the fold of the article's query costs when a host calls Lua once a record.
 *
 *     bench_pcall [MILLION ROWS]
 *
 *   table    the row as a Lua table made for each call, the state a Lua table
 *   cdata    pointers to both, cast by the callee
 *   vector   one call for 2048 rows, as sluice does, the loop written by hand
 *
 * Prints a JSON line: best and median ns a row of each. All three must give the same state. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { VECTOR = 2048,
       GROUPS = 8,
       RUNS = 15 };

typedef struct row {
    int64_t ts;
    double amount;
    const char *event_id, *user_id, *event_type;
} row;

typedef struct state {
    double count, sum, lo, hi, seen;
} state;

static const char SCRIPT[] =
    "local ffi = require 'ffi'\n"
    "ffi.cdef [[ typedef struct { int64_t ts; double amount; const char *a, *b, *c; } bench_row;\n"
    "            typedef struct { double count, sum, lo, hi, seen; } bench_state; ]]\n"
    "local rows_of, states_of = ffi.typeof 'bench_row *', ffi.typeof 'bench_state **'\n"
    "local state_of = ffi.typeof 'bench_state *'\n"
    "local min, max = math.min, math.max\n"
    "function fold(a, row)\n"
    "   a.count = a.count + 1\n"
    "   local x = row.amount\n"
    "   if x then\n"
    "      a.sum = a.sum + x\n"
    "      a.lo, a.hi, a.seen = min(a.lo, x), max(a.hi, x), a.seen + 1\n"
    "   end\n"
    "end\n"
    "local fold = fold\n"
    "function fold_cast(a, row) fold(ffi.cast(state_of, a), ffi.cast(rows_of, row)) end\n"
    "function fold_vector(states, rows, count)\n"
    "   states, rows = ffi.cast(states_of, states), ffi.cast(rows_of, rows)\n"
    "   for i = 0, count - 1 do fold(states[i], rows[i]) end\n"
    "end\n"
    "states = {}\n"
    "for g = 1, 8 do\n"
    "   states[g] = { count = 0, sum = 0, lo = math.huge, hi = -math.huge, seen = 0 }\n"
    "end\n";

static lua_State *L;
static row rows[VECTOR];
static state states[GROUPS], *state_of[VECTOR];

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void call(int arguments) {
    if (!lua_pcall(L, arguments, 0, 0)) return;
    fprintf(stderr, "bench_pcall: %s\n", lua_tostring(L, -1));
    exit(1);
}

static void set_text(const char *name, const char *text) {
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

static void by_table(void) {
    lua_getglobal(L, "states");
    int all = lua_gettop(L);
    for (int i = 0; i < VECTOR; i++) {
        lua_getglobal(L, "fold");
        lua_rawgeti(L, all, (int)(state_of[i] - states) + 1);
        lua_createtable(L, 0, 5);
        set_text("event_id", rows[i].event_id);
        set_text("user_id", rows[i].user_id);
        set_text("event_type", rows[i].event_type);
        lua_pushnumber(L, rows[i].amount);
        lua_setfield(L, -2, "amount");
        lua_pushnumber(L, (double)rows[i].ts);
        lua_setfield(L, -2, "ts");
        call(2);
    }
    lua_pop(L, 1);
}

static void by_cdata(void) {
    for (int i = 0; i < VECTOR; i++) {
        lua_getglobal(L, "fold_cast");
        lua_pushlightuserdata(L, state_of[i]);
        lua_pushlightuserdata(L, &rows[i]);
        call(2);
    }
}

static void by_vector(void) {
    lua_getglobal(L, "fold_vector");
    lua_pushlightuserdata(L, state_of);
    lua_pushlightuserdata(L, rows);
    lua_pushinteger(L, VECTOR);
    call(3);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void fill(void) {
    static const char *const types[GROUPS] = {
        "ride_requested",
        "driver_assigned",
        "driver_arrived",
        "ride_started",
        "ride_completed",
        "ride_cancelled",
        "payment_failed",
        "heartbeat",
    };
    for (int i = 0; i < VECTOR; i++) {
        char text[64];
        snprintf(text, sizeof text, "ride-%016x-%016x", rand(), i);
        rows[i].event_id = strdup(text);
        snprintf(text, sizeof text, "user-%012d", rand() % 1000000);
        rows[i].user_id = strdup(text);
        rows[i].event_type = types[rand() % GROUPS];
        rows[i].amount = (double)(rand() % 10000) / 100;
        rows[i].ts = 1700000000000 + i;
        for (int g = 0; g < GROUPS; g++)
            if (rows[i].event_type == types[g]) state_of[i] = &states[g];
    }
    for (int g = 0; g < GROUPS; g++) states[g] = (state){ .lo = INFINITY, .hi = -INFINITY };
}

static void measure(const char *name, void (*run)(void), int vectors) {
    double ns[RUNS];
    for (int r = -1; r < RUNS; r++) { /* the first run warms up */
        double start = now_ns();
        for (int v = 0; v < vectors; v++) run();
        if (r >= 0) ns[r] = (now_ns() - start) / VECTOR / vectors;
    }
    qsort(ns, RUNS, sizeof *ns, ascending);
    printf("\"%s\": {\"best\": %.2f, \"median\": %.2f}, ", name, ns[0], ns[RUNS / 2]);
}

/* Field `name` of state `group` that by_table has filled. */
static double table_state(int group, const char *name) {
    lua_getglobal(L, "states");
    lua_rawgeti(L, -1, group + 1);
    lua_getfield(L, -1, name);
    double value = lua_tonumber(L, -1);
    lua_pop(L, 3);
    return value;
}

/* by_cdata and by_vector have both run as often as by_table. */
static void check(void) {
    for (int g = 0; g < GROUPS; g++) {
        bool same = states[g].count == 2 * table_state(g, "count") &&
                    states[g].lo == table_state(g, "lo") && states[g].hi == table_state(g, "hi") &&
                    fabs(states[g].sum / table_state(g, "sum") - 2) < 1e-9;
        if (same) continue;
        fprintf(stderr, "bench_pcall: the ways disagree on group %d\n", g);
        exit(1);
    }
}

int main(int argc, char **argv) {
    int vectors = (int)((argc > 1 ? atof(argv[1]) : 0.5) * 1e6 / VECTOR) + 1;
    L = luaL_newstate();
    luaL_openlibs(L);
    if (luaL_dostring(L, SCRIPT)) return fprintf(stderr, "%s\n", lua_tostring(L, -1)), 1;
    fill();
    printf("{");
    measure("table", by_table, vectors);
    measure("cdata", by_cdata, vectors);
    measure("vector", by_vector, vectors);
    check();
    printf("\"rows\": %d}\n", vectors * VECTOR);
    lua_close(L);
    return 0;
}
