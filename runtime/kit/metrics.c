#include "runtime/kit/metrics.h"

static void put_number(lua_State *L, const char *name, uint64_t value) {
    lua_pushnumber(L, (lua_Number)value);
    lua_setfield(L, -2, name);
}

static void put_watermark(lua_State *L, int64_t time_ms) {
    if (time_ms == WATERMARK_ENDED) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, "ended");
    } else if (time_ms != WATERMARK_NONE) {
        lua_pushnumber(L, (lua_Number)time_ms);
        lua_setfield(L, -2, "watermark");
    }
}

/* Put the table at the top into the one below it, by `name`. */
static void put_under(lua_State *L, const sl_string *name) {
    lua_pushlstring(L, name->data, name->len);
    lua_insert(L, -2);
    lua_settable(L, -3);
}

static void put_source(lua_State *L, const input *in) {
    const source_counters *c = &in->counters;
    lua_createtable(L, 0, 10);
    put_number(L, "read", c->read);
    put_number(L, "passed", c->passed);
    put_number(L, "filtered", c->filtered);
    put_number(L, "duplicate", c->duplicate);
    put_number(L, "late", c->late);
    put_number(L, "quarantined", c->quarantined);
    put_number(L, "skipped", c->skipped);
    put_number(L, "late_windows", c->late_windows);
    put_number(L, "partly_quarantined", c->partly_quarantined);
    put_watermark(L, in->watermark.time);
    put_under(L, &in->plan->name);
}

static void put_sink(lua_State *L, const out_sink *s) {
    lua_createtable(L, 0, 3);
    put_number(L, "rows", s->counters.rows);
    put_number(L, "retracted", s->counters.retracted);
    put_number(L, "refused", s->counters.refused);
    put_under(L, &s->plan->name);
}

void kit_push_metrics(lua_State *L, const pipeline *p) {
    lua_createtable(L, 0, 4);
    lua_newtable(L);
    for (uint32_t i = 0; i < p->input_count; i++) put_source(L, &p->inputs[i]);
    lua_setfield(L, -2, "sources");
    lua_newtable(L);
    for (uint32_t i = 0; i < p->out.count; i++) put_sink(L, &p->out.sinks[i]);
    lua_setfield(L, -2, "sinks");
    lua_newtable(L);
    for (uint32_t a = 0; a < p->plan->aggregate_count; a++) {
        lua_newtable(L);
        put_watermark(L, p->stages.aggregates[a].watermark);
        put_under(L, &p->plan->aggregates[a].name);
    }
    lua_setfield(L, -2, "aggregates");
    lua_newtable(L);
    put_number(L, "batches", p->counters.batches);
    put_number(L, "empty", p->counters.empty_batches);
    put_number(L, "nulled", p->counters.nulled_numbers);
    lua_setfield(L, -2, "run");
}
