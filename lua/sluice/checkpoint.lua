--- The option `checkpoint`: where state and progress are kept, and how to get in.
-- @module sluice.checkpoint

local options = require "sluice.options"
local secret = require "sluice.secret"
local tables = require "sluice.tables"

local checkpoint = {}

--- Of a pipeline that keeps nothing.
checkpoint.NONE = "none"

local WANTED = '"file:DIR", "s3://BUCKET/PATH" or "none", or a table of url, region, '
   .. "endpoint, path_style, conditional_puts, access_key, secret_key, session_token"

-- What a store is called by, how its url looks, and what follows from it. Further stores
-- are a line here and in state/store.c.
local SCHEMES = {
   file = { pattern = "^file:.", example = "file:./checkpoints", commit_interval_ms = 0,
      is_local = true },
   s3 = { pattern = "^s3://[%w][%w.-]+/?[^?#%s]*$", example = "s3://bucket/path",
      commit_interval_ms = 1000 },
   memory = { pattern = "^memory:.", example = "memory:test", commit_interval_ms = 0 },
}

local LATER = { gs = true, hdfs = true, kafka = true, wasbs = true, abfs = true }

local function not_yet(scheme)
   return ('"file:DIR" or "s3://BUCKET/PATH" (%s: comes with a later release)'):format(
      scheme)
end

-- A path, written as it is or as a URL.
local function plain(url)
   local rest = url:match "^file:/*(/.*)$"
   return rest and "file:" .. rest or url
end

local URL = options.checker('"file:DIR", "s3://BUCKET/PATH" or "none"', function(value)
   if type(value) ~= "string" or value:find "%z" then return nil end
   if value == checkpoint.NONE then return value end
   local scheme = value:match "^(%a%w*):"
   local known = SCHEMES[scheme]
   if known then
      if value:find(known.pattern) then return plain(value) end
      return nil, ("%s: as in %q"):format(scheme, known.example)
   end
   if scheme == "s3a" or scheme == "s3n" then
      return nil, ('"s3://%s"'):format(value:match "^%a%w*:/*(.*)$")
   end
   if LATER[scheme] then return nil, not_yet(scheme) end
   if value:find "/" then
      return nil, ("%q, with its kind in front"):format("file:" .. value)
   end
end)

local ENDPOINT = options.checker('an address as in "http://localhost:9000"',
   function(value)
   return type(value) == "string" and value:find "^https?://[^%s/]+/?$"
      and value:gsub("/$", "") or nil
end)

--- Options of the table form.
checkpoint.OPTIONS = {
   url = { check = URL, doc = "where: `file:DIR`, `s3://BUCKET/PATH`",
      about = "correctness",
      risk = "another place holds another state",
   },
   region = { check = options.text "a region", doc = "s3: else $AWS_REGION",
      about = "access",
      risk = "requests signed for another region are refused",
   },
   endpoint = { check = ENDPOINT, doc = "s3: another server than Amazon's",
      about = "access",
      risk = "http:// sends everything in clear",
   },
   path_style = { check = options.flag(),
      doc = "s3: the bucket stands in the path, not in the host's name; else true where "
         .. "`endpoint` is given",
      about = "access",
      risk = "a server that wants it the other way says that there is no such bucket",
   },
   conditional_puts = { check = options.flag(),
      doc = "s3: whether the server refuses the second of two PUTs of one name; else "
         .. "true, and tried out",
      about = "correctness",
      risk = "false: without Kafka nothing keeps a second process of the pipeline out",
   },
   access_key = { check = secret.checker(), doc = "s3: else $AWS_ACCESS_KEY_ID",
      about = "access",
      risk = "by reference only",
   },
   secret_key = { check = secret.checker(), doc = "s3: else $AWS_SECRET_ACCESS_KEY",
      about = "access",
      risk = "by reference only",
   },
   session_token = { check = secret.checker(), doc = "s3: else $AWS_SESSION_TOKEN",
      about = "access",
      risk = "by reference only; a token runs out, and with it the pipeline",
   },
}

local TABLE = options.nested(WANTED, checkpoint.OPTIONS, { "url" })

local function scheme_of(url)
   return url:match "^(%a%w*):"
end

-- What does not go together in a checked table.
local function conflict(store, given)
   if scheme_of(store.url) == "s3" then
      if (store.access_key == nil) ~= (store.secret_key == nil) then
         return "`access_key` and `secret_key`, one goes with the other"
      end
      return nil
   end
   for _, name in ipairs(tables.keys(given)) do
      if name ~= "url" then
         return ("it without `%s`, which is for s3:// (url is %q)"):format(name,
            store.url)
      end
   end
end

local function check(value)
   if type(value) ~= "table" then
      local url, closer = URL.check(value)
      return url and { url = url } or nil, closer
   end
   local store, closer, inside = TABLE.check(value)
   if not store then return nil, closer, inside end
   local wrong = conflict(store, value)
   if wrong then return nil, wrong end
   return store
end

--- The checker: in the plan `{ url =, region =, … }`, secrets by reference.
checkpoint.checker = options.checker(WANTED, check)

--- How it looks to people: the url, and what else was given, never a secret.
-- @tparam table store in the plan's form
-- @treturn string
function checkpoint.checker.say(store)
   local parts = { store.url }
   for _, name in ipairs(tables.keys(store)) do
      if secret.is(store[name]) then
         parts[#parts + 1] = ("%s by reference"):format(name)
      elseif name ~= "url" then
         parts[#parts + 1] = ("%s %s"):format(name, tostring(store[name]))
      end
   end
   return table.concat(parts, ", ")
end

--- Least time between two commits where the script says none, ms: an object in a remote
-- store costs money and time.
-- @tparam string url
-- @treturn integer
function checkpoint.commit_interval_ms(url)
   return SCHEMES[scheme_of(url)].commit_interval_ms
end

--- Whether only this machine has the store.
-- @tparam string url
-- @treturn boolean
function checkpoint.is_local(url)
   return SCHEMES[scheme_of(url)].is_local or false
end

--- The folder for what of the state lies on the local disk.
-- @tparam string url or "none"
-- @tparam ?string given `state_dir`
-- @tparam string name of the pipeline
-- @treturn ?string nil: in memory, there is none
function checkpoint.state_dir(url, given, name)
   local scheme = scheme_of(url)
   if not given and scheme == "memory" then return nil end
   local folder = given
      or scheme == "file" and url:match "^file:(.-)/*$" .. "/.state"
      or "./sluice-state"
   return folder .. "/" .. name
end

return checkpoint
