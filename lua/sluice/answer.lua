--- What commands print of a running pipeline's answers (runtime/cli/control.h).
-- @module sluice.answer

local cjson = require "cjson"

local shadow = require "sluice.answer.shadow"
local status = require "sluice.answer.status"

local answer = {}

local REFUSED = 4

-- One that ended meanwhile, or could not: text, exit code; nil: it is what was asked.
local function trouble(it)
   if type(it) ~= "table" then return "its answer cannot be read", 1 end
   if type(it.error) == "string" then return it.error, 1 end
   if it.ended then
      return ("it ended meanwhile, with exit code %s"):format(tostring(it.exit_code)), 1
   end
end

local KINDS = {}

function KINDS.status(it)
   return status.page(it), 0
end

function KINDS.shadow(it)
   return shadow.page(it)
end

function KINDS.list(all)
   return status.table(all), 0
end

local WENT_BACK = "the changed script failed in its first batch, which the old one has "
   .. "done: %s"
local ON_TRIAL = "%s\ntaken over; on trial until its first batch is done: no record has "
   .. "come yet"

function KINDS.reload(it)
   local text = tostring(it.text)
   if it.went_back == true then return WENT_BACK:format(text), REFUSED end
   if it.on_trial == true then return ON_TRIAL:format(text), 0 end
   return text, it.hot == true and 0 or REFUSED
end

-- Being told the end is what `stop` waits for.
local function stopped(it)
   if type(it) == "table" and it.ended then
      local code = tonumber(it.exit_code) or 1
      return code == 0 and "stopped" or ("ended with exit code %d"):format(code), code
   end
   return trouble(it)
end

--- Read an answer.
-- @tparam string kind `status`, `list` (answers in brackets), `stop` or `reload`
-- @tparam string json
-- @treturn string what to print
-- @treturn integer the command's exit code
-- @usage local text, code = answer.read("stop", '{"ended":true,"exit_code":0}')
function answer.read(kind, json)
   local ok, it = pcall(cjson.decode, json)
   if not ok then it = nil end
   if kind == "stop" then return stopped(it) end
   local wrong, code = trouble(it)
   if wrong then return wrong, code end
   return KINDS[kind](it)
end

return answer
