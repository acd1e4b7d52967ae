-- The examples of docs/testing-pipelines.md run, as if they lay beside the scripts.
local test = require "sluice.test"

local function examples(path)
   local file = assert(io.open(path, "rb"))
   local text = file:read "*a"
   file:close()
   local found = {}
   for example in text:gmatch "```lua spec\n(.-)```" do found[#found + 1] = example end
   assert(#found > 0, path .. " has no ```lua spec")
   return found
end

local function loaded(text, env)
   local chunk = assert(loadstring(text, "@scripts/docs_spec.lua"))
   return setfenv(chunk, setmetatable({ test = test }, { __index = env }))
end

describe("docs/testing-pipelines.md", function()
   local env = getfenv(1)
   for _, text in ipairs(examples "docs/testing-pipelines.md") do
      if text:find "describe%(" then
         loaded(text, env)()
      else
         it(text:match "^[^\n]*", function() loaded(text, env)() end)
      end
   end
end)
