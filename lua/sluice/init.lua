--- What `require "sluice"` gives: constructors only. Nothing runs while a script is
-- loaded.
-- @module sluice

local cjson = require "cjson"

local aggregate = require "sluice.aggregate"
local cluster = require "sluice.cluster"
local connector = require "sluice.connector"
local field = require "sluice.field"
local helper = require "sluice.helper"
local later = require "sluice.later"
local nearest = require "sluice.nearest"
local param = require "sluice.param"
local pipeline = require "sluice.pipeline"
local place = require "sluice.place"
local random = require "sluice.helper.random"
local schema = require "sluice.schema"
local secret = require "sluice.secret"
local stream = require "sluice.stream"
local tables = require "sluice.tables"
local window = require "sluice.window"

local sluice = {
   cluster = cluster.cluster,
   env = secret.env,
   secret_file = secret.secret_file,
   aggregate = aggregate.aggregate,
   param = param.param,
   pipeline = pipeline.pipeline,
}

for name in pairs(helper.LIBRARIES) do sluice[name] = helper.shown(name) end
sluice.random = random.of
for kind in pairs(schema.TYPES) do sluice[kind] = field.constructor(kind) end
sluice.null = cjson.null
for name, constructor in pairs(aggregate.constructors) do sluice[name] = constructor end
for _, kind in ipairs(connector.kinds()) do sluice[kind] = stream.constructor(kind) end
for kind, constructor in pairs(window.constructors) do sluice[kind] = constructor end

local names = tables.keys(sluice)

return setmetatable(sluice, {
   __index = function(_, name)
      later.refuse(later.CONSTRUCTORS, name, "sluice." .. tostring(name))
      place.fail(nil, "unknown name `sluice.%s`%s", tostring(name),
         nearest.hint(tostring(name), names, "sluice"))
   end,
})
