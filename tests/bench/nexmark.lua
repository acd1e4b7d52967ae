-- Queries of Nexmark over a file: --param query=q0. As far as the language reaches: q5
-- names one auction a window, not all that are as hot; q7 gives the dearest bid of a
-- window without the join back to the bids, the earliest of equal ones; q12's processing
-- time is one a batch; q14 counts letters of the url; q19 gives an auction's ten bids in
-- one row.
local sluice = require "sluice"

-- By `date_time`, or by `now`.
local function bids_by(time, delay)
   return sluice.file { path = "nexmark.jsonl" }
      :json {
         sluice.string "event_type" :required(),
         sluice.int64 "id", sluice.string "name", sluice.string "city",
         sluice.string "item_name", sluice.int64 "initial_bid", sluice.int64 "seller",
         sluice.int64 "category",
         sluice.int64 "auction", sluice.int64 "bidder", sluice.int64 "price",
         sluice.string "channel", sluice.string "url",
         sluice.int64 "date_time" :required(),
         time == "now" and sluice.timestamp "now" :from_metadata "processing_time" or nil,
      }
      :event_time(time, { delay = delay })
      :filter(function(event) return event.event_type == "bid" end)
end

local COLUMNS = { "auction", "bidder", "price", "channel", "url", "date_time" }

local function hottest(bids)
   return bids
      :group_by "auction"
      :window(sluice.hopping { size = "10 seconds", every = "2 seconds", name = "bids" })
      :aggregate { bids = sluice.count() }
      :select { "auction", "bids", start = "window_start" }
      :group_by "start"
      :window(sluice.tumbling { size = "2 seconds", name = "hottest" })
      :aggregate { auction = sluice.arg_max("auction", "bids"), bids = sluice.max "bids" }
end

local function count_by_bidder(stream, window)
   return stream:group_by "bidder":window(window):aggregate { bids = sluice.count() }
end

local C = ("c"):byte()

local function count_c(text)
   local count = 0
   for i = 1, #text do
      if text:byte(i) == C then count = count + 1 end
   end
   return count
end

local function time_of_day(ms)
   local hour = math.floor(ms / 3600000) % 24
   if hour >= 8 and hour <= 18 then return "dayTime" end
   return (hour <= 6 or hour >= 20) and "nightTime" or "otherTime"
end

local function some_prices(bids)
   return bids
      :filter(function(bid)
         local euros = 0.908 * (bid.price or 0)
         return euros > 1e6 and euros < 5e7
      end)
      :derive {
         euros = sluice.double(function(bid) return 0.908 * (bid.price or 0) end),
         time = sluice.string(function(bid) return time_of_day(bid.date_time) end),
         c_counts = sluice.int64(function(bid) return count_c(bid.url or "") end),
      }
      :select { "auction", "bidder", "euros", "time", "date_time", "url", "c_counts" }
end

local function count_between(low, high)
   return sluice.count():where(function(bid)
      local price = bid.price or 0
      return price >= low and price < high
   end)
end

local function by_day(bids)
   return bids:group_by "auction"
      :window(sluice.tumbling { size = "1 day" })
      :aggregate {
         total = sluice.count(),
         rank1 = count_between(0, 1e4), rank2 = count_between(1e4, 1e6),
         rank3 = count_between(1e6, math.huge),
         least = sluice.min "price", most = sluice.max "price",
         mean = sluice.avg "price", sum = sluice.sum "price",
      }
      :derive { day = sluice.string(function(row)
         return sluice.time.format(row.window_start, "%Y-%m-%d")
      end) }
      :select { "auction", "day", "total", "rank1", "rank2", "rank3", "least", "most",
         "mean", "sum" }
end

local function last_of_pair(bids)
   return bids:group_by { "bidder", "auction" }
      :window(sluice.running { retain = "forever" })
      :aggregate {
         price = sluice.last "price", channel = sluice.last "channel",
         url = sluice.last "url", date_time = sluice.last "date_time",
      }
end

local MOST = 10

-- The dearest bids, the dearest first, of equal ones the earlier.
local dearest = sluice.aggregate {
   state = { n = 0, price = "double[10]", bidder = "double[10]", at = "double[10]" },
   fold = function(a, bid)
      local price, i = bid.price or 0, a.n
      if i == MOST then
         if price <= a.price[MOST - 1] then return end
         i = MOST - 1
      else
         a.n = i + 1
      end
      while i > 0 and price > a.price[i - 1] do
         a.price[i], a.bidder[i], a.at[i] = a.price[i - 1], a.bidder[i - 1], a.at[i - 1]
         i = i - 1
      end
      a.price[i], a.bidder[i], a.at[i] = price, bid.bidder or 0, bid.date_time
   end,
   result = function(a)
      local list = {}
      for i = 0, a.n - 1 do
         list[i + 1] = { price = a.price[i], bidder = a.bidder[i], date_time = a.at[i] }
      end
      return list
   end,
   returns = sluice.list(sluice.struct {
      sluice.int64 "price", sluice.int64 "bidder", sluice.int64 "date_time",
   }),
}

local QUERIES = {
   q0 = function(bids) return bids:select(COLUMNS) end,
   q1 = function(bids) -- dollars to euros
      return bids:derive { euros = sluice.double(function(bid)
         return 0.908 * (bid.price or 0)
      end) }
         :select { "auction", "bidder", "euros", "date_time" }
   end,
   q2 = function(bids)
      return bids:filter(function(bid) return (bid.auction or 1) % 123 == 0 end)
         :select { "auction", "price" }
   end,
   q5 = hottest,
   q7 = function(bids)
      return bids:group_by {}
         :window(sluice.tumbling { size = "10 seconds" })
         :aggregate {
            price = sluice.max "price", bidder = sluice.arg_max("bidder", "price"),
            auction = sluice.arg_max("auction", "price"),
         }
   end,
   q11 = function(bids)
      return count_by_bidder(bids, sluice.session { gap = "10 seconds" })
   end,
   q12 = function(bids)
      return count_by_bidder(bids, sluice.tumbling { size = "10 seconds" })
   end,
   q14 = some_prices,
   q17 = by_day,
   q18 = last_of_pair,
   q19 = function(bids)
      return bids:group_by "auction"
         :window(sluice.running { retain = "forever" })
         :aggregate { bids = sluice.count(), dearest = dearest }
   end,
}

local MODES = { q5 = "append", q7 = "append", q11 = "append", q12 = "append",
   q17 = "update", q18 = "update", q19 = "update" }

local query = sluice.param("query", "q0", "q0, q1, q2, q5, q7, q11, q12, q14, q17 to q19")
local bids = query == "q12" and bids_by("now", 0) or bids_by("date_time", "1 second")

return sluice.pipeline {
   name = "bench",
   trigger = "available-now",
   flush = true,
   checkpoint = "none",
   QUERIES[query](bids):to(sluice.file { path = "-", mode = MODES[query] }),
}
