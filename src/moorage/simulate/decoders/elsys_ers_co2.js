// Elsys ERS CO2: a row of type and value, values big-endian. Types as in Elsys' payload sheet.
function Decode(fPort, bytes, variables) {
  var decoded = {};
  for (var i = 0; i < bytes.length; ) {
    switch (bytes[i++]) {
      case 0x01: decoded.temperature = ((bytes[i] << 8 | bytes[i + 1]) << 16 >> 16) / 10; i += 2; break;
      case 0x02: decoded.humidity = bytes[i]; i += 1; break;
      case 0x04: decoded.light = bytes[i] << 8 | bytes[i + 1]; i += 2; break;
      case 0x05: decoded.motion = bytes[i]; i += 1; break;
      case 0x06: decoded.co2 = bytes[i] << 8 | bytes[i + 1]; i += 2; break;
      case 0x07: decoded.vdd = bytes[i] << 8 | bytes[i + 1]; i += 2; break;
      default: throw new Error("unknown type 0x" + bytes[i - 1].toString(16) + " at byte " + (i - 1));
    }
    if (i > bytes.length) throw new Error("the message is cut off after " + bytes.length + " bytes");
  }
  return decoded;
}
