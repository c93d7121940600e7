// Elsys ERS family: a row of type and value, values big-endian. Types as in Elsys' "payload" sheet.
var SIZES = {
  0x01: 2, 0x02: 1, 0x03: 3, 0x04: 2, 0x05: 1, 0x06: 2, 0x07: 2, 0x08: 2, 0x09: 6, 0x0a: 2,
  0x0b: 4, 0x0c: 2, 0x0d: 1, 0x0e: 2, 0x0f: 1, 0x10: 9, 0x11: 1, 0x12: 1, 0x13: 1, 0x14: 4,
  0x15: 2, 0x16: 4, 0x18: 2, 0x1a: 1,
};

function unsigned(bytes, at, size) {
  var value = 0;
  for (var i = 0; i < size; i++) value = value * 256 + bytes[at + i];
  return value;
}

function signed(bytes, at, size) {
  var value = unsigned(bytes, at, size), top = Math.pow(2, 8 * size);
  return value >= top / 2 ? value - top : value;
}

function decodeUplink(input) {
  var bytes = input.bytes, data = {}, warnings = [];
  for (var i = 0; i < bytes.length; ) {
    var type = bytes[i++], size = SIZES[type];
    if (size === undefined) {
      warnings.push("unknown type 0x" + type.toString(16) + " at byte " + (i - 1));
      break;
    }
    switch (type) {
      case 0x01: data.temperature = signed(bytes, i, 2) / 10; break;
      case 0x02: data.humidity = bytes[i]; break;
      case 0x03: data.acceleration = { x: signed(bytes, i, 1), y: signed(bytes, i + 1, 1), z: signed(bytes, i + 2, 1) }; break;
      case 0x04: data.light = unsigned(bytes, i, 2); break;
      case 0x05: data.motion = bytes[i]; break;
      case 0x06: data.co2 = unsigned(bytes, i, 2); break;
      case 0x07: data.vdd = unsigned(bytes, i, 2); break;
      case 0x08: data.analog1 = unsigned(bytes, i, 2); break;
      case 0x09: data.position = { latitude: (bytes[i] | bytes[i + 1] << 8 | bytes[i + 2] << 16 | (bytes[i + 2] & 0x80 ? 0xff << 24 : 0)) / 10000, longitude: (bytes[i + 3] | bytes[i + 4] << 8 | bytes[i + 5] << 16 | (bytes[i + 5] & 0x80 ? 0xff << 24 : 0)) / 10000 }; break;
      case 0x0a: data.pulse1 = unsigned(bytes, i, 2); break;
      case 0x0b: data.pulse1Total = unsigned(bytes, i, 4); break;
      case 0x0c: data.externalTemperature = signed(bytes, i, 2) / 10; break;
      case 0x0d: data.digital = bytes[i] > 0; break;
      case 0x0e: data.distance = unsigned(bytes, i, 2); break;
      case 0x0f: data.accelerationMotion = bytes[i]; break;
      case 0x11: data.occupancy = bytes[i]; break;
      case 0x12: data.waterleak = bytes[i]; break;
      case 0x14: data.pressure = unsigned(bytes, i, 4) / 1000; break;
      case 0x15: data.sound = { peak: bytes[i], average: bytes[i + 1] }; break;
      case 0x1a: data.digital2 = bytes[i] > 0; break;
    }
    i += size;
  }
  return { data: data, warnings: warnings, errors: [] };
}
