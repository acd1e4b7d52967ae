--- Secrets, only ever by reference: what a script holds is the name of a variable or a
-- path, never the value.
-- @module sluice.secret

local options = require "sluice.options"
local place = require "sluice.place"

local secret = {}

local Secret = {}

local function reference(kind, what, name)
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
   return setmetatable({ env = reference("env", "a variable's name", name) }, Secret)
end

--- A secret in a file, its last line end taken off.
-- @tparam string path
-- @treturn sluice.secret.Secret
-- @usage sasl = { mechanism = "PLAIN", username = "me", password = sluice.secret_file
--   "/run/key" }
function secret.secret_file(path)
   return setmetatable({ file = reference("secret_file", "a path", path) }, Secret)
end

--- Checker for an option that holds a secret; in the plan `{ env = }` or `{ file = }`.
-- @treturn table checker
function secret.checker()
   local wanted = 'sluice.env "NAME" or sluice.secret_file "path" (never the secret '
      .. 'itself)'
   local checker = options.checker(wanted, function(value)
      if getmetatable(value) == Secret then
         return { env = value.env, file = value.file }
      end
   end)
   -- What was given may be the secret: the message must not show it.
   checker.is_secret = true
   return checker
end

return secret
