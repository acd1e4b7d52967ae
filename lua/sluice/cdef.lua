--- The shared headers as LuaJIT sees them: the only caller of `ffi.cdef`.
-- @module sluice.cdef

local ffi = require "ffi"

local cdef = {}

-- runtime/shared, in the order in which they build on each other.
local HEADERS = {
   "types.h", "nested.h", "row.h", "vector.h", "sketch.h", "helper.h",
   "checkpoint.h", "compat.h", "source.h", "output.h", "step.h", "plan.h",
}

-- The checkout's headers, for tests that run without the binary.
local function read_headers()
   local here = debug.getinfo(1, "S").source:match "^@(.*)lua/sluice/cdef%.lua$"
   assert(here, "the host gives the texts of the headers")
   local headers = {}
   for i, name in ipairs(HEADERS) do
      local file = assert(io.open(here .. "runtime/shared/" .. name))
      headers[i] = { name = name, text = file:read "*a" }
      file:close()
   end
   return headers
end

--- What stands in a header without its directives.
-- @tparam string text of a header
-- @treturn string the same lines, those that begin with # empty
function cdef.declarations(text)
   return (("\n" .. text):gsub("\n%s*#[^\n]*", "\n"))
end

--- Declare everything in the shared headers, once in a Lua state.
-- The texts are the binary's, or the checkout's.
-- @usage cdef.load()
function cdef.load()
   if pcall(ffi.typeof, "sl_vector") then return end
   local built_in, headers = pcall(require, "sluice.headers")
   for _, header in ipairs(built_in and headers or read_headers()) do
      local right, message = pcall(ffi.cdef, cdef.declarations(header.text))
      if not right then error(header.name .. ": " .. message, 0) end
   end
end

return cdef
