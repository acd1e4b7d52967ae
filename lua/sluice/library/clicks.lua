--- Clicks: visits of pages, by users of whom a few visit most.
-- @module sluice.library.clicks

local field = require "sluice.field"

local clicks = { time = "ts", required = "user_id" }

local PAGES = { "/", "/search", "/item", "/cart", "/checkout", "/help" }
local REFERRERS = { "search", "mail", "ad" }
local USERS = 5000
local DIRECT = 0.4

--- The schema, in order.
-- @treturn table fields
function clicks.fields()
   local text, int32, int64 = field.constructor "string", field.constructor "int32",
      field.constructor "int64"
   return {
      text "click_id":required(), text "user_id":required(), text "page":required(),
      text "referrer", int32 "duration_ms", int64 "ts":required(),
   }
end

--- Event i.
-- @tparam integer i from 0
-- @tparam function random as in a generator
-- @tparam integer time_ms event time
-- @treturn table
function clicks.row(i, random, time_ms)
   local x = random()
   local user = math.floor(USERS * x * x * x) + 1 -- the cube: an eighth visits half
   local page = PAGES[random(#PAGES)]
   local referrer = random() >= DIRECT and REFERRERS[random(#REFERRERS)] or nil
   return {
      click_id = "c-" .. i, user_id = "u-" .. user, page = page, referrer = referrer,
      duration_ms = random(50, 60000), ts = time_ms,
   }
end

return clicks
