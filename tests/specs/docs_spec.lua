-- The examples of docs/testing-pipelines.md run, as if they lay beside the scripts.
local test = require "sluice.test"

local function examples(path)
   local file = assert(io.open(path, "rb"))
   local text = file:read "*a"
   file:close()
   return text:gmatch "```lua\n(.-)```"
end

local function loaded(text, env)
   local chunk = assert(loadstring(text, "@scripts/docs_spec.lua"))
   return setfenv(chunk, setmetatable({ test = test }, { __index = env }))
end

describe("docs/testing-pipelines.md", function()
   local env = getfenv(1)
   for text in examples "docs/testing-pipelines.md" do
      if text:find "describe%(" then
         loaded(text, env)()
      else
         it(text:match "^[^\n]*", function() loaded(text, env)() end)
      end
   end
end)
