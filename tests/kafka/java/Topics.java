import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.function.LongFunction;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** Topics, offsets and groups: what an administrator sees. */
final class Topics {
    private static final int SETTLED_MS = 5000;
    private final Admin admin;

    Topics(Admin admin) {
        this.admin = admin;
    }

    /** Returns when every partition has its leader: a producer that comes earlier may wait for minutes. */
    void create(JsonNode request, ObjectNode answer) throws Exception {
        Map<String, String> configs = new HashMap<>();
        request.get("configs").properties().forEach(e -> configs.put(e.getKey(), e.getValue().asText()));
        NewTopic topic = request.hasNonNull("brokers") ? placed(request)
            : new NewTopic(topic(request), request.get("partitions").asInt(),
                (short) request.path("replication").asInt(1));
        while (!isCreated(topic.configs(configs))) Thread.sleep(50);
        Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
        for (int p = 0; p < request.get("partitions").asInt(); p++)
            ends.put(new TopicPartition(topic.name(), p), OffsetSpec.latest());
        while (!isServed(ends)) Thread.sleep(5);
    }

    /** Not while the broker's session has ended: on a loaded machine its heartbeats may be late. */
    private boolean isCreated(NewTopic topic) throws Exception {
        try {
            admin.createTopics(List.of(topic)).all().get();
            return true;
        } catch (ExecutionException e) {
            if (e.getCause() instanceof InvalidReplicationFactorException) return false;
            throw e;
        }
    }

    /** Each partition on one broker alone. */
    private static NewTopic placed(JsonNode request) {
        Map<Integer, List<Integer>> brokers = new HashMap<>();
        for (JsonNode broker : request.get("brokers")) brokers.put(brokers.size(), List.of(broker.asInt()));
        return new NewTopic(topic(request), brokers);
    }

    private boolean isServed(Map<TopicPartition, OffsetSpec> partitions) throws Exception {
        try {
            admin.listOffsets(partitions).all().get();
            return true;
        } catch (ExecutionException e) {
            if (e.getCause() instanceof UnknownTopicOrPartitionException) return false;
            throw e;
        }
    }

    void delete(JsonNode request, ObjectNode answer) throws Exception {
        admin.deleteTopics(List.of(topic(request))).all().get();
    }

    void addPartitions(JsonNode request, ObjectNode answer) throws Exception {
        NewPartitions total = NewPartitions.increaseTo(request.get("total").asInt());
        admin.createPartitions(Map.of(topic(request), total)).all().get();
    }

    void list(JsonNode request, ObjectNode answer) throws Exception {
        ArrayNode names = answer.putArray("topics");
        new TreeSet<>(admin.listTopics().names().get()).forEach(names::add);
    }

    void deleteRecords(JsonNode request, ObjectNode answer) throws Exception {
        admin.deleteRecords(byPartition(request, "before", RecordsToDelete::beforeOffset)).all().get();
    }

    /**
     * Wait until what was committed or aborted is so everywhere: a producer has its answer before each partition
     * has its marker. Not for long: a partition may be away.
     */
    void settle() throws InterruptedException {
        ListTransactionsOptions ending = new ListTransactionsOptions().timeoutMs(SETTLED_MS).filterStates(
            Set.of(TransactionState.PREPARE_COMMIT, TransactionState.PREPARE_ABORT));
        long deadline = System.nanoTime() + SETTLED_MS * 1_000_000L;
        try {
            while (!admin.listTransactions(ending).all().get().isEmpty() && System.nanoTime() < deadline) Thread.sleep(2);
        } catch (ExecutionException e) {
            // it cannot be asked: what comes next says so
        }
    }

    void offsets(JsonNode request, ObjectNode answer) throws Exception {
        settle();
        String topic = topic(request);
        boolean earliest = request.get("at").asText().equals("earliest");
        int partitions = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size();
        Map<TopicPartition, OffsetSpec> wanted = new HashMap<>();
        for (int p = 0; p < partitions; p++)
            wanted.put(new TopicPartition(topic, p), earliest ? OffsetSpec.earliest() : OffsetSpec.latest());
        boolean committed = request.path("read_committed").asBoolean(false);
        ListOffsetsOptions options = new ListOffsetsOptions(
            committed ? IsolationLevel.READ_COMMITTED : IsolationLevel.READ_UNCOMMITTED);
        ObjectNode out = answer.putObject("offsets");
        admin.listOffsets(wanted, options).all().get()
            .forEach((tp, info) -> out.put(String.valueOf(tp.partition()), info.offset()));
    }

    void groupOffsets(JsonNode request, ObjectNode answer) throws Exception {
        ArrayNode out = answer.putArray("offsets");
        settle();
        admin.listConsumerGroupOffsets(request.get("group").asText()).partitionsToOffsetAndMetadata().get()
            .forEach((tp, at) -> {
                if (at != null)
                    out.addObject().put("topic", tp.topic()).put("partition", tp.partition())
                        .put("offset", at.offset()).put("metadata", at.metadata());
            });
    }

    void setGroupOffsets(JsonNode request, ObjectNode answer) throws Exception {
        settle();
        Map<TopicPartition, OffsetAndMetadata> offsets =
            byPartition(request, "offsets", o -> new OffsetAndMetadata(o, Optional.empty(), ""));
        admin.alterConsumerGroupOffsets(request.get("group").asText(), offsets).all().get();
    }

    void deleteGroup(JsonNode request, ObjectNode answer) throws Exception {
        settle();
        admin.deleteConsumerGroups(List.of(request.get("group").asText())).all().get();
    }

    /** What clients leave behind: groups, and names of transactional producers. */
    void traces(JsonNode request, ObjectNode answer) throws Exception {
        ArrayNode groups = answer.putArray("groups"), ids = answer.putArray("transactional_ids");
        admin.listConsumerGroups().all().get().forEach(g -> groups.add(g.groupId()));
        admin.listTransactions().all().get().forEach(t -> ids.add(t.transactionalId()));
    }

    /** Turn the replicas of every partition by one and let their first one lead. */
    void moveLeaders(JsonNode request, ObjectNode answer) throws Exception {
        Map<TopicPartition, Optional<NewPartitionReassignment>> turned = new HashMap<>();
        var names = admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get();
        admin.describeTopics(names).allTopicNames().get().forEach((name, topic) -> topic.partitions().forEach(p -> {
            List<Integer> nodes = new ArrayList<>();
            p.replicas().forEach(node -> nodes.add(node.id()));
            Collections.rotate(nodes, -1);
            turned.put(new TopicPartition(name, p.partition()), Optional.of(new NewPartitionReassignment(nodes)));
        }));
        admin.alterPartitionReassignments(turned).all().get();
        admin.electLeaders(ElectionType.PREFERRED, turned.keySet()).partitions().get();
        answer.put("moved", turned.size());
    }

    /** Connect with `config` alone, elsewhere than this client does; fails as Kafka's client does. */
    static void tryConnect(JsonNode request, ObjectNode answer) throws Exception {
        Map<String, Object> config = new HashMap<>();
        request.get("config").properties().forEach(e -> config.put(e.getKey(), e.getValue().asText()));
        config.put("request.timeout.ms", 20_000);
        config.put("default.api.timeout.ms", 20_000);
        try (Admin other = Admin.create(config)) {
            other.listTopics().names().get();
        }
    }

    private static <T> Map<TopicPartition, T> byPartition(JsonNode request, String name, LongFunction<T> make) {
        Map<TopicPartition, T> out = new HashMap<>();
        request.get(name).properties().forEach(e -> out.put(
            new TopicPartition(topic(request), Integer.parseInt(e.getKey())), make.apply(e.getValue().asLong())));
        return out;
    }

    private static String topic(JsonNode request) {
        return request.get("topic").asText();
    }
}
