--- Output of `sluice test --json`: one object, when all is done.
-- @module sluice.test.json_report

local json = require "sluice.test.json"

local function list_of(handler, name, status, into)
   for _, one in ipairs(handler[name]) do
      local trace = one.trace or {}
      into[#into + 1] = {
         name = one.name, status = status, file = (trace.source or ""):gsub("^@", ""),
         line = trace.currentline,
         message = status ~= "passed" and one.message and tostring(one.message) or nil,
         ms = one.element and one.element.duration
            and math.floor(one.element.duration * 1e6 + 0.5) / 1000 or nil,
      }
   end
end

return function()
   local busted = require "busted"
   local handler = require "busted.outputHandlers.base"()

   handler.suiteEnd = function()
      local tests = setmetatable({}, json.LIST)
      list_of(handler, "successes", "passed", tests)
      list_of(handler, "pendings", "pending", tests)
      list_of(handler, "failures", "failed", tests)
      list_of(handler, "errors", "error", tests)
      io.write(json.encode { passed = handler.successesCount,
         failed = handler.failuresCount + handler.errorsCount,
         pending = handler.pendingsCount, tests = tests }, "\n")
      return nil, true
   end

   busted.subscribe({ "suite", "end" }, handler.suiteEnd)
   return handler
end
