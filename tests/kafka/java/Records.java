import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedInputStream;
import java.io.BufferedWriter;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Records in and out, as bytes. */
final class Records {
    private final String bootstrap;
    private final Topics topics;
    private final List<KafkaProducer<byte[], byte[]>> leftOpen = new ArrayList<>();

    Records(String bootstrap, Topics topics) {
        this.bootstrap = bootstrap;
        this.topics = topics;
    }

    /** What the consumer does with each record. */
    interface Visitor {
        void visit(ConsumerRecord<byte[], byte[]> record) throws Exception;
    }

    static KafkaProducer<byte[], byte[]> producer(String bootstrap, Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(Map.of(
            "bootstrap.servers", bootstrap, "linger.ms", 2, "max.request.size", 20 << 20,
            "buffer.memory", 64 << 20));
        config.putAll(more);
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }

    void produce(JsonNode request, ObjectNode answer) throws Exception {
        String transaction = request.path("transaction").asText("");
        Map<String, Object> config = transaction.isEmpty()
            ? Map.of() : Map.of("transactional.id", "test-" + UUID.randomUUID());
        KafkaProducer<byte[], byte[]> producer = producer(bootstrap, config);
        if (!transaction.isEmpty()) {
            producer.initTransactions();
            producer.beginTransaction();
        }
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (JsonNode record : request.get("records")) sent.add(producer.send(record(request, record)));
        producer.flush();
        if (request.hasNonNull("group")) producer.sendOffsetsToTransaction(
            Map.of(new TopicPartition(request.get("topic").asText(), 0), new OffsetAndMetadata(0)),
            new ConsumerGroupMetadata(request.get("group").asText()));
        ArrayNode offsets = answer.putArray("offsets");
        for (Future<RecordMetadata> one : sent) offsets.add(one.get().offset());
        if (transaction.equals("commit")) producer.commitTransaction();
        if (transaction.equals("abort")) producer.abortTransaction();
        if (transaction.equals("open")) leftOpen.add(producer);
        else producer.close();
    }

    void endOpen(JsonNode request, ObjectNode answer) {
        try (KafkaProducer<byte[], byte[]> producer = leftOpen.remove(leftOpen.size() - 1)) {
            if (request.get("commit").asBoolean()) producer.commitTransaction();
            else producer.abortTransaction();
        }
    }

    private static ProducerRecord<byte[], byte[]> record(JsonNode request, JsonNode from) throws IOException {
        ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(
            request.get("topic").asText(),
            from.hasNonNull("partition") ? Integer.valueOf(from.get("partition").asInt()) : null,
            from.hasNonNull("timestamp") ? Long.valueOf(from.get("timestamp").asLong()) : null,
            bytes(from.get("key")), bytes(from.get("value")));
        for (JsonNode header : from.get("headers"))
            record.headers().add(header.get(0).asText(), bytes(header.get(1)));
        return record;
    }

    void produceLines(JsonNode request, ObjectNode answer) throws Exception {
        Integer partition = request.hasNonNull("partition") ? request.get("partition").asInt() : null;
        String topic = request.get("topic").asText();
        AtomicReference<Exception> failure = new AtomicReference<>();
        long count = 0;
        try (InputStream in = new BufferedInputStream(Files.newInputStream(Path.of(request.get("path").asText())));
             KafkaProducer<byte[], byte[]> producer = producer(bootstrap, Map.of())) {
            for (byte[] line = readLine(in); line != null; line = readLine(in), count++)
                producer.send(new ProducerRecord<>(topic, partition, null, line), (at, e) -> {
                    if (e != null) failure.set(e);
                });
        }
        if (failure.get() != null) throw failure.get();
        answer.put("count", count);
    }

    /** Bytes, not characters: a line may hold invalid UTF-8 on purpose. */
    private static byte[] readLine(InputStream in) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        int b = in.read();
        if (b < 0) return null;
        for (; b >= 0 && b != '\n'; b = in.read()) line.write(b);
        return line.toByteArray();
    }

    void consume(JsonNode request, ObjectNode answer) throws Exception {
        long timeoutMs = request.get("timeout_ms").asLong();
        Path path = Path.of(request.get("path").asText());
        topics.settle();
        try (BufferedWriter out = Files.newBufferedWriter(path, StandardCharsets.UTF_8)) {
            long count = scan(bootstrap, request, request.get("at_least").asLong(), timeoutMs, record -> {
                out.write(TestClient.JSON.writeValueAsString(row(record)));
                out.newLine();
            });
            answer.put("count", count);
        }
    }

    private static ObjectNode row(ConsumerRecord<byte[], byte[]> record) {
        ObjectNode row = TestClient.JSON.createObjectNode();
        row.put("partition", record.partition()).put("offset", record.offset());
        row.put("timestamp", record.timestamp());
        row.put("key", record.key()).put("value", record.value());
        ArrayNode headers = row.putArray("headers");
        for (Header header : record.headers()) headers.addArray().add(header.key()).add(header.value());
        return row;
    }

    /** Visit all records up to the end as it is now; then go on until `atLeast` were seen or the time is up. */
    static long scan(String bootstrap, JsonNode request, long atLeast, long timeoutMs, Visitor visitor)
        throws Exception {
        boolean committed = request.path("read_committed").asBoolean(true);
        Map<String, Object> config = Map.of(
            "bootstrap.servers", bootstrap, "isolation.level", committed ? "read_committed" : "read_uncommitted",
            "max.poll.records", 20000, "fetch.max.wait.ms", 50, "auto.offset.reset", "none",
            "enable.auto.commit", false, "max.partition.fetch.bytes", 4 << 20, "allow.auto.create.topics", false);
        try (KafkaConsumer<byte[], byte[]> consumer =
                 new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = new ArrayList<>();
            consumer.partitionsFor(request.get("topic").asText())
                .forEach(p -> partitions.add(new TopicPartition(p.topic(), p.partition())));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            long deadline = System.nanoTime() + timeoutMs * 1_000_000;
            long count = 0;
            while (!(reached(consumer, ends) && (count >= atLeast || System.nanoTime() >= deadline))) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(50))) {
                    visitor.visit(record);
                    count++;
                }
            }
            return count;
        }
    }

    private static boolean reached(KafkaConsumer<byte[], byte[]> consumer, Map<TopicPartition, Long> ends) {
        for (Map.Entry<TopicPartition, Long> end : ends.entrySet())
            if (consumer.position(end.getKey()) < end.getValue()) return false;
        return true;
    }

    private static byte[] bytes(JsonNode base64) {
        return base64 == null || base64.isNull() ? null : Base64.getDecoder().decode(base64.asText());
    }
}
