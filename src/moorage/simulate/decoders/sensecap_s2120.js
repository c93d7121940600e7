// Seeed SenseCAP S2120 weather station: frames of an id and its values, big-endian.
function Decode(fPort, bytes, variables) {
  const view = new DataView(new Uint8Array(bytes).buffer);
  const decoded = {};
  for (let i = 0; i < bytes.length; ) {
    const id = bytes[i++];
    if (id === 0x01) {
      decoded.temperature = view.getInt16(i) / 10;
      decoded.humidity = view.getUint8(i + 2);
      decoded.light_lux = view.getUint32(i + 3);
      decoded.uv_index = view.getUint8(i + 7) / 10;
      decoded.wind_speed_m_s = view.getUint16(i + 8) / 10;
      i += 10;
    } else if (id === 0x02) {
      decoded.wind_direction = view.getUint16(i);
      decoded.rain_mm_h = view.getUint32(i + 2) / 1000;
      decoded.pressure_hpa = view.getUint16(i + 6) / 10;
      i += 8;
    } else if (id === 0x03) {
      decoded.battery = view.getUint8(i);
      i += 1;
    } else throw new Error("unknown frame 0x" + id.toString(16));
  }
  return decoded;
}
