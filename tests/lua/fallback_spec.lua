local fallback = require "sluice.fallback"

describe("fallback", function()
   -- A watch that gets no events but the test's own.
   local function quiet(list)
      local watch = fallback.watch({}, list)
      jit.attach(watch.listen)
      watch.aborts, watch.changed = {}, false
      return watch
   end

   it("copes with a place that is outside of the code", function()
      local function fn(row) return row end
      local watch = quiet({ { fn = function() end, what = "filter",
         line = "rides.lua:1" } })
      watch:event("start", 1, fn, 0)
      assert.has_no.errors(function() watch:event("abort", 1, fn, 99999, 7) end)
      assert.is_nil(watch.aborts[fn].seen.at.line)
      assert.is_nil(watch:function_at(watch.aborts[fn].seen.at))
      assert.same({}, watch:poll())
   end)

   it("throws nothing inside of an event of the VM", function()
      local watch = quiet {}
      watch.event = function() error "wrong" end
      assert.has_no.errors(function() watch.listen("start") end)
   end)
end)
