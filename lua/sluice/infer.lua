--- `sluice schema infer`: from records to the draft of a script.
-- @module sluice.infer

local draft = require "sluice.infer.draft"
local json = require "sluice.infer.json"
local node = require "sluice.infer.node"

local infer = {}

local MOST_ODD, MOST_TEXT = 3, 80

--- Look at records.
-- @tparam {string,...} list where each lies and its value, in turns; "" for no value
-- @treturn table as `draft.text` takes it
function infer.look(list)
   local seen = { root = node.new(), count = #list / 2, nulls = 0, odd = {},
      odd_count = 0 }
   for i = 1, #list, 2 do
      local where, text = list[i], list[i + 1]
      local wrong = text ~= "" and json.see(text, seen.root, where)
      if text == "" then seen.nulls = seen.nulls + 1 end
      if wrong then
         seen.odd_count = seen.odd_count + 1
         if #seen.odd < MOST_ODD then
            seen.odd[#seen.odd + 1] = { what = wrong, where = where,
               text = text:sub(1, MOST_TEXT) }
         end
      end
   end
   return seen
end

local SOURCES = {
   topic = function(from, brokers)
      local more = brokers ~= "" and (", brokers = %q"):format(brokers) or ""
      return ('sluice.kafka { topics = %q, start = "earliest"%s }'):format(from, more)
   end,
   file = function(from) return ("sluice.file { path = %q }"):format(from) end,
}

--- Draft a script; for C.
-- @tparam string what "topic" or "file"
-- @tparam string from topic or path
-- @tparam string brokers "" where the default is meant
-- @tparam {string,...} list as for `look`
-- @treturn ?string nil when no record is a JSON object
-- @treturn ?string what is wrong
function infer.text(what, from, brokers, list)
   local seen = infer.look(list)
   if seen.root.objects == 0 then
      local first = seen.odd[1]
      return nil, ("%s: none of %d records is a JSON object%s"):format(from, seen.count,
         first and (": %s at %s: %s"):format(first.what, first.where, first.text) or "")
   end
   return draft.text(seen, from, SOURCES[what](from, brokers))
end

return infer
