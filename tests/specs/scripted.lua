-- What several specs need: scripts made of a text with words in it, calls that must fail.
local scripted = {}

local paths = {}

-- A file of `text` in which each WORD of capitals is what `words` has for it. Its path.
function scripted.write(text, words)
   local path = os.tmpname()
   paths[#paths + 1] = path
   local file = assert(io.open(path, "w"))
   file:write((text:gsub("%u%u+", words)))
   file:close()
   return path
end

-- Take away all files that were made.
function scripted.done()
   for _, path in ipairs(paths) do os.remove(path) end
   paths = {}
end

-- `fn` throws, and says all of these.
function scripted.fails(fn, ...)
   local done, message = pcall(fn)
   assert(not done, "nothing was raised")
   for _, text in ipairs { ... } do
      assert(tostring(message):find(text, 1, true),
         ("%q is not in %q"):format(text, tostring(message)))
   end
end

return scripted
