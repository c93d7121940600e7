// Shelly Pro 3EM: the NotifyFullStatus of its RPC over MQTT, three phases and counters.
function decode(payload, metadata) {
  const status = (payload.values || payload).params;
  if (status === undefined) throw new Error("this is no status of a Shelly");
  const meter = status["em:0"], counters = status["emdata:0"];
  return {
    timestamp: status.ts,
    power_w: meter.total_act_power,
    power_a_w: meter.a_act_power,
    power_b_w: meter.b_act_power,
    power_c_w: meter.c_act_power,
    voltage_v: meter.a_voltage,
    energy_kwh: counters.total_act / 1000,
    output: status["switch:100"].output,
  };
}
