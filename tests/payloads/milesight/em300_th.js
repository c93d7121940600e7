// Milesight EM300-TH: channel, type, value, values little-endian. ChirpStack 3 and 4, both ways.
function Decode(fPort, bytes, variables) {
  var decoded = {};
  for (var i = 0; i + 1 < bytes.length; ) {
    var channel = bytes[i++], type = bytes[i++];
    if (channel === 0x01 && type === 0x75) {
      decoded.battery = bytes[i];
      i += 1;
    } else if (channel === 0x03 && type === 0x67) {
      decoded.temperature = int16(bytes, i) / 10;
      i += 2;
    } else if (channel === 0x04 && type === 0x68) {
      decoded.humidity = bytes[i] / 2;
      i += 1;
    } else if (channel === 0x20 && type === 0xce) {
      // History: seconds since 1970, temperature, humidity.
      decoded.history = decoded.history || [];
      decoded.history.push({
        timestamp: (bytes[i] | bytes[i + 1] << 8 | bytes[i + 2] << 16 | bytes[i + 3] << 24) >>> 0,
        temperature: int16(bytes, i + 4) / 10,
        humidity: bytes[i + 6] / 2,
      });
      i += 7;
    } else break;
  }
  return decoded;
}

function int16(bytes, at) {
  return (bytes[at] | bytes[at + 1] << 8) << 16 >> 16;
}

function decodeUplink(input) {
  return { data: Decode(input.fPort, input.bytes, input.variables) };
}

function encodeDownlink(input) {
  var seconds = input.data.report_interval;
  if (!(seconds >= 60 && seconds <= 64800)) {
    return { bytes: [], errors: ["report_interval must be 60 to 64800 seconds"] };
  }
  return { fPort: 85, bytes: [0xff, 0x03, seconds & 255, seconds >> 8] };
}
