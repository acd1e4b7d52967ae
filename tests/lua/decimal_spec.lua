local decimal = require "sluice.decimal"

local function of(x) return assert(decimal.of(x), tostring(x)) end

describe("decimals", function()
   it("keep all digits and the scale as written", function()
      for _, text in ipairs { "0", "12.50", "-0.05", "0.00", "100000000000000000000",
         "123456789012345678901234567890.12345678",
         "-99999999999999999999999999999999999999" } do
         assert.equal(text, tostring(of(text)))
      end
   end)

   it("are made of JSON's numbers, Lua's and int64", function()
      assert.equal("1000", tostring(of "1e3"))
      assert.equal("0.0015", tostring(of "1.5e-3"))
      assert.equal("0", tostring(of "0e99"))
      assert.equal("0.1", tostring(of(0.1)))
      assert.equal("-5", tostring(of(-5)))
      assert.equal("9007199254740993", tostring(of(9007199254740993LL)))
      assert.equal("-9223372036854775808", tostring(of(-9223372036854775807LL - 1)))
      for _, wrong in ipairs { "", "x", ".5", "1.", "1e", "+1", " 1", "1e38", "1e-39",
         "1" .. ("0"):rep(38), "0." .. ("1"):rep(39) } do
         assert.is_nil(decimal.of(wrong))
      end
      assert.is_nil(decimal.of(0 / 0))
      assert.is_nil(decimal.of(math.huge))
      assert.is_nil(decimal.of {})
   end)

   it("add, subtract and multiply exactly", function()
      assert.equal("0.3", tostring(of "0.1" + of "0.2"))
      assert.equal("-2.5", tostring(of "5" - "7.5"))
      assert.equal("0.9", tostring(1 - of "0.1"))
      assert.equal("-5", tostring(-of "5"))
      assert.equal("0.2375", tostring(of "1.25" * "0.19"))
      assert.equal("1219326311370217949644871231852004270",
         tostring(of "12345678901234567890" * of "98765432109876543"))
      assert.equal("18446744073709551616",
         tostring(of "18446744073709551615" + 1))
      assert.equal("0", tostring(of "18446744073709551616" - of "18446744073709551616"))
   end)

   it("refuse what has more than 38 digits", function()
      local nines = of(("9"):rep(38))
      assert.error_matches(function() return nines + 1 end,
         "sum of two decimals has more")
      assert.error_matches(function() return -nines - 1 end, "difference of two")
      assert.error_matches(function() return of "1e30" * of "1e10" end, "product of two")
      assert.error_matches(function() return of "1e-20" * of "1e-19" end,
         "product of two")
      assert.error_matches(function() return nines + of "0.1" end, "sum of two")
   end)

   it("are compared by value, with numbers and text too", function()
      assert.is_true(of "1.0" == of "1.00")
      assert.is_true(of "1" == 1)
      assert.is_false(of "1" == nil)
      assert.is_true(of "-3" < "-2.9")
      assert.is_true(of "2" >= 2)
      assert.is_true(of(("9"):rep(38)) > of("0." .. ("0"):rep(37) .. "1"))
      assert.is_true(of("-" .. ("9"):rep(38)) < of("0." .. ("0"):rep(37) .. "1"))
      assert.error_matches(function() return of "1" < {} end, "compared with table")
   end)

   it("are rounded half away from zero, and only when asked to", function()
      assert.equal("0.24", tostring(of("0.2375"):round(2)))
      assert.equal("-1.26", tostring(of("-1.255"):round(2)))
      assert.equal("1", tostring(of("0.5"):round(0)))
      assert.equal("0", tostring(of("0.49"):round(0)))
      assert.equal("1.000", tostring(of("1"):round(3)))
      assert.error_matches(function() of("1"):round(-1) end, "whole number of places")
      assert.error_matches(function() return of "1" / 2 end, "not divided")
   end)

   it("fit into a column or do not", function()
      local low, high = decimal.words("12.3", 4, 2)
      assert.is_true(low == 1230ULL and high == 0LL)
      low, high = decimal.words("-0.01", 4, 2)
      assert.is_true(low == -1ULL and high == -1LL)
      assert.is_nil(decimal.words("12.3", 3, 2))
      assert.is_nil(decimal.words("12.345", 5, 2))
      assert.is_true(decimal.words("12.340", 4, 2) == 1234ULL)
      assert.is_nil(decimal.words("abc", 4, 2))
   end)

   it("become text and numbers", function()
      assert.equal("9.50 EUR", of "9.50" .. " EUR")
      assert.equal(12.345, of("12.345"):tonumber())
      assert.is_true(decimal.is(of "1"))
      assert.is_false(decimal.is(1))
   end)
end)
