--- Secrets, only ever by reference: what a script holds is the name of a variable or a
-- path, never the value.
-- @module sluice.secret

local options = require "sluice.options"
local place = require "sluice.place"

local secret = {}

local Secret = {}
local Reference = {}

local function checked(kind, what, name)
   if type(name) ~= "string" or name == "" then
      place.fail(nil, "sluice.%s takes %s, got %s", kind, what, options.show(name))
   end
   return name
end

--- A secret in an environment variable.
-- @tparam string name of the variable
-- @treturn sluice.secret.Secret
-- @usage sasl = { mechanism = "PLAIN", username = "me", password = sluice.env
--   "KAFKA_PASSWORD" }
function secret.env(name)
   return setmetatable({ env = checked("env", "a variable's name", name) }, Secret)
end

--- A secret in a file, its last line end taken off.
-- @tparam string path
-- @treturn sluice.secret.Secret
-- @usage sasl = { mechanism = "PLAIN", username = "me", password = sluice.secret_file
--   "/run/key" }
function secret.secret_file(path)
   return setmetatable({ file = checked("secret_file", "a path", path) }, Secret)
end

--- Checker for an option that holds a secret; in the plan `{ env = }` or `{ file = }`.
-- @treturn table checker
function secret.checker()
   local wanted = 'sluice.env "NAME" or sluice.secret_file "path" (never the secret '
      .. 'itself)'
   local checker = options.checker(wanted, function(value)
      if getmetatable(value) == Secret then
         return setmetatable({ env = value.env, file = value.file }, Reference)
      end
   end)
   -- What was given may be the secret: the message must not show it.
   checker.is_secret = true
   return checker
end

--- Tell a reference in a plan's options from other tables.
-- @param it any
-- @treturn boolean
function secret.is(it)
   return getmetatable(it) == Reference
end

--- The secret itself, for the client that logs in; it goes into no plan that is printed.
-- @tparam table reference as a plan's options hold it
-- @treturn ?string
-- @treturn ?string a message, without the secret
function secret.reveal(reference)
   if reference.env then
      local text = os.getenv(reference.env)
      if text then return text end
      return nil, ("the environment variable %s is not set"):format(reference.env)
   end
   local file, message = io.open(reference.file, "rb")
   if not file then return nil, message end
   local text = file:read "*a"
   file:close()
   return (text:gsub("\r?\n$", ""))
end

return secret
