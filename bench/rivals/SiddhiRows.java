import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.siddhi.core.SiddhiAppRuntime;
import io.siddhi.core.SiddhiManager;
import io.siddhi.core.event.Event;
import io.siddhi.core.query.output.callback.QueryCallback;
import io.siddhi.query.api.definition.Attribute;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Runs small apps, and prints what each told: a JSON list a line, or null where Siddhi refuses the app or hangs.
 *
 * <p>Argument: a file of cases, a JSON object a line: the app, its query, and the steps. A step is a list: "send" with
 * a stream and rows of a time and values, "ask" with an on-demand query, "save" and "load" (a new runtime goes on from
 * what was saved). What is told: for each call of the query's callback, the rows that came and those that left; for
 * each question its rows and null, or null and null where it is refused.
 */
public final class SiddhiRows {
    private static final int PATIENCE_S = 60;
    private static final Gson GSON =
        new GsonBuilder().serializeNulls().serializeSpecialFloatingPointValues().disableHtmlEscaping().create();

    private final JsonObject one;
    private final List<Object> told = Collections.synchronizedList(new ArrayList<>());
    private SiddhiAppRuntime app;
    private byte[] saved;

    private SiddhiRows(JsonObject one) {
        this.one = one;
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream out = System.out;
        System.setOut(System.err);
        ExecutorService pool = Executors.newFixedThreadPool(16);
        List<Future<String>> told = new ArrayList<>();
        for (String line : Files.readAllLines(Path.of(arguments[0]))) {
            JsonObject one = new JsonParser().parse(line).getAsJsonObject();
            // A thread of its own: Siddhi leaves marks on the thread that has asked it a question.
            FutureTask<String> task = new FutureTask<>(() -> new SiddhiRows(one).run());
            told.add(pool.submit(() -> {
                new Thread(task).start();
                return task.get();
            }));
        }
        for (Future<String> one : told) {
            try {
                out.println(one.get(PATIENCE_S, TimeUnit.SECONDS));
            } catch (TimeoutException hung) {
                out.println("null");
            }
        }
        out.flush();
        Runtime.getRuntime().halt(0);
    }

    private String run() throws Exception {
        try {
            begin();
        } catch (Throwable refused) {
            return "null";
        }
        for (JsonElement element : one.getAsJsonArray("steps")) {
            JsonArray step = element.getAsJsonArray();
            switch (step.get(0).getAsString()) {
                case "send": send(step.get(1).getAsString(), step.get(2).getAsJsonArray()); break;
                case "ask": ask(step.get(1).getAsString()); break;
                case "save": saved = app.snapshot(); break;
                default:
                    app.shutdown();
                    begin();
                    app.restore(saved);
            }
        }
        String answer = GSON.toJson(told);
        app.shutdown();
        return answer;
    }

    private void begin() {
        app = new SiddhiManager().createSiddhiAppRuntime(one.get("app").getAsString());
        app.addCallback(one.get("query").getAsString(), new QueryCallback() {
            @Override
            public void receive(long at, Event[] came, Event[] left) {
                told.add(Arrays.asList(rows(came), rows(left)));
            }
        });
        app.start();
    }

    private void send(String stream, JsonArray rows) throws Exception {
        List<Event> events = new ArrayList<>();
        for (JsonElement row : rows) {
            events.add(new Event(row.getAsJsonArray().get(0).getAsLong(),
                values(app.getStreamDefinitionMap().get(stream).getAttributeList(),
                    row.getAsJsonArray().get(1).getAsJsonArray())));
        }
        app.getInputHandler(stream).send(events.toArray(new Event[0]));
    }

    private void ask(String text) {
        try {
            told.add(Arrays.asList(rows(app.query(text)), null));
        } catch (Throwable refused) {
            told.add(Arrays.asList(null, null));
        }
    }

    private static List<Object> rows(Event[] events) {
        List<Object> rows = new ArrayList<>();
        for (Event event : events == null ? new Event[0] : events) {
            List<Object> row = new ArrayList<>();
            for (Object value : event.getData()) {
                row.add(plain(value));
            }
            rows.add(row);
        }
        return rows;
    }

    private static Object plain(Object value) {
        if (value == null || value instanceof Number || value instanceof Boolean) {
            return value;
        }
        if (value instanceof Collection) {
            List<Object> all = new ArrayList<>();
            for (Object each : (Collection<?>) value) {
                all.add(plain(each));
            }
            if (value instanceof Set) {
                all.sort((left, right) -> String.valueOf(left).compareTo(String.valueOf(right)));
            }
            return all;
        }
        return String.valueOf(value);
    }

    private static Object[] values(List<Attribute> attributes, JsonArray row) {
        Object[] made = new Object[row.size()];
        for (int n = 0; n < made.length; n++) {
            JsonElement one = row.get(n);
            if (one.isJsonNull()) {
                continue;
            }
            switch (attributes.get(n).getType()) {
                case INT: made[n] = one.getAsInt(); break;
                case LONG: made[n] = one.getAsLong(); break;
                case FLOAT: made[n] = one.getAsFloat(); break;
                case DOUBLE: made[n] = one.getAsDouble(); break;
                case BOOL: made[n] = one.getAsBoolean(); break;
                default: made[n] = one.getAsString();
            }
        }
        return made;
    }
}
