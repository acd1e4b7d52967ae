--- Which Kafka, and how to get in: options of sources and sinks alike, or of a
-- `sluice.cluster` they share.
-- @module sluice.cluster

local options = require "sluice.options"
local secret = require "sluice.secret"

local cluster = {}

local Cluster = {}
local DEFAULT_BROKERS = "localhost:9092"

-- Raw client options that would undo what sluice promises, and what to write instead.
local OWNED = {
   ["bootstrap.servers"] = "write `brokers`",
   ["metadata.broker.list"] = "write `brokers`",
   ["group.id"] = "write `group`", ["isolation.level"] = "write `isolation`",
   ["auto.offset.reset"] = "write `start` and `on_data_loss`",
   ["compression.codec"] = "write `compression`",
   ["compression.type"] = "write `compression`",
   ["sasl.password"] = "write `sasl`", ["ssl.key.password"] = "write `tls`",
   ["client.id"] = "it is the pipeline's name",
   ["transactional.id"] = "it is the pipeline's name",
   ["enable.auto.commit"] = "sluice keeps the positions",
   ["enable.auto.offset.store"] = "sluice keeps the positions",
   partitioner = "keys are always placed as Java's client does",
}

local BROKERS = options.checker('brokers as in "host:9092,host2:9092"', function(value)
   if type(value) == "table" then
      if #value == 0 then return nil end
      for _, one in ipairs(value) do
         if type(one) ~= "string" then return nil end
      end
      value = table.concat(value, ",")
   end
   if type(value) == "string" and value ~= "" and not value:find "%s" then
      return value
   end
end)

local CONFIG_TYPES = { string = true, number = true, boolean = true }

local CONFIG = options.checker('client options as in { ["fetch.min.bytes"] = 1 }',
   function(value)
   if type(value) ~= "table" then return nil end
   local config = {}
   for name, raw in pairs(value) do
      if type(name) ~= "string" or not CONFIG_TYPES[type(raw)] then return nil end
      if OWNED[name] then
         return nil, ("it without `%s`: %s"):format(name, OWNED[name])
      end
      config[name] = tostring(raw)
   end
   return config
end)

--- Options of `tls`.
cluster.TLS = {
   ca = { check = options.text "a path", doc = "certificates to trust, PEM",
      about = "access",
      risk = "without it the certificates of the system are trusted",
   },
   cert = { check = options.text "a path", doc = "own certificate, PEM (mTLS)",
      about = "access",
      risk = "own certificate",
   },
   key = { check = options.text "a path", doc = "own private key, PEM",
      about = "access",
      risk = "own private key",
   },
   key_password = { check = secret.checker(), doc = "what opens the key",
      about = "access",
      risk = "by reference only",
   },
   verify_hostname = {
      check = options.flag(), default = true,
      doc = "the certificate must be the broker's own",
      about = "access",
      risk = "false: whoever has any trusted certificate can pose as the broker",
   },
}

--- Options of `sasl`.
cluster.SASL = {
   mechanism = { check = options.word { "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512" },
      default = "PLAIN",
      doc = "how to log in",
      about = "access",
      risk = "PLAIN without `tls` sends the password in clear",
   },
   username = { check = options.text(), doc = "who logs in",
      about = "access",
      risk = "its rights decide what works: `sluice check --connect`",
   },
   password = {
      check = secret.checker(), doc = "by reference: sluice.env, sluice.secret_file",
      about = "access",
      risk = "by reference only",
   },
}

local TLS_TABLE = options.nested("true or a table of ca, cert, key, key_password, "
   .. "verify_hostname", cluster.TLS, {})
local TLS_OR_TRUE = options.checker(TLS_TABLE.wanted, function(value)
   if value == true then value = {} end
   return TLS_TABLE.check(value)
end)

local SASL_TABLE = options.nested("a table of mechanism, username, password",
   cluster.SASL, { "username", "password" })

--- Options of a cluster.
cluster.options = {
   brokers = {
      check = BROKERS, doc = "where to ask first; else $KAFKA_BROKERS, else "
      .. DEFAULT_BROKERS, environment = "KAFKA_BROKERS",
      about = "access",
      risk = "which Kafka; `localhost` is rarely meant in production",
   },
   config = { check = CONFIG, doc = "raw options of the Kafka client",
      about = "latency",
      risk = "goes to the client unjudged",
   },
   tls = { check = TLS_OR_TRUE, doc = "encrypt",
      about = "access",
      risk = "without it everything is sent in clear",
   },
   sasl = { check = SASL_TABLE, doc = "log in",
      about = "access",
      risk = "without it whoever reaches the broker can read and write",
   },
}

--- The option by which a source or sink names a shared cluster.
cluster.reference = {
   cluster = {
      check = options.checker("a sluice.cluster { … }", function(value)
         if getmetatable(value) == Cluster then return value.values end
      end),
      doc = "brokers, config, tls and sasl in one",
      about = "access",
      risk = "shared by sources and sinks",
   },
}

--- What several sources and sinks share.
-- @tparam table given `brokers`, `config`, `tls`, `sasl`
-- @treturn sluice.cluster.Cluster
-- @raise for unknown options and wrong values
-- @usage local main = sluice.cluster { brokers = "kafka:9092", tls = true }
function cluster.cluster(given)
   return setmetatable({ values = options.read("sluice.cluster", cluster.options,
      given) }, Cluster)
end

--- Say what is wrong between options.
-- @tparam table values checked options of a source or sink
-- @treturn ?string a message
function cluster.conflict(values)
   if not values.cluster then return nil end
   for name in pairs(cluster.options) do
      if values[name] ~= nil then
         return ("`%s` and `cluster` are given: write it into sluice.cluster")
            :format(name)
      end
   end
end

--- Fill in where the brokers are, and take a shared cluster apart.
-- @tparam table filled options, changed in place
function cluster.fill(filled)
   for name, value in pairs(filled.cluster or {}) do filled[name] = value end
   filled.cluster = nil
   filled.brokers = filled.brokers or os.getenv "KAFKA_BROKERS" or DEFAULT_BROKERS
   filled.config = filled.config or {}
end

return cluster
