local cjson = require "cjson"

local answer = require "sluice.answer"
local members = require "sluice.answer.members"

local function side(more)
   local of = { rows = 12, late = 0, bad = 0, timed_records = 100, cpu_ns = 41000,
      state_bytes = 3328, groups = 4 }
   for key, value in pairs(more or {}) do of[key] = value end
   return of
end

local function done(more)
   local it = { state = "done", script_hash = "2f1dbd665354e52f", is_same = true,
      script = "new.lua", batches = 3, wanted = 3, first_batch = 1204, records = 120,
      same = 12, only_old = 0, only_new = 0, differing = 0, changes = "", copy_ms = 1,
      old = side(), new = side { cpu_ns = 52000 }, rows = {} }
   for key, value in pairs(more or {}) do it[key] = value end
   return it
end

local function read(it) return answer.read("shadow", cjson.encode(it)) end

describe("the outcome of a shadow", function()
   it("has what both cost, and ends with 0 where nothing differs", function()
      local text, code = read(done())
      assert.equal(0, code)
      assert.truthy(text:find("new.lua: 3 batches from 1,204 on, 120 records", 1, true))
      assert.truthy(text:find("ns a record%s+410%s+520\n"))
      assert.truthy(text:find("state%s+3.3 KB%s+3.3 KB\n"))
      assert.truthy(text:find("rows: 12 the same", 1, true))
   end)

   it("has the fields that differ as they stand in the row", function()
      local text, code = read(done { is_same = false, differing = 5, only_new = 1,
         rows = {
         { kind = "differs", sink = "counts", batch = 1205, key = '{"k":"a"}',
            old = '{"k":"a","n":9007199254740993,"gone":[1,{"x":"}"}],"same":1.50}',
            new = '{"k":"a","n":9007199254740992,"same":1.50,"more":"a,\\"b\\""}' },
         { kind = "new", sink = "counts", batch = 1205, key = cjson.null,
            new = cjson.null },
      } })
      assert.equal(1, code)
      assert.truthy(text:find([[
  ~ counts  batch 1,205  key {"k":"a"}
      n  9007199254740993 -> 9007199254740992
      more  new: "a,\"b\""
      gone  gone: [1,{"x":"}"}]
  + counts  batch 1,205
      (retracted)
  … 4 more]], 1, true), text)
   end)

   it("shows rows whole that are no objects, and bytes that are no text", function()
      local text = read(done { is_same = false, differing = 1, rows = {
         { kind = "differs", sink = "csv", batch = 1, key = "a", old = "a,1",
            new = { base64 = "/w==" } } } })
      assert.truthy(text:find("      a,1\n   -> base64 /w==", 1, true), text)
   end)

   it("says why it was dropped or refused", function()
      local text, code = read(done { state = "dropped", reason = "p.lua:3: no" })
      assert.equal("dropped behind 3 batches from 1,204 on, 120 records: p.lua:3: no",
         text)
      assert.equal(4, code)
      text, code = read { state = "refused", reason = "it is the text that runs" }
      assert.equal("refused: it is the text that runs", text)
      assert.equal(4, code)
   end)

   it("ends with 1 where the run ended meanwhile", function()
      local text, code = read { ended = true, exit_code = 0 }
      assert.equal(1, code)
      assert.truthy(text:find("it ended meanwhile", 1, true))
   end)
end)

describe("the members of a row", function()
   it("takes values as they are", function()
      local found = members.of '{"a":{"b":[1,2]},"c":"x}","d":null}'
      assert.same({ "a", "c", "d", a = '{"b":[1,2]}', c = '"x}"', d = "null" }, found)
      assert.same({}, members.of "{}")
      assert.is_nil(members.of "12")
   end)
end)
