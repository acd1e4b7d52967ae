local members = require "sluice.compat.members"

local SHAPE = [[{ "version": 1, "operators": [
   { "kind": "aggregate", "name": "totals", "span_offset": 8, "sent": ["out", "out#2"],
     "items": [ { "name": "fares", "members": [
        { "name": "sum", "type": "double", "offset": 24, "size": 8 },
        { "name": "text", "type": "sl_part", "offset": 32, "size": 24, "part": 0 }
     ] } ] },
   { "kind": "distinct", "name": "seen" } ] }]]

describe("members of stored states", function()
   it("are those of the operator's items, behind the times that C keeps", function()
      assert.equal("rows.first_ms\tint64_t\t8\t8\t-1\nrows.last_ms\tint64_t\t16\t8\t-1\n"
         .. "fares.sum\tdouble\t24\t8\t-1\nfares.text\tsl_part\t32\t24\t0\n",
         members.text(SHAPE, "aggregate totals"))
   end)

   it("are one hash an output where what was sent is remembered", function()
      assert.equal("hash of what went to out\tuint64_t\t0\t8\t-1\n"
         .. "hash of what went to out#2\tuint64_t\t8\t8\t-1\n",
         members.text(SHAPE, "sent totals"))
   end)

   it("are one time for distinct", function()
      assert.equal("until_ms\tint64_t\t0\t8\t-1\n", members.text(SHAPE, "distinct seen"))
   end)

   it("are none where the shape does not know the table, or is none", function()
      assert.equal("", members.text(SHAPE, "aggregate other"))
      assert.equal("", members.text(SHAPE, "odd"))
      assert.equal("", members.text("{", "aggregate totals"))
   end)
end)
