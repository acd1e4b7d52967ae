-- check_invariance holds for random pipelines: what it lets vary must not matter.
local random = require "tests.model.random"
local test = require "sluice.test"

local FIRST, END = 1, 21
if os.getenv "SEEDS" then
   FIRST, END = os.getenv("SEEDS"):match "^(%d+),(%d+)$"
   FIRST, END = tonumber(FIRST), tonumber(END)
end

-- The records of all batches by topic and partition, in the order of their times: none
-- is late, bad ones left out.
local function in_order(batches)
   local given, count = {}, 0
   for _, batch in ipairs(batches) do
      for _, one in ipairs(batch) do
         if one.row then
            local partitions = given[one.topic] or {}
            given[one.topic] = partitions
            partitions[one.partition] = partitions[one.partition] or {}
            table.insert(partitions[one.partition], one.row)
            count = count + 1
         end
      end
   end
   for _, partitions in pairs(given) do
      for _, rows in pairs(partitions) do
         table.sort(rows, function(a, b) return a.t < b.t end)
      end
   end
   return given, count
end

describe("a random pipeline gives the same however its rows come", function()
   for seed = FIRST, END - 1 do
      it(("seed %d"):format(seed), function()
         local pick = random.of(seed)
         local text, topics = random.script(pick)
         local given, count = in_order(random.batches(pick, topics))
         if count == 0 then return end
         local path = os.tmpname()
         local file = assert(io.open(path, "w"))
         file:write(text)
         file:close()
         local done, problem = pcall(test.check_invariance, path, given,
            { runs = 6, workers = { 1, 3 }, seed = seed })
         os.remove(path)
         if not done then error(tostring(problem) .. "\n" .. text, 0) end
      end)
   end
end)
