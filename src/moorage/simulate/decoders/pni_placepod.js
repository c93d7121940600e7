// PNI PlacePod: channel, type, value, as Cayenne LPP writes them (big-endian).
function Decoder(bytes, port) {
  var decoded = {};
  for (var i = 0; i + 1 < bytes.length; ) {
    var channel = bytes[i], type = bytes[i + 1], value = (bytes[i + 2] << 8 | bytes[i + 3]) << 16 >> 16;
    if (channel === 0x02 && type === 0x67) { decoded.temperature = value / 10; i += 4; }
    else if (channel === 0x03 && type === 0x02) { decoded.battery_v = value / 100; i += 4; }
    else if (channel === 0x15 && type === 0x66) { decoded.occupied = bytes[i + 2] === 1; i += 3; }
    else throw new Error("unknown channel " + channel + " of type 0x" + type.toString(16));
    if (i > bytes.length) throw new Error("the message is cut off after " + bytes.length + " bytes");
  }
  return decoded;
}
const Decode = (fPort, bytes) => Decoder(bytes, fPort);
