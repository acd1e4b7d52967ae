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

   it("says how each stage, format and field is written", function()
      for _, name in ipairs { "filter", "derive", "select", "group_by", "window", "to",
         "distinct", "flat_map", "union", "late_to", "quarantine_to", "rows", "json",
         "csv", "raw", "event_time", "aggregate" } do
         local of = text(name)
         assert.equal(":" .. name, of:match "^([^\n]+)")
         assert.equal(of, text(":" .. name))
         local _, lines = of:gsub("\n", "")
         assert.truthy(lines >= 3, name)
         assert.truthy(of:find(":" .. name, 2, true), name)
      end
      assert.matches(":filter(fn): keep the rows for which it gives true.", text "filter",
         1, true)
      assert.matches("within: how long a key is remembered", text "distinct", 1, true)
      assert.matches("delay: how far the watermark stays behind", text "event_time", 1,
         true)
      assert.matches("header: the first line of a file names", text "csv", 1, true)
      assert.matches('sluice.string "event_id" :required()', text "fields", 1, true)
      assert.matches("sluice.time.parse(text, format, zone): ", text "time", 1, true)
   end)

   it("has both ends of a connector on a page", function()
      assert.matches("sluice.kafka as a source.*sluice.kafka as a sink", text "kafka")
      assert.matches("sluice.file as a source.*sluice.file as a sink", text "file")
   end)

   it("tells names of other systems", function()
      assert.matches("startingOffsets,.-start = \"earliest\"", text "spark")
      assert.matches("keyBy", text "flink")
      local _, hint = help.text("withColumn", false, text_of)
      assert.matches("write `:derive {", hint, 1, true)
      _, hint = help.text("fitler", false, text_of)
      assert.equal(": did you mean `filter`?", hint)
   end)
end)
