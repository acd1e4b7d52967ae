local ffi = require "ffi"

local text = require "sluice.text"

-- A text in the middle of bytes that would make it another one.
local function read(reader, s)
   local bytes = "0123456789" .. s .. "0123456789abcdefghij"
   return reader(ffi.cast("const char *", bytes) + 10, #s)
end

describe("reader of texts", function()
   it("gives texts of every length as they are, again and again", function()
      local reader = text.reader()
      local long = ("abcdefghijklmnopqrstuvwxyz"):rep(2)
      for _ = 1, 3 do
         for len = 0, #long do
            local s = long:sub(1, len)
            assert.equal(s, read(reader, s))
         end
      end
      assert.equal("", reader(nil, 0))
   end)

   it("tells texts apart that share their first or last bytes", function()
      local reader = text.reader()
      local likes = {
         "aaaaaaaa", "aaaaaaaaa", "aaaaaaaaaaaaaaaa", "aaaaaaaabaaaaaaaa",
         "aaaaaaaabbbbbbbb", "aaaaaaaabbbbbbbbb", "baaaaaaa", "aaaaaaab", "aaaabbbb",
         "aaaaabbbb",
         ("\0"):rep(8), ("\0"):rep(9), ("\0"):rep(16),
         "\255\254\0\1\2\3\4\5",
      }
      for _ = 1, 3 do
         for _, s in ipairs(likes) do assert.equal(s, read(reader, s)) end
      end
   end)

   it("gives no other text where a call was broken off within", function()
      jit.off() -- hooks do not come in compiled code
      jit.flush()
      -- these two have one place
      local one, other = "city1000000", "city1000002"
      for n = 1, 200 do
         local reader, count = text.reader(), 0
         read(reader, one)
         pcall(function()
            debug.sethook(function()
               count = count + 1
               if count == n then error("struck", 0) end
            end, "", 1)
            read(reader, other)
            debug.sethook()
         end)
         debug.sethook()
         assert.equal(other, read(reader, other))
         assert.equal(one, read(reader, one))
      end
      jit.on()
   end)

   it("gives more texts than it remembers", function()
      local reader = text.reader()
      for _ = 1, 2 do
         for i = 1, 2000 do
            local s = ("user-%06d"):format(i)
            assert.equal(s, read(reader, s))
         end
      end
   end)
end)
