--- Where the functions of `runtime/shared/helper.h` are: in the binary. Specs run in
-- plain LuaJIT: they get a library that the build makes of the same sources.
-- @module sluice.helper.binary

local ffi = require "ffi"

local cdef = require "sluice.cdef"

cdef.load()

local function has_helpers(namespace)
   return (pcall(function() return namespace.sl_regex_new end))
end

if has_helpers(ffi.C) then return ffi.C end

local here = debug.getinfo(1, "S").source:match "^@(.*)lua/sluice/helper/binary%.lua$"
return ffi.load((here or "") .. "build/release/libsluice_helper.so")
