--- Rides: a request, then a start and an end or a cancellation, of drivers in cities; the
-- amount is known at the end.
-- @module sluice.library.rides

local field = require "sluice.field"

local rides = { time = "ts", required = "user_id" }

local TYPES = { "ride_requested", "ride_started", "ride_completed", "ride_cancelled" }
local CITIES = { "berlin", "lagos", "lima", "oslo", "rome", "tokyo" }
local DRIVERS, USERS = 200, 10000
local CANCELLED = 0.1
local LEAST_CENTS, MOST_CENTS = 300, 9000

--- The schema, in order.
-- @treturn table fields
function rides.fields()
   local text, double, int64 = field.constructor "string", field.constructor "double",
      field.constructor "int64"
   return {
      text "event_id":required(), text "user_id":required(), text "event_type":required(),
      text "driver_id", text "city", double "amount", int64 "ts":required(),
   }
end

--- Event i: three of a ride follow each other.
-- @tparam integer i from 0
-- @tparam function random as in a generator
-- @tparam integer time_ms event time
-- @treturn table
function rides.row(i, random, time_ms)
   local step = i % 3 + 1
   if step == 3 and random() < CANCELLED then step = 4 end
   local user, driver = random(USERS), random(DRIVERS)
   local cents = random(LEAST_CENTS, MOST_CENTS)
   return {
      event_id = "e-" .. i, user_id = "u-" .. user, event_type = TYPES[step],
      driver_id = step > 1 and "d-" .. driver or nil, city = CITIES[driver % #CITIES + 1],
      amount = step == 3 and cents / 100 or nil, ts = time_ms,
   }
end

return rides
