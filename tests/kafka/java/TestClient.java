import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;

/** A Kafka client for tests: one JSON request a line on stdin, one JSON answer a line on stdout. */
public final class TestClient {
    static final ObjectMapper JSON = new ObjectMapper();

    interface Command {
        void run(JsonNode request, ObjectNode answer) throws Exception;
    }

    private static Map<String, Command> commands(String bootstrap, Admin admin) {
        Map<String, Command> table = new HashMap<>();
        Topics topics = new Topics(admin);
        Records records = new Records(bootstrap, topics);
        table.put("create_topic", topics::create);
        table.put("delete_topic", topics::delete);
        table.put("add_partitions", topics::addPartitions);
        table.put("topics", topics::list);
        table.put("delete_records", topics::deleteRecords);
        table.put("offsets", topics::offsets);
        table.put("group_offsets", topics::groupOffsets);
        table.put("set_group_offsets", topics::setGroupOffsets);
        table.put("delete_group", topics::deleteGroup);
        table.put("traces", topics::traces);
        table.put("move_leaders", topics::moveLeaders);
        table.put("try_connect", Topics::tryConnect);
        table.put("produce", records::produce);
        table.put("end_open", records::endOpen);
        table.put("produce_lines", records::produceLines);
        table.put("consume", records::consume);
        table.put("generate_rides", (request, answer) -> Rides.generate(bootstrap, request, answer));
        table.put("oracle", (request, answer) -> Oracle.run(bootstrap, request, answer));
        return table;
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, "UTF-8");
        System.setOut(System.err); // stdout is for answers alone, whatever a library prints
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", arguments[0]))) {
            Map<String, Command> commands = commands(arguments[0], admin);
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                out.println(answer(commands, JSON.readTree(line)));
                out.flush();
            }
        }
        Runtime.getRuntime().halt(0); // an open transaction left on purpose must stay open
    }

    private static ObjectNode answer(Map<String, Command> commands, JsonNode request) {
        ObjectNode answer = JSON.createObjectNode();
        try {
            commands.get(request.get("command").asText()).run(request, answer);
        } catch (ExecutionException e) {
            answer.put("error", String.valueOf(e.getCause()));
        } catch (Exception e) {
            answer.put("error", String.valueOf(e));
        }
        return answer;
    }
}
