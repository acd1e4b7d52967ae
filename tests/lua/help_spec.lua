local codes = require "sluice.check.codes"
local help = require "sluice.help"
local page = require "sluice.explain.page"

local function text_of(module)
   local file = io.open("lua/" .. module:gsub("%.", "/") .. ".lua", "rb")
   if not file then return nil end
   local text = file:read "*a"
   file:close()
   return text
end

local function text(topic) return assert(help.text(topic, false, text_of)) end

describe("help", function()
   it("has a page for every topic that it lists", function()
      local listed = text "topics":gsub("\n%s*", " "):match "^topics: (.*); each"
      local count = 0
      for topic in listed:gmatch "[^, ]+" do
         count = count + 1
         local of = text(topic)
         assert.truthy(#of > 40, topic)
         for line in of:gmatch "[^\n]+" do
            assert(page.columns(line) <= page.WIDTH + 20, line)
         end
      end
      assert.truthy(count > 15)
   end)

   it("explains codes by number and by name", function()
      for _, entry in ipairs(codes.LIST) do
         assert.equal(text(entry.code), text(entry.name))
         assert.matches(entry.code .. " " .. entry.name, text(entry.code), 1, true)
      end
   end)

   it("gives options with default, what they take, and what they risk", function()
      local of = text "kafka-source"
      assert.matches("max_records: most records a batch; default 500000", of, 1, true)
      assert.matches("takes a whole number, at least 1", of, 1, true)
      assert.matches("memory: a batch holds as many in memory", of, 1, true)
   end)

   it("gives all of an aggregate's comment", function()
      local found = text("sum"):gsub("\n%s*", " ")
      assert.matches("sum(f): integers exact in 128 bits, decimals exact with 38 digits, "
         .. "doubles compensated; null over none. NaN makes the sum NaN.", found, 1, true)
   end)

   it("names the nearest topic", function()
      local none, hint = help.text("hoping", false, text_of)
      assert.is_nil(none)
      assert.equal(": did you mean `hopping`?", hint)
   end)
end)
