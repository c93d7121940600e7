import com.sun.net.httpserver.HttpServer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executors;
import org.json.JSONException;
import org.json.JSONObject;
import org.json.JSONTokener;
import org.ow2.authzforce.core.pdp.api.DecisionRequestPreprocessor;
import org.ow2.authzforce.core.pdp.api.DecisionResultPostprocessor;
import org.ow2.authzforce.core.pdp.impl.PdpEngineConfiguration;
import org.ow2.authzforce.core.pdp.impl.io.PdpEngineAdapters;
import org.ow2.authzforce.core.pdp.io.xacml.json.BaseXacmlJsonResultPostprocessor;
import org.ow2.authzforce.core.pdp.io.xacml.json.IndividualXacmlJsonRequest;
import org.ow2.authzforce.core.pdp.io.xacml.json.SingleDecisionXacmlJsonRequestPreprocessor;
import org.ow2.authzforce.xacml.json.model.XacmlJsonUtils;

/** AuthzForce's engine and its JSON profile behind HTTP; prints the port once it answers. */
public final class Pdp {
    public static void main(String[] arguments) throws Exception {
        var configuration = PdpEngineConfiguration.getInstance(arguments[0]);
        DecisionResultPostprocessor<IndividualXacmlJsonRequest, JSONObject> results =
            new BaseXacmlJsonResultPostprocessor(configuration.getClientRequestErrorVerbosityLevel());
        DecisionRequestPreprocessor<JSONObject, IndividualXacmlJsonRequest> requests =
            SingleDecisionXacmlJsonRequestPreprocessor.LaxVariantFactory.INSTANCE.getInstance(
                configuration.getAttributeValueFactoryRegistry(),
                configuration.isStrictAttributeIssuerMatchEnabled(),
                configuration.isXPathEnabled(),
                results.getFeatures());
        var engine = PdpEngineAdapters.newInoutAdapter(
            JSONObject.class, JSONObject.class, configuration, requests, results);
        var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 64);
        server.setExecutor(Executors.newFixedThreadPool(4));
        server.createContext("/pdp", exchange -> {
            int status = 200;
            byte[] body;
            try (var sent = exchange.getRequestBody()) {
                var asked = new JSONObject(new JSONTokener(sent));
                XacmlJsonUtils.REQUEST_SCHEMA.validate(asked);
                body = engine.evaluate(asked).toString().getBytes(StandardCharsets.UTF_8);
            } catch (RuntimeException wrong) {
                status = 400;
                body = String.valueOf(wrong).getBytes(StandardCharsets.UTF_8);
            }
            exchange.getResponseHeaders().set("Content-Type", "application/xacml+json");
            exchange.sendResponseHeaders(status, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
        System.out.println(server.getAddress().getPort());
    }
}
