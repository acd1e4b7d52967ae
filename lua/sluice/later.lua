--- Words of the public surface that a later release brings: a script that uses one hears
-- "not yet", not "unknown".
-- @module sluice.later

local place = require "sluice.place"

local later = {}

local function set(words)
   local found = {}
   for word in words:gmatch("%S+") do found[word] = true end
   return found
end

--- What `sluice.NAME` will be.
later.CONSTRUCTORS = set [[postgres http]]

--- Methods of a stream.
later.METHODS = set [[avro protobuf json_schema process
   join table lookup]]

--- Raise when a word is one of a later release.
-- @tparam table words one of this module's sets
-- @tparam string word as written
-- @tparam string shown how to call it in the message
-- @raise when it is
function later.refuse(words, word, shown)
   if words[word] then
      place.fail(nil, "not yet: `%s` comes with a later release", shown)
   end
end

return later
