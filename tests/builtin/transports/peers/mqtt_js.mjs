// Send a message of each QoS to oneself, and a retained one; print what comes as JSON lines.
// Arguments: URL, protocol version (4 or 5).
import mqtt from "mqtt";

const [url, version] = process.argv.slice(2);
const client = await mqtt.connectAsync(url, {
  protocolVersion: Number(version),
  connectTimeout: 10_000,
  reconnectPeriod: 0,
});
const messages = [];
const all = new Promise((resolve) => {
  client.on("message", (topic, payload, packet) => {
    messages.push({ topic, payload: payload.toString(), qos: packet.qos, retain: packet.retain });
    if (messages.length === 4) resolve();
  });
});
const topic = `mqtt.js/${version}/${url.split(":")[0]}`;
await client.publishAsync(`${topic}/kept`, "kept", { qos: 1, retain: true });
await client.subscribeAsync(`${topic}/#`, { qos: 2 });
for (const qos of [0, 1, 2]) await client.publishAsync(`${topic}/é`, `qos ${qos}`, { qos });
await all;
await client.endAsync();
for (const message of messages) console.log(JSON.stringify(message));
