// Milesight AM319: indoor air. Channel, type, value, little-endian.
const CHANNELS = {
  0x0175: ["battery", 1, 1],
  0x0367: ["temperature", 2, 10],
  0x0468: ["humidity", 1, 2],
  0x0500: ["pir", 1, 1],
  0x06cb: ["light_level", 1, 1],
  0x077d: ["co2", 2, 1],
  0x087d: ["tvoc", 2, 100],
  0x0973: ["pressure", 2, 10],
  0x0a7d: ["hcho", 2, 100],
  0x0b7d: ["pm2_5", 2, 1],
  0x0c7d: ["pm10", 2, 1],
  0x0d7d: ["o3", 2, 100],
};

module.exports.decodeUplink = (input) => {
  const buffer = Buffer.from(input.bytes);
  const data = {};
  for (let at = 0; at + 2 < buffer.length; ) {
    const known = CHANNELS[buffer.readUInt16BE(at)];
    if (!known) return { data, warnings: ["unknown channel " + buffer.toString("hex", at, at + 2)] };
    const [name, size, scale] = known;
    const value = name === "temperature" ? buffer.readInt16LE(at + 2) : buffer.readUIntLE(at + 2, size);
    data[name] = value / scale;
    at += 2 + size;
  }
  return { data };
};
