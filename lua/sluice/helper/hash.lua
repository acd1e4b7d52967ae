--- `sluice.hash`: hashes of texts, the same on every machine. nil gives nil.
-- @module sluice.hash

local ffi = require "ffi"

local binary = require "sluice.helper.binary"
local options = require "sluice.options"

local hash = {}

local HEX = ffi.new "char[64]"

local function refuse(name, given)
   error(("sluice.hash.%s takes text, got %s"):format(name, options.show(given)), 3)
end

--- XXH3, fast and well spread: a whole number from 0 to 2^53 - 1, the upper 53 bits of
-- its 64, for samples, buckets and int64 columns.
-- @tparam ?string given
-- @treturn ?integer
-- @usage stream:filter(function(row) return sluice.hash.xxh3(row.user_id) % 100 < 5 end)
function hash.xxh3(given)
   if given == nil then return nil end
   if type(given) ~= "string" then refuse("xxh3", given) end
   return (binary.sl_hash_xxh3(given, #given))
end

--- SHA-256, as 64 hex digits.
-- @tparam ?string given
-- @treturn ?string
-- @usage stream:derive { user = sluice.string(function(row)
--   return sluice.hash.sha256(row.email) end) }
function hash.sha256(given)
   if given == nil then return nil end
   if type(given) ~= "string" then refuse("sha256", given) end
   binary.sl_hash_sha256(given, #given, HEX)
   return (ffi.string(HEX, 64))
end

return hash
