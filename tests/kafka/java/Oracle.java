import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.math.BigDecimal;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;

/**
 * What an aggregation over hopping windows must give, computed from the topic alone and in the plainest
 * way: every record is added to each window that holds it. No watermark, so nothing is late.
 */
final class Oracle {
    private static final JsonFactory FACTORY = new JsonFactory();

    private static final class Total {
        long count;
        double sum, rest, min = Double.POSITIVE_INFINITY, max = Double.NEGATIVE_INFINITY;
        long values;

        /** Neumaier's sum: right to the last bit or two in whatever order the records come. */
        void add(double x) {
            double t = sum + x;
            rest += Math.abs(sum) >= Math.abs(x) ? (sum - t) + x : (x - t) + sum;
            sum = t;
            min = Math.min(min, x);
            max = Math.max(max, x);
            values++;
        }
    }

    private static final Comparator<String> NULL_FIRST = Comparator.nullsFirst(Comparator.naturalOrder());

    private final String groupField, valueField, timeField, exclude;
    private final long size, every;
    private final Map<Long, Map<String, Total>> windows = new TreeMap<>();
    private final Map<Integer, Long> high = new TreeMap<>();
    private long bad, excluded;

    // the record at hand
    private String group;
    private Double value;
    private Long time;

    private Oracle(JsonNode request) {
        groupField = request.get("group").asText();
        valueField = request.get("value").asText();
        timeField = request.get("time").asText();
        exclude = request.path("exclude").asText("");
        size = request.get("size_ms").asLong();
        every = request.get("every_ms").asLong();
    }

    static void run(String bootstrap, JsonNode request, ObjectNode answer) throws Exception {
        Oracle oracle = new Oracle(request);
        long records = Records.scan(bootstrap, request, 0, 0, record -> oracle.observe(record.partition(), record.value()));
        answer.put("records", records).put("bad", oracle.bad).put("excluded", oracle.excluded);
        ObjectNode high = answer.putObject("high_ms");
        oracle.high.forEach((partition, time) -> high.put(partition.toString(), time));
        oracle.write(answer.putArray("windows"));
    }

    private void observe(int partition, byte[] json) {
        if (!read(json) || time == null) {
            bad++;
            return;
        }
        high.merge(partition, time, Math::max);
        if (exclude.equals(group)) {
            excluded++;
            return;
        }
        long last = Math.floorDiv(time, every) * every;
        for (long start = last; start > time - size; start -= every) {
            Total total = windows.computeIfAbsent(start, s -> new HashMap<>())
                .computeIfAbsent(group, g -> new Total());
            total.count++;
            if (value != null) total.add(value);
        }
    }

    /** The three fields of a flat object; false when it is not one. */
    private boolean read(byte[] json) {
        group = null;
        value = null;
        time = null;
        if (json == null) return false;
        try (JsonParser parser = FACTORY.createParser(json)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) return false;
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                JsonToken token = parser.nextToken();
                if (name.equals(groupField)) group = token == JsonToken.VALUE_NULL ? null : parser.getText();
                else if (name.equals(valueField)) value = token.isNumeric() ? Double.valueOf(parser.getText()) : null;
                else if (name.equals(timeField)) time = token.isNumeric() ? wholeNumber(parser.getText()) : null;
                else parser.skipChildren();
            }
            return parser.currentToken() == JsonToken.END_OBJECT && parser.nextToken() == null;
        } catch (IOException e) {
            return false;
        }
    }

    private static Long wholeNumber(String text) {
        try {
            return new BigDecimal(text).longValueExact();
        } catch (ArithmeticException e) {
            return null;
        }
    }

    private void write(ArrayNode out) {
        windows.forEach((start, groups) -> {
            Map<String, Total> sorted = new TreeMap<>(NULL_FIRST);
            sorted.putAll(groups);
            sorted.forEach((key, total) -> {
                ObjectNode row = out.addObject().put("key", key).put("start_ms", start).put("end_ms", start + size);
                row.put("count", total.count);
                if (total.values == 0) row.putNull("sum").putNull("min").putNull("max");
                else row.put("sum", total.sum + total.rest).put("min", total.min).put("max", total.max);
            });
        });
    }
}
