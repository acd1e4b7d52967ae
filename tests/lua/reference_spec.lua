local reference = require "tests.docs.reference"

describe("docs/reference.md", function()
   it("is what the tables say", function()
      local file = assert(io.open("docs/reference.md", "rb"))
      local text = file:read "*a"
      file:close()
      assert.equal(reference.text(), text, "print it anew: tests/docs/reference.lua")
   end)
end)
