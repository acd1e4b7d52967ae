#pragma once
/* What Lua calls to play a pipeline: the module "sluice.test.host", for lua/sluice/test/driver.lua,
 * which checks all arguments before. Functions of a pipeline that fail give nil and a message.
 *
 *   open { path = | plan =, sets = {…}, params = {…}, workers =, now =, jit_off = } → p, a userdata
 *   feed(p, topic, partition, { value =, key =, headers = { { name, value }, … }, time =,
 *        offset = })
 *   partitions(p, topic, count): it has as many
 *   run(p) → batches; finish(p); advance(p, ms); now(p) → ms; close(p)
 *   take(p, sink) → { { key =, value =, headers = { { name, value }, … } }, … } since the last take
 *   describe(p), metrics(p) → JSON
 *
 * What they do is in the kit, behind specs_ops. thread: main. */
#include <lua.h>

#include "runtime/script/specs.h"

/* Push the module's loader. The module begins a kit, which ends with the state. */
void specs_host_push(lua_State *L, const specs_ops *ops);
