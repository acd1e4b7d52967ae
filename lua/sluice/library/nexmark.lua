--- Nexmark's auction site: of 50 events 1 is a new person, 3 are new auctions, 46 are
-- bids, in this order; ids begin at 1000, sellers and auctions are mostly recent ones,
-- half of the bids go to a hot auction and three quarters come from a hot bidder. One
-- schema for all three, told apart by `event_type`; what belongs to the others is null.
-- Source: Tucker, Tufte, Papadimos, Maier, "NEXMark: A Benchmark for Queries over Data
-- Streams" (2002), with the proportions and id schemes of its generator in Apache Beam.
-- @module sluice.library.nexmark

local field = require "sluice.field"

local nexmark = { time = "date_time", required = "event_type" }

local floor, min, max = math.floor, math.min, math.max

local PERSONS, AUCTIONS, ALL = 1, 3, 50
local FIRST_ID, FIRST_CATEGORY, CATEGORIES = 1000, 10, 5
local ACTIVE_PERSONS, IN_FLIGHT = 1000, 100
local HOT_AUCTIONS, HOT_BIDDERS, HOT_SELLERS = 2, 4, 4 -- 1 in so many is not hot
local HOT_RUN = 100 -- ids that share a hot one
local CHANNELS = { "Google", "Facebook", "Baidu", "Apple" }
local STATES = { "AZ", "CA", "ID", "OR", "WA", "WY" }
local CITIES = { "Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend",
   "Redmond", "Seattle", "Kent", "Cheyenne" }
local FIRST_NAMES = { "Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie",
   "Sarah", "Deiter", "Walter" }
local LAST_NAMES = { "Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith",
   "Jones", "Noris" }
local LONGEST_AUCTION_MS = 120000

--- The schema, in order.
-- @treturn table fields
function nexmark.fields()
   local text, int64 = field.constructor "string", field.constructor "int64"
   return {
      text "event_type":required(),
      int64 "id", text "name", text "email", text "credit_card", text "city",
      text "state",
      text "item_name", text "description", int64 "initial_bid", int64 "reserve",
      int64 "expires", int64 "seller", int64 "category",
      int64 "auction", int64 "bidder", int64 "price", text "channel", text "url",
      int64 "date_time":required(),
   }
end

-- Numbers, from 0, of the last person and auction made before or at event i.
local function last_person(i)
   return floor(i / ALL)
end

local function last_auction(i)
   local epoch, offset = floor(i / ALL), i % ALL
   if offset < PERSONS then return epoch * AUCTIONS - 1 end
   return epoch * AUCTIONS + min(offset - PERSONS, AUCTIONS - 1)
end

-- From 100 to 100 million, as often of each size.
local function price(random)
   return floor(10 ^ (random() * 6) * 100 + 0.5)
end

local function any_person(i, random)
   local last = last_person(i)
   return FIRST_ID + last - random(0, min(last, ACTIVE_PERSONS))
end

local function any_auction(i, random)
   local last = max(last_auction(i), 0)
   return FIRST_ID + last - random(0, min(last, IN_FLIGHT))
end

-- The latest of each run of ids, or any.
local function hot(last, random, share, other)
   if random(share) > 1 then return FIRST_ID + floor(last / HOT_RUN) * HOT_RUN end
   return other
end

local function person(i, random, row)
   local first, last = FIRST_NAMES[random(#FIRST_NAMES)], LAST_NAMES[random(#LAST_NAMES)]
   row.event_type, row.id = "person", FIRST_ID + last_person(i)
   row.name = first .. " " .. last
   row.email = ("%s.%s%d@example.com"):format(first, last, row.id)
   row.credit_card = ("%04d %04d %04d %04d"):format(random(0, 9999), random(0, 9999),
      random(0, 9999), random(0, 9999))
   row.city, row.state = CITIES[random(#CITIES)], STATES[random(#STATES)]
   return row
end

local function auction(i, random, row)
   local seller = any_person(i, random)
   row.event_type, row.id = "auction", FIRST_ID + last_auction(i)
   row.item_name, row.description = "item " .. row.id, "as good as new, number " .. row.id
   row.initial_bid = price(random)
   row.reserve = row.initial_bid + price(random)
   row.expires = row.date_time + random(1, LONGEST_AUCTION_MS)
   row.seller = hot(last_person(i), random, HOT_SELLERS, seller)
   row.category = FIRST_CATEGORY + random(0, CATEGORIES - 1)
   return row
end

local function bid(i, random, row)
   local one, other = any_auction(i, random), any_person(i, random)
   row.event_type, row.price = "bid", price(random)
   row.auction = hot(max(last_auction(i), 0), random, HOT_AUCTIONS, one)
   row.bidder = hot(last_person(i), random, HOT_BIDDERS, other)
   row.channel = CHANNELS[random(#CHANNELS)]
   row.url = ("https://www.nexmark.com/%s/item.htm?query=1&channel_id=%d"):format(
      row.channel, random(0, 10000))
   return row
end

--- Event i.
-- @tparam integer i from 0
-- @tparam function random as in a generator
-- @tparam integer time_ms event time
-- @treturn table
function nexmark.row(i, random, time_ms)
   local row, offset = { date_time = time_ms }, i % ALL
   if offset < PERSONS then return person(i, random, row) end
   if offset < PERSONS + AUCTIONS then return auction(i, random, row) end
   return bid(i, random, row)
end

return nexmark
