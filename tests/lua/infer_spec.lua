local infer = require "sluice.infer"

describe("infer", function()
   local function draft(...)
      local list = {}
      for i, text in ipairs { ... } do
         list[2 * i - 1], list[2 * i] = "t:0:" .. (i - 1), text
      end
      return assert(infer.text("topic", "t", "", list))
   end

   local function drafted(what, from, ...)
      local list = {}
      for i, text in ipairs { ... } do
         list[2 * i - 1], list[2 * i] = from .. ":0:" .. (i - 1), text
      end
      local text, wrong = infer.text(what, from, "", list)
      return text or wrong
   end

   it("says what a file is that does not hold one document a line", function()
      local spread = "x.json holds JSON documents over several lines, a record is one "
         .. "document a line: `jq -c . x.json > x-lines.jsonl` makes it so"
      assert.equal(spread, drafted("file", "x.json", "{", ' "a": 1', "}"))
      assert.equal(spread, drafted("file", "x.json", '{"a": {', '"b": {}', "}}"))
      local list = "it's.json holds a list of JSON documents, a record is one document "
         .. "a line: `jq -c '.[]' 'it'\\''s.json' > 'it'\\''s-lines.jsonl'` makes it so"
      assert.equal(list, drafted("file", "it's.json", '[{"a":1},{"a":2}]'))
      assert.equal(list,
         drafted("file", "it's.json", "[", '{"a":1},', '{"a":2}', "]"))
      assert.match("^%-%- Drafted",
         drafted("file", "x.json", "[1]", '{"a":1}', '{"a":1}'))
   end)

   it("says that there is nothing to draft from", function()
      for _, what in ipairs { "file", "csv", "topic" } do
         assert.equal("x is empty: there is nothing to draft from", drafted(what, "x"))
      end
   end)

   it("drafts what stands behind a byte-order mark, and how to take it away", function()
      local text = drafted("file", "x.jsonl", '\239\187\191{"a":1}', '{"a":2}')
      assert.match("\n%-%- The file begins with a byte%-order mark, which makes its "
         .. "first record bad: take it away,\n"
         .. "%-%- sed %-i '1s/^\\xEF\\xBB\\xBF//' x.jsonl\nlocal sluice", text)
      assert.match('1 to 2\n *sluice.int64 "a" :required%(%),', text)
      text = drafted("csv", "x.csv", "\239\187\191who,n", "ann,1")
      assert.match("first column's name bad", text)
      assert.match('sluice.string "who" :required', text)
   end)

   it("says which name a header has twice", function()
      local text = drafted("csv", "x.csv", "id,n,id", "1,2,3")
      assert.match('\n%-%- The first line has "id" twice, so it is taken for a', text)
      assert.match('columns = { "c1", "c2", "c3" }', text)
      assert.is_nil(drafted("csv", "x.csv", "1,n,n", "1,2,3"):find "twice")
   end)

   it("drafts CSV of a topic", function()
      local text = drafted("topic", "t", "ann;1", "bob;2", "cy;3")
      assert.match("\n%-%- They are no JSON, and are taken for CSV", text)
      assert.match('sluice.kafka { topics = "t", start = "earliest" }\n   :csv {', text)
      assert.match('1 to 3\n *sluice.int64 "c2" :required%(%),\n', text)
      assert.match('columns = { "c1", "c2" }, delimiter = ";"', text)
      assert.is_function(loadstring(text))
      assert.equal("t: none of 2 records is a JSON object: no JSON at t:0:0: hello",
         drafted("topic", "t", "hello", "you, there"))
   end)

   it("takes a whole number beside others for a double", function()
      assert.match('sluice.double "a" :required%(%)', draft('{"a":1}', '{"a":1.5}'))
      assert.match('sluice.int64 "a" :required%(%)', draft('{"a":1}', '{"a":-3}'))
   end)

   it("guesses units by size, and seconds by name only", function()
      assert.match('sluice.timestamp%("at", "s"%)', draft '{"at":1777629600}')
      assert.match('sluice.int64 "n"', draft '{"n":1777629600}')
      assert.match('sluice.timestamp%("n", "ms"%)', draft '{"n":1777629600000}')
      assert.match('sluice.timestamp%("created_at", "us"%)',
         draft '{"created_at":1777629600000000}')
   end)

   it("keeps all digits of whole numbers", function()
      local function of(n) return draft('{"n":1}', ('{"n":%s}'):format(n)) end
      for _, n in ipairs { "9007199254740992", "-9007199254740992" } do
         assert.match('sluice.int64 "n" :required', of(n))
      end
      for _, n in ipairs { "9007199254740993", "-9007199254740993",
         "9223372036854775807", "-9223372036854775808" } do
         assert.match('%-%- n: beyond 2%^53, which int64 takes with :exact%(%) only; '
            .. '.*sluice.int64 "n" :exact%(%) :required', of(n))
      end
      for _, n in ipairs { "9223372036854775808", "-9223372036854775809" } do
         assert.match('%-%- n: beyond 2%^63: a decimal keeps all digits, written as '
            .. 'text\n *sluice.decimal%("n", 21, 0%) :required', of(n))
      end
      assert.match('%-%- n: a double does not keep all digits beyond 2%^53; .*\n'
         .. ' *sluice.double "n"', of(("9"):rep(37)))
      assert.match('sluice.string "n"', draft('{"n":"9007199254740993"}'))
      assert.match('sluice.list%("n", sluice.decimal%(22, 0%)%)',
         draft '{"n":[1,12345678901234567890]}')
      assert.match('sluice.list%("n", sluice.int64%("element"%):exact%(%)%)',
         draft '{"n":[1,9007199254740993]}')
   end)

   it("leaves texts of digits alone: they may be names", function()
      assert.match('sluice.string "zip"', draft('{"zip":"01067"}', '{"zip":"80331"}'))
   end)

   it("follows escapes in names and texts", function()
      local text = draft '{"a\\"b\\n":"x\\\\","c":{"d}":"]\\"}"}}'
      assert.match('sluice.string "a_b" :required%(%) :from { "a\\"b\\n" }', text)
      assert.match('sluice.string "d}" :required', text)
      assert.is_function(loadstring(text))
   end)

   it("counts a field inside an object by the objects there are", function()
      local text = draft('{"u":{"a":1}}', '{"u":{"a":2}}', '{"u":null}', '{}')
      assert.match("%-%- u: 50 %% null or missing", text)
      assert.match('sluice.int64 "a" :required', text)
   end)

   it("takes objects of ever other keys for a map", function()
      local texts = {}
      for i = 1, 60 do texts[i] = ('{"by_user":{"u-%d":%d.5}}'):format(i, i) end
      assert.match('sluice.map%("by_user", "double"%)', draft(unpack(texts)))
   end)

   it("names what is no object, and tombstones", function()
      local text = draft("{}x", '"text"', "", '{"a":true}')
      assert.match("%-%- no JSON, at t:0:0: {}x\n", text)
      assert.match("%-%- no JSON object, at t:0:1: \"text\"\n", text)
      assert.match("%-%- 1 records have no value", text)
      local _, wrong = infer.text("topic", "t", "", { "t:0:0", "[1]" })
      assert.match("none of 1 records is a JSON object", wrong)
   end)

   it("reads lines of CSV by what their first one says", function()
      local function csv(...)
         local list = {}
         for i, text in ipairs { ... } do
            list[2 * i - 1], list[2 * i] = "t.csv:0:" .. (i - 1), text
         end
         return assert(infer.text("csv", "t.csv", "", list))
      end
      local text = csv('id;zip;amount;note\r\n', '1;01067;12.50;"a ""b"";"',
         "2;80331;n/a;", "3;80331;3;x;y", "4;80331;3;")
      assert.match('sluice.int64 "id" :required', text)
      assert.match('sluice.string "zip" :required', text)
      assert.match("%-%- amount: 1 text: n/a at t.csv:0:2; 3 to 12.5\n", text)
      assert.match('%-%- note: 66.7 %% null or missing\n *sluice.string "note",\n', text)
      assert.match('header = true, delimiter = ";",\n', text)
      assert.match("from 4 records", text)
      assert.match("%-%- 5 columns, wanted 4, at t.csv:0:3: 3;", text)
      text = csv("1,true", "2,false")
      assert.match('columns = { "c1", "c2" },\n', text)
      assert.match('sluice.bool "c2" :required', text)
      local _, wrong = infer.text("csv", "t.csv", "", { "t.csv:0:0", "a,b" })
      assert.match("has a header, and no line behind it", wrong)
   end)
end)
