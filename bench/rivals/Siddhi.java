import io.siddhi.core.SiddhiAppRuntime;
import io.siddhi.core.SiddhiManager;
import io.siddhi.core.event.Event;
import io.siddhi.core.stream.input.InputHandler;
import io.siddhi.core.stream.output.StreamCallback;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Sends recorded events through an app, again and again, and prints how many a second.
 *
 * <p>Arguments: the app, the events (a line each: stream, milliseconds, key, value, kind; divided by
 * tabs), events a batch, seconds to warm up, seconds to measure. Prints one line: events, nanoseconds
 * that passed, nanoseconds of the processors, rows out, and rows out of the very first pass.
 */
public final class Siddhi {
    private static long out;

    public static void main(String[] arguments) throws Exception {
        String app = Files.readString(Path.of(arguments[0]));
        List<String> lines = Files.readAllLines(Path.of(arguments[1]));
        int batch = Integer.parseInt(arguments[2]);
        double warm = Double.parseDouble(arguments[3]);
        double seconds = Double.parseDouble(arguments[4]);
        int count = lines.size();
        String[] streams = new String[count];
        long[] times = new long[count];
        Object[][] rows = new Object[count][];
        for (int n = 0; n < count; n++) {
            String[] parts = lines.get(n).split("\t");
            streams[n] = parts[0].intern();
            times[n] = Long.parseLong(parts[1]);
            rows[n] = new Object[] {parts[2].intern(), Double.valueOf(parts[3]), Integer.valueOf(parts[4])};
        }
        long span = times[count - 1] - times[0] + 1;
        SiddhiManager manager = new SiddhiManager();
        SiddhiAppRuntime runtime = manager.createSiddhiAppRuntime(app);
        runtime.addCallback("Out", new StreamCallback() {
            @Override
            public void receive(Event[] events) {
                out += events.length;
            }
        });
        runtime.start();
        Map<String, InputHandler> inputs = new HashMap<>();
        for (String stream : streams) {
            if (!inputs.containsKey(stream)) {
                inputs.put(stream, runtime.getInputHandler(stream));
            }
        }
        long pass = 0;
        long first = -1;
        long began = System.nanoTime();
        while (pass == 0 || System.nanoTime() - began < warm * 1e9) {
            once(inputs, streams, times, rows, batch, pass++ * span, Long.MAX_VALUE);
            if (first < 0) {
                first = out;
            }
        }
        out = 0;
        long sent = 0;
        long cpu = spent();
        began = System.nanoTime();
        long until = began + (long) (seconds * 1e9);
        while (System.nanoTime() < until) {
            sent += once(inputs, streams, times, rows, batch, pass++ * span, until);
        }
        long took = System.nanoTime() - began;
        System.out.println(sent + " " + took + " " + (spent() - cpu) + " " + out + " " + first);
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    private static long once(Map<String, InputHandler> inputs, String[] streams, long[] times, Object[][] rows,
            int batch, long shift, long until) throws InterruptedException {
        int at = 0;
        while (at < rows.length) {
            int end = at + 1;
            while (end < rows.length && end - at < batch && streams[end] == streams[at]) {
                end++;
            }
            Event[] events = new Event[end - at];
            for (int n = at; n < end; n++) {
                events[n - at] = new Event(times[n] + shift, rows[n]);
            }
            inputs.get(streams[at]).send(events);
            at = end;
            if (System.nanoTime() > until) {
                break;
            }
        }
        return at;
    }

    private static long spent() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
            .getProcessCpuTime();
    }
}
