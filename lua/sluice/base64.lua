--- Base64 (RFC 4648 section 4), for the few bytes that scripts write.
-- @module sluice.base64

local base64 = {}

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function character(bits)
   return ALPHABET:sub(bits + 1, bits + 1)
end

--- Write bytes as text.
-- @tparam string data
-- @treturn string
-- @usage base64.encode "hi" --> "aGk="
function base64.encode(data)
   local parts = {}
   for i = 1, #data, 3 do
      local a, b, c = data:byte(i, i + 2)
      local word = a * 65536 + (b or 0) * 256 + (c or 0)
      parts[#parts + 1] = character(math.floor(word / 262144))
         .. character(math.floor(word / 4096) % 64)
         .. (b and character(math.floor(word / 64) % 64) or "=")
         .. (c and character(word % 64) or "=")
   end
   return table.concat(parts)
end

return base64
