// Adeunis TEMP, frame 0x43: two sensors in tenths of a degree. As an ES module.
const flags = (status) => ({
  frame_counter: status >> 5,
  low_battery: (status & 0x02) !== 0,
  configuration_inconsistent: (status & 0x01) !== 0,
});

export function decodeUplink({ bytes }) {
  if (bytes[0] !== 0x43) {
    return { errors: ["frame 0x" + bytes[0].toString(16) + " is not a reading"] };
  }
  const view = new DataView(new Uint8Array(bytes).buffer);
  return {
    data: { ...flags(bytes[1]), internal: view.getInt16(3) / 10, external: view.getInt16(6) / 10 },
  };
}
