import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;

/** Ride events, the same bytes for the same arguments: event i depends on the seed and i alone. */
final class Rides {
    private static final String[] TYPES = {
        "ride_requested", "driver_assigned", "driver_arrived", "ride_started", "ride_completed",
        "ride_cancelled", "payment_failed", "heartbeat",
    };
    private static final byte[][] TYPE_BYTES =
        Arrays.stream(TYPES).map(t -> t.getBytes(StandardCharsets.US_ASCII)).toArray(byte[][]::new);
    private static final byte[] EVENT = ascii("{\"event_id\":\"ride-"), USER = ascii("\",\"user_id\":\"user-"),
        TYPE = ascii("\",\"event_type\":\""), AMOUNT = ascii("\",\"amount\":"), TS = ascii(",\"ts\":");
    private static final byte[] HEX = ascii("0123456789abcdef");

    private final byte[] line = new byte[256];
    private int length;

    static void generate(String bootstrap, JsonNode request, ObjectNode answer) throws Exception {
        String topic = request.get("topic").asText();
        long count = request.get("count").asLong(), seed = request.get("seed").asLong();
        long start = request.get("start_ms").asLong(), span = request.get("span_ms").asLong();
        long disorder = request.get("disorder_ms").asLong(), users = request.get("users").asLong();
        int partitions = request.get("partitions").asInt();
        AtomicReference<Exception> failure = new AtomicReference<>();
        Map<String, Object> config = Map.of(
            "compression.type", "lz4", "batch.size", 1 << 19, "linger.ms", 20, "max.request.size", 4 << 20);
        Rides rides = new Rides();
        long bytes = 0, began = System.nanoTime();
        try (KafkaProducer<byte[], byte[]> producer = Records.producer(bootstrap, config)) {
            for (long i = 0; i < count && failure.get() == null; i++) {
                long now = start + (long) ((double) i * span / count);
                byte[] value = rides.event(seed, i, now, disorder, users);
                bytes += value.length;
                producer.send(new ProducerRecord<>(topic, (int) (i % partitions), now, null, value), (at, e) -> {
                    if (e != null) failure.set(e);
                });
            }
        }
        if (failure.get() != null) throw failure.get();
        answer.put("count", count).put("bytes", bytes).put("seconds", (System.nanoTime() - began) / 1e9);
    }

    private byte[] event(long seed, long i, long now, long disorder, long users) {
        long a = mix(seed * 0x9E3779B97F4A7C15L + i), b = mix(a), c = mix(b);
        long behind = Long.remainderUnsigned(a, 10) == 0
            ? Long.remainderUnsigned(b, Math.max(1, disorder)) : Long.remainderUnsigned(b, Math.min(2000, disorder + 1));
        length = 0;
        put(EVENT);
        putHex(c);
        line[length++] = '-';
        putHex(a);
        put(USER);
        putPadded(Long.remainderUnsigned(mix(c), users), 12);
        put(TYPE);
        put(TYPE_BYTES[(int) (c >>> 61)]);
        put(AMOUNT);
        putAmount(Long.remainderUnsigned(c >>> 7, 10000));
        put(TS);
        putPadded(now - behind, 1);
        line[length++] = '}';
        return Arrays.copyOf(line, length);
    }

    /** The finalizer of splitmix64 (Steele, Lea, Flood 2014). */
    private static long mix(long z) {
        z += 0x9E3779B97F4A7C15L;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }

    private void put(byte[] text) {
        System.arraycopy(text, 0, line, length, text.length);
        length += text.length;
    }

    private void putHex(long value) {
        for (int shift = 60; shift >= 0; shift -= 4) line[length++] = HEX[(int) (value >>> shift) & 15];
    }

    /** Zero-padded to `width` at least; `value` is not negative. */
    private void putPadded(long value, int width) {
        int digits = 1;
        for (long rest = value / 10; rest > 0; rest /= 10) digits++;
        int end = length + Math.max(digits, width);
        for (int at = end - 1; at >= length; at--, value /= 10) line[at] = (byte) ('0' + value % 10);
        length = end;
    }

    private void putAmount(long cents) {
        putPadded(cents / 100, 1);
        line[length++] = '.';
        putPadded(cents % 100, 2);
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }
}
