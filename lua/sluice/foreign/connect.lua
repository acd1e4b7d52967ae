--- Names that Spark, Flink, Kafka and Kafka Streams have for options of sources, sinks
-- and pipelines, and what stands here instead. See `sluice.foreign` for what a row holds.
-- @module sluice.foreign.connect

local BROKERS = { "kafka.bootstrap.servers bootstrap.servers servers "
   .. "properties.bootstrap.servers", "Kafka", "brokers", '`brokers = "host:9092"`' }
local SECURITY = { "kafka.security.protocol security.protocol", "Kafka", "tls sasl",
   "`tls = true` (SSL), `sasl = { … }`, or both" }
local SASL = { "kafka.sasl.mechanism sasl.mechanism kafka.sasl.jaas.config "
   .. "sasl.jaas.config", "Kafka", "sasl",
   '`sasl = { username = …, password = sluice.env "NAME" }`' }
local FORMAT = { "format", "Spark Flink", ":json :csv :raw",
   "`:json { fields }`, `:csv { fields }` or `:raw()` behind the source" }
local SCHEMA = { "schema", "Spark", ":json", "`:json { fields }` behind the source" }
local BAD = { "mode", "Spark", "bad_records",
   '`bad_records = "skip"` (DROPMALFORMED), `"fail"` (FAILFAST) or `"quarantine"`' }
local CHECKPOINT = { "checkpointLocation", "Spark", "pipeline.checkpoint",
   "`checkpoint` of sluice.pipeline" }
local MODE = { "outputMode", "Spark", "mode", '`mode = "update"`' }
local TRIGGER = { "trigger", "Spark", "pipeline.trigger", "`trigger` of sluice.pipeline" }

return {
   ["sluice.kafka source"] = {
      BROKERS, SECURITY, SASL, FORMAT, SCHEMA, BAD, CHECKPOINT, TRIGGER,
      { "subscribe topic", "Spark Flink", "topics", '`topics = "rides"`' },
      { "subscribePattern topicPattern topic-pattern topics.regex", "Spark Flink",
         "pattern", '`pattern = "rides_.*"`' },
      { "assign", "Spark", "topics partitions",
         '`topics = "rides", partitions = { 0, 1 }`' },
      { "startingOffsets auto.offset.reset kafka.auto.offset.reset scan.startup.mode",
         "Spark Flink Kafka", "start",
         '`start = "earliest"`, `"latest"` or `{ rides = { [0] = 17 } }`' },
      { "startingTimestamp startingOffsetsByTimestamp scan.startup.timestamp-millis",
         "Spark Flink", "start", '`start = { timestamp = "2026-05-01T00:00:00Z" }`' },
      { "endingOffsets endingTimestamp endingOffsetsByTimestamp scan.bounded.mode "
         .. "setBounded", "Spark Flink",
         "pipeline.trigger", '`trigger = "available-now"` of sluice.pipeline: to what '
         .. "is there at the start, then it ends" },
      { "failOnDataLoss", "Spark", "on_data_loss", '`on_data_loss = "fail"` or '
         .. '`"continue"`' },
      { "maxOffsetsPerTrigger max.poll.records", "Spark Kafka", "max_records",
         "`max_records = 500000` (a batch)" },
      { "minOffsetsPerTrigger", "Spark", "min_records", "`min_records = 1000`" },
      { "maxTriggerDelay", "Spark", "max_delay", '`max_delay = "1 minute"`' },
      { "maxRatePerPartition", "Spark", "max_rate", "`max_rate = 1000`, of all" },
      { "includeHeaders", "Spark", ":from_header",
         '`sluice.string "trace" :from_header "trace-id"` among the fields' },
      { "kafka.group.id group.id groupIdPrefix properties.group.id",
         "Spark Kafka", "group", '`group = "name"`' },
      { "isolation.level kafka.isolation.level", "Kafka", "isolation",
         '`isolation = "read_committed"`' },
      { "minPartitions", "Spark", "pipeline.workers",
         "`workers` of sluice.pipeline: each takes parts of any partition" },
      { "scan.topic-partition-discovery.interval", "Flink", "pattern",
         "nothing: new partitions are found by themselves, new topics by `pattern`" },
      { "columnNameOfCorruptRecord", "Spark", "bad_records :quarantine_to",
         '`bad_records = "quarantine"`, and `:quarantine_to(sink)`' },
      { "watermark watermarkStrategy delayThreshold", "Spark Flink",
         "event_time.delay", '`:event_time("ts", { delay = "10 minutes" })`' },
   },
   ["sluice.kafka sink"] = {
      BROKERS, SECURITY, SASL, CHECKPOINT, MODE, TRIGGER,
      { "subscribe", "Spark", "topic", '`topic = "results"`' },
      { "partition partitioner sink.partitioner streamPartitioner", "Spark Flink Streams",
         "partition_by",
         '`partition_by = "user_id"`, or a function(row) that gives the number' },
      { "format", "Spark Flink", "value",
         "nothing: rows leave as JSON; other bytes by `value = function(row) … end`" },
      { "compression.type kafka.compression.type", "Kafka", "compression",
         '`compression = "lz4"`' },
      { "queryName", "Spark", "pipeline.name", "`name` of sluice.pipeline" },
      { "delivery.guarantee sink.delivery-guarantee transactional.id", "Flink Kafka",
         "pipeline.delivery", "`delivery` of sluice.pipeline" },
      { "partitions num.partitions", "Kafka", "create",
         "`create = 12` (a topic that is missing gets as many), or `partition_by`" },
   },
   ["sluice.file source"] = {
      SCHEMA, BAD, FORMAT,
      { "maxFilesPerTrigger maxBytesPerTrigger", "Spark", "max_records max_bytes",
         "`max_records` or `max_bytes`" },
      { "header", "Spark", "csv.header", "`:csv { fields, header = true }`" },
      { "sep delimiter", "Spark", "csv.delimiter", '`:csv { fields, delimiter = ";" }`' },
      { "inferSchema", "Spark", ":csv", "`:csv { fields }`: types are declared" },
      { "nullValue", "Spark", "csv.null", '`:csv { fields, null = "NA" }`' },
      { "latestFirst fileNameOnly maxFileAge cleanSource", "Spark", "path",
         "nothing: files are read in the order of their names, and left as they are" },
      { "recursiveFileLookup pathGlobFilter", "Spark", "path",
         '`path = "dir/*.jsonl"`, or a list of such' },
      { "monitor-interval monitorContinuously source.monitor-interval", "Flink", "follow",
         "`follow = true`" },
      { "multiLine", "Spark", "path", "one object a line: `jq -c . FILE` makes them" },
      { "compression", "Spark", "path", "nothing: `.gz` and `.zst` are unpacked by their "
         .. "name" },
      { "columnNameOfCorruptRecord", "Spark", "bad_records :quarantine_to",
         '`bad_records = "quarantine"`, and `:quarantine_to(sink)`' },
   },
   ["sluice.file sink"] = {
      CHECKPOINT, MODE, TRIGGER,
      { "format", "Spark Flink", "path", "nothing: a file sink writes JSON lines" },
      { "partitionBy partition_by", "Spark", "path",
         "several branches, each with a `:filter` and a path" },
   },
   ["sluice.generator source"] = {
      { "rowsPerSecond rows-per-second", "Spark Flink", "rate", "`rate = 100`" },
      { "numberOfRows number-of-rows limit", "Flink Spark", "count", "`count = 1000`" },
      { "numPartitions", "Spark", "count", "nothing: a generator is one partition" },
      { "rampUpTime", "Spark", "rate", "nothing: `rate` holds from the first row" },
   },
   ["sluice.sink sink"] = {
      { "foreach foreachBatch process invoke", "Spark Flink", "write",
         "`write = function(rows, batch, handle) … end`" },
   },
   ["sluice.pipeline"] = {
      { "checkpointLocation state.checkpoints.dir state.checkpoint-dir "
         .. "execution.checkpointing.dir", "Spark Flink", "checkpoint",
         '`checkpoint = "file:./checkpoints"` or `"s3://bucket/path"`' },
      { "state.dir state.backend.rocksdb.localdir spark.local.dir", "Streams Flink Spark",
         "state_dir", '`state_dir = "./state"`: the local copy; `checkpoint` is the '
         .. "one that counts" },
      { "taskmanager.memory.managed.size statestore.cache.max.bytes "
         .. "cache.max.bytes.buffering", "Flink Streams", "memory",
         '`memory = "1 GiB"`' },
      { "state.checkpoints.num-retained minBatchesToRetain", "Flink Spark", "history",
         '`history = "7 days"`' },
      { "outputMode", "Spark", "sink.mode", '`mode = "update"` of the sink' },
      { "mode", "Spark", "sink.mode", '`mode = "update"` of the sink' },
      { "processingTime", "Spark", "trigger", '`trigger = "30 seconds"`' },
      { "availableNow", "Spark", "trigger", '`trigger = "available-now"`' },
      { "continuous", "Spark", "trigger", '`trigger = "continuous"`' },
      { "once", "Spark", "trigger", '`trigger = "once"`' },
      { "queryName application.id app_name appName job_name pipeline.name",
         "Spark Flink Streams", "name", '`name = "rides"`' },
      { "parallelism parallelism.default num.stream.threads shufflePartitions "
         .. "spark.sql.shuffle.partitions", "Flink Streams Spark", "workers",
         "`workers = 4`" },
      { "delayThreshold watermark withWatermark", "Spark", "event_time.delay",
         '`:event_time("ts", { delay = "10 minutes" })`' },
      { "processing.guarantee execution.checkpointing.mode sink.delivery-guarantee",
         "Streams Flink", "delivery", '`delivery = "exactly-once"` (or leave it out), '
         .. '`"at-least-once"`' },
      { "commit.interval.ms checkpointInterval execution.checkpointing.interval",
         "Streams Flink", "commit_interval",
         '`commit_interval = "1 second"`, or `trigger = "30 seconds"`: each batch is a '
         .. "commit" },
      { "stopGracefullyOnShutdown", "Spark", "shutdown_timeout",
         '`shutdown_timeout = "10 seconds"`' },
      { "bootstrap.servers brokers", "Streams Kafka", "source.brokers",
         "`brokers` of sluice.kafka" },
   },
   [":event_time"] = {
      { "delayThreshold maxOutOfOrderness forBoundedOutOfOrderness outOfOrderness",
         "Spark Flink", "delay", '`delay = "10 minutes"`' },
      { "grace allowedLateness", "Streams Flink", "delay tumbling.allowed_lateness",
         '`delay = "10 minutes"`, or `allowed_lateness` of one window' },
      { "withIdleness idleness idle_timeout idleTimeout scan.watermark.idle-timeout",
         "Flink", "idle", '`idle = "30 seconds"`' },
      { "multipleWatermarkPolicy", "Spark", "watermark", '`watermark = "max"`' },
      { "format", "Spark", "sluice.time.parse",
         '`:event_time(function(row) return sluice.time.parse(row.ts, "%Y-%m-%d '
         .. '%H:%M:%S") end)`' },
   },
}
