-- Queries of Nexmark over a file: --param query=q0. As far as the language reaches: q5
-- names one auction a window, not all that are as hot; q7 gives the dearest bid of a
-- window without the join back to the bids, the earliest of equal ones.
local sluice = require "sluice"

local bids = sluice.file { path = "nexmark.jsonl" }
   :json {
      sluice.string "event_type" :required(),
      sluice.int64 "id", sluice.string "name", sluice.string "city",
      sluice.string "item_name", sluice.int64 "initial_bid", sluice.int64 "seller",
      sluice.int64 "category",
      sluice.int64 "auction", sluice.int64 "bidder", sluice.int64 "price",
      sluice.string "channel", sluice.string "url",
      sluice.int64 "date_time" :required(),
   }
   :event_time("date_time", { delay = "1 second" })
   :filter(function(event) return event.event_type == "bid" end)

local COLUMNS = { "auction", "bidder", "price", "channel", "url", "date_time" }

local function hottest()
   return bids
      :group_by "auction"
      :window(sluice.hopping { size = "10 seconds", every = "2 seconds", name = "bids" })
      :aggregate { bids = sluice.count() }
      :select { "auction", "bids", start = "window_start" }
      :group_by "start"
      :window(sluice.tumbling { size = "2 seconds", name = "hottest" })
      :aggregate { auction = sluice.arg_max("auction", "bids"), bids = sluice.max "bids" }
end

local QUERIES = {
   q0 = function() return bids:select(COLUMNS) end,
   q1 = function() -- dollars to euros
      return bids:derive { euros = sluice.double(function(bid)
         return 0.908 * (bid.price or 0)
      end) }
         :select { "auction", "bidder", "euros", "date_time" }
   end,
   q2 = function()
      return bids:filter(function(bid) return (bid.auction or 1) % 123 == 0 end)
         :select { "auction", "price" }
   end,
   q5 = hottest,
   q7 = function()
      return bids:group_by {}
         :window(sluice.tumbling { size = "10 seconds" })
         :aggregate {
            price = sluice.max "price", bidder = sluice.arg_max("bidder", "price"),
            auction = sluice.arg_max("auction", "price"),
         }
   end,
}

local query = sluice.param("query", "q0", "q0, q1, q2, q5 or q7")
local mode = (query == "q5" or query == "q7") and "append" or nil

return sluice.pipeline {
   name = "bench",
   trigger = "available-now",
   flush = true,
   checkpoint = "none",
   QUERIES[query]():to(sluice.file { path = "-", mode = mode }),
}
