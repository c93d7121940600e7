// Milesight EM400-MUD: channel, type, value, little-endian. With the depth of the bin, in
// millimetres, among the device's metadata, the distance becomes a level.
function Decode(fPort, bytes, variables) {
  const decoded = {};
  for (let i = 0; i + 1 < bytes.length; ) {
    const key = bytes[i] << 8 | bytes[i + 1];
    i += 2;
    if (key === 0x0175) { decoded.battery = bytes[i]; i += 1; }
    else if (key === 0x0367) { decoded.temperature = ((bytes[i] | bytes[i + 1] << 8) << 16 >> 16) / 10; i += 2; }
    else if (key === 0x0482) { decoded.distance = bytes[i] | bytes[i + 1] << 8; i += 2; }
    else if (key === 0x0500) { decoded.tilted = bytes[i] === 1; i += 1; }
    else throw new Error("unknown channel 0x" + key.toString(16));
    if (i > bytes.length) throw new Error("the message is cut off after " + bytes.length + " bytes");
  }
  const depth = Number(variables.depth_mm);
  if (depth > 0 && decoded.distance !== undefined) {
    decoded.fill = Math.max(0, Math.min(100, Math.round(100 * (1 - decoded.distance / depth))));
  }
  return decoded;
}
