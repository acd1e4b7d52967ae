local failure = require "sluice.failure"
local hint = require "sluice.hint"

local COLUMNS = { amount = { type = "double" }, id = { type = "string" } }

local function of(message, line, values)
   return hint.of { message = message, line = line, columns = COLUMNS,
      values = values or {} }
end

describe("hint", function()
   it("names the fields of the line that are null", function()
      assert.equal("`ride.amount` is null here: guard it with `if ride.amount then`",
         of("attempt to compare number with nil", "return ride.amount > ride.id",
         { id = "a" }))
      assert.equal("`r.amount` and `r.id` are null here: guard them with `if r.amount "
         .. "and r.id then`", of("attempt to perform arithmetic on field 'amount' (a nil "
         .. "value)", "r.amount + r.amount + r.id"))
   end)

   it("names what else is nil", function()
      assert.matches("local `rate` is nil here", of("attempt to perform arithmetic on "
         .. "local 'rate' (a nil value)", "return rate * 2"), 1, true)
      assert.matches("`local function` must stand above", of("attempt to call upvalue "
         .. "'f' (a nil value)", "return f(r)"), 1, true)
      assert.matches("did you mean `upper`?", of("attempt to call method 'uper' (a nil "
         .. "value)", "return r.id:uper()"), 1, true)
   end)

   it("tells text from numbers", function()
      assert.matches("`r.id` is text: compare numbers by `tonumber(text)`",
         of("attempt to compare number with string", "r.id > 3", { id = "a" }), 1, true)
      assert.matches("give a number", of("derive `x`: got string, wanted double", ""))
      assert.matches("round it", of("derive `x`: got 1.5, wanted int64: a whole number "
         .. "within 2^53", ""))
   end)

   it("says nothing where it knows nothing", function()
      assert.is_nil(of("no such id", "error('no such id')"))
      assert.is_nil(of("derive `x`: got string, wanted something", ""))
   end)
end)

describe("values in messages", function()
   it("are short, on one line, and whole characters", function()
      assert.equal("null", failure.show(nil))
      assert.equal("1.5", failure.show(1.5))
      assert.equal("9007199254740991", failure.show(9007199254740991))
      assert.equal('{ city = "Bonn", geo = {…} }',
         failure.show { city = "Bonn", geo = {} })
      assert.equal('{ "a", "b" }', failure.show { "a", "b" })
      assert.equal("{ 1, 2, 3, 4, … }", failure.show { 1, 2, 3, 4, 5 })
      assert.equal("{}", failure.show {})
      assert.equal('"a\\x0ab"', failure.show("a\nb"))
      assert.equal('"' .. ("x"):rep(40) .. '…"', failure.show(("x"):rep(41)))
      assert.equal('"' .. ("x"):rep(39) .. '…"', failure.show(("x"):rep(39) .. "äbc"))
   end)
end)
