// Digital Matter Oyster, port 1: place in 1e-7 degrees (little-endian), flags and heading, speed.
function Decode(fPort, bytes, variables) {
  if (bytes.length !== 11) throw new Error(bytes.length + " bytes instead of 11");
  const view = new DataView(new Uint8Array(bytes).buffer);
  return {
    latitude: view.getInt32(0, true) / 1e7,
    longitude: view.getInt32(4, true) / 1e7,
    in_trip: (bytes[8] & 1) !== 0,
    fix_failed: (bytes[8] & 2) !== 0,
    heading: (bytes[8] >> 2) * 5.625,
    speed_km_h: bytes[9],
    battery_v: Math.round(bytes[10] * 25) / 1000,
  };
}
